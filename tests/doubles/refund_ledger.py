"""A ledger of refunds in memory that keeps the contract of `engine.connector.RefundLedger`, the limit included.

`commit` is what the worker does with an outcome. `break_at` makes a method fail before or after its transaction is committed, as
a killed process does. `job` and `instance` are those that the ledger is bound to at this moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from engine.billing.refund_limit import amount_to_refund
from engine.connector import Charge, NotRefundable, Refund, RefundRequest, RefundResult, RefundState
from engine.errors import ConfigurationInvalid
from tests.doubles.ledger import Moment, ProcessKilled


@dataclass
class MemoryRefunds:
    """Refunds of one charge by key."""

    charge: Charge | None = None
    job: str = "j17"
    instance: str = "i4"
    rows: dict[str, Refund] = field(default_factory=dict)
    _breaks: dict[str, Moment] = field(default_factory=dict)

    def break_at(self, method: str, moment: Moment) -> None:
        """The next call of `method` raises ProcessKilled at this moment, once."""
        self._breaks[method] = moment

    def prepare(self, request: RefundRequest) -> Refund | NotRefundable:
        if self.charge is not None and self.charge.request.livemode != request.livemode:
            raise ConfigurationInvalid("Expected a key of the other mode, but this one isn't. Do: use that key.")
        existing = self.rows.get(self.job)
        if existing is not None:
            return existing
        reserved = sum(row.amount for row in self.rows.values() if not row.state.is_void)
        amount = amount_to_refund(self.charge, reserved, request)
        if isinstance(amount, NotRefundable):
            return amount
        assert self.charge is not None
        assert self.charge.intent is not None
        made = Refund(
            self.job, request, amount, self.instance, self.charge.request.instance, self.charge.intent, RefundState.PREPARED
        )
        return self._transaction("prepare", self.job, lambda _: made)

    def begin(self, refund_key: str, attempt: int) -> Refund:
        def change(row: Refund) -> Refund:
            if row.state is RefundState.PREPARED and row.attempt == attempt - 1:
                return replace(row, state=RefundState.SUBMITTING, attempt=attempt, problem=None)
            return row

        return self._transaction("begin", refund_key, change)

    def commit(self, result: RefundResult) -> Refund:
        """Apply an outcome's result, as the worker does together with the BPMN step."""

        def change(row: Refund) -> Refund:
            if row.state is RefundState.SUCCEEDED:
                return row
            refund, at = result.refund or row.refund, result.refunded_at or row.refunded_at
            return replace(row, state=result.state, refund=refund, problem=result.problem, refunded_at=at)

        return self._transaction("commit", result.refund_key, change)

    def _transaction(self, method: str, key: str, change: Callable[[Refund], Refund]) -> Refund:
        moment = self._breaks.pop(method, None)
        if moment is Moment.BEFORE:
            raise ProcessKilled(method)
        self.rows[key] = change(self.rows.get(key))  # type: ignore[arg-type] # prepare's change takes none
        if moment is Moment.AFTER:
            raise ProcessKilled(method)
        return self.rows[key]
