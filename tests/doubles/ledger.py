"""A charge ledger in memory that keeps the contract of `engine.connector.ChargeLedger`, compare-and-set included.

`commit` is what the worker does with an outcome: it applies a ChargeResult. `break_at` makes a method fail before or after
its transaction is committed, as a killed process does.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from enum import StrEnum

from engine.connector import Charge, ChargeRequest, ChargeResult, ChargeState


class Moment(StrEnum):
    """When a method breaks off."""

    BEFORE = "before the commit"
    AFTER = "after the commit"


class ProcessKilled(BaseException):
    """Stands for `kill -9`: nothing in the product may catch it."""


@dataclass
class MemoryLedger:
    """Rows by charge key. Thread-safe; `calls` names the methods in the order they were called."""

    rows: dict[str, Charge] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    _breaks: dict[str, Moment] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def break_at(self, method: str, moment: Moment) -> None:
        """The next call of `method` raises ProcessKilled at this moment, once."""
        self._breaks[method] = moment

    def prepare(self, request: ChargeRequest) -> Charge:
        def change(row: Charge | None) -> Charge:
            return row or Charge(request, ChargeState.PREPARED)

        return self._transaction("prepare", request.charge_key, change)

    def record_intent(self, charge_key: str, generation: int, intent: str) -> Charge:
        def change(row: Charge | None) -> Charge:
            assert row is not None
            if row.intent is None and row.generation == generation:
                return replace(row, intent=intent, state=ChargeState.CREATED)
            return row

        return self._transaction("record_intent", charge_key, change)

    def begin_confirm(self, charge_key: str, attempt: int, payment_method: str) -> Charge:
        def change(row: Charge | None) -> Charge:
            assert row is not None
            if row.attempt == attempt - 1 and row.state is not ChargeState.SUCCEEDED:
                return replace(row, attempt=attempt, payment_method=payment_method, state=ChargeState.CONFIRMING, reason=None)
            return row

        return self._transaction("begin_confirm", charge_key, change)

    def replace_intent(self, request: ChargeRequest, canceled_intent: str | None) -> Charge:
        def change(row: Charge | None) -> Charge:
            assert row is not None
            if row.intent == canceled_intent and row.state is not ChargeState.SUCCEEDED:
                return Charge(request, ChargeState.PREPARED, generation=row.generation + 1, attempt=row.attempt)
            return row

        return self._transaction("replace_intent", request.charge_key, change)

    def commit(self, result: ChargeResult) -> Charge:
        """Apply an outcome's result, as the worker does together with the BPMN step."""

        def change(row: Charge | None) -> Charge:
            assert row is not None
            succeeds, known = result.state is ChargeState.SUCCEEDED, result.generation is not None
            if not succeeds and known and (result.generation, result.attempt) != (row.generation, row.attempt):
                return row
            return replace(row, state=result.state, reason=result.reason, updated_at=result.charged_at)

        return self._transaction("commit", result.charge_key, change)

    def _transaction(self, method, key, change) -> Charge:  # type: ignore[no-untyped-def] # a double's private helper
        with self._lock:
            self.calls.append(method)
            moment = self._breaks.pop(method, None)
            if moment is Moment.BEFORE:
                raise ProcessKilled(method)
            self.rows[key] = change(self.rows.get(key))
            if moment is Moment.AFTER:
                raise ProcessKilled(method)
            return self.rows[key]
