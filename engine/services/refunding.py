"""Refunds: the ledger as a connector sees it, and what is stored of them beside the BPMN step.

A refund stands in two histories, that of the instance which makes it and that of the bill. Whoever appends to both has locked
both, in ascending order and before any job: two who wait for each other would wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from engine.billing.refund_limit import amount_to_refund
from engine.connector import MakesRefunds, NotRefundable, Refund, RefundRequest, RefundResult, RefundState, Value
from engine.errors import ChargeInDoubt, ConfigurationInvalid, DataRefused
from engine.model.identifiers import Kind, format_id, parse_id
from engine.model.text import shown
from engine.services.runtime import Runtime
from engine.store import charges, history, instances, jobs, refunds
from engine.store.jobs import JobRow

_T = TypeVar("_T")


class JobRefunds:
    """The `RefundLedger` of one leased job. Each method is one transaction that checks the fencing token."""

    def __init__(self, runtime: Runtime, job: JobRow) -> None:
        self._runtime = runtime
        self._job = job

    def prepare(self, request: RefundRequest) -> Refund | NotRefundable:
        """See RefundLedger."""
        return self._do(lambda connection: self._prepare(connection, request))

    def begin(self, refund_key: str, attempt: int) -> Refund:
        """See RefundLedger."""
        return self._do(lambda connection: refunds.begin(connection, refund_key, attempt, self._runtime.now()))

    def _prepare(self, connection: Connection, request: RefundRequest) -> Refund | NotRefundable:
        # Whoever asks for the same charge at once waits here, and then sees this refund's amount as reserved.
        charge = charges.lock_bill(connection, request.process, request.customer, request.period)
        if charge is not None and charge.request.livemode != request.livemode:
            raise _other_mode(request, charge.request.livemode)
        key = key_of(self._job)
        existing = refunds.find(connection, key)
        if existing is not None:
            return existing
        reserved = refunds.reserved(connection, charge.request.charge_key) if charge is not None else 0
        amount = amount_to_refund(charge, reserved, request)
        if isinstance(amount, NotRefundable):
            return amount
        assert charge is not None
        assert charge.intent is not None
        instance = format_id(Kind.INSTANCE, self._job.instance)
        refund = Refund(key, request, amount, instance, charge.request.instance, charge.intent, RefundState.PREPARED)
        refunds.add(connection, refund, charge.request.charge_key, self._job.instance, self._runtime.now())
        return refunds.find(connection, key) or refund

    def _do(self, change: Callable[[Connection], _T]) -> _T:
        with self._runtime.database.transaction() as connection:
            held = jobs.lock_held(connection, self._job.id)
            jobs.check_fence(held(), self._job.id, self._job.fence)
            return change(connection)


def key_of(job: JobRow) -> str:
    """The key of the refund that a job makes: one visit of a service task makes one."""
    return format_id(Kind.JOB, job.id)


def _other_mode(request: RefundRequest, livemode: bool) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        f"Expected a {'live' if livemode else 'test'} key, with which {request.customer} was charged for {request.period}, but "
        "this worker's is of the other mode. Do: use that key."
    )


# --- beside the BPMN step -------------------------------------------------------------------------------------------


def lock_both(connection: Connection, instance: int, refund_key: str) -> None:
    """Lock an instance and the bill that its refund is of, ended or not. For whoever is about to `record`, before the job is
    locked.
    """
    refund = refunds.find(connection, refund_key)
    bill = {parse_id(Kind.INSTANCE, refund.bill)} if refund is not None else set()
    for number in sorted({instance} | bill):
        instances.lock(connection, number, ended_too=True)


def record(connection: Connection, job: JobRow, result: RefundResult, at: datetime, by: str) -> None:
    """Store how a refund stands, with its entry in both histories: once for one that succeeded, however often its job is run."""
    before = refunds.find(connection, result.refund_key)
    refunds.apply(connection, result, at)
    refund = refunds.find(connection, result.refund_key)
    if refund is not None and (before is None or before.state is not RefundState.SUCCEEDED):
        note(connection, refund, at, by, {"job": format_id(Kind.JOB, job.id), "flow_node": job.flow_node})


def note(connection: Connection, refund: Refund, at: datetime, by: str, more: Mapping[str, Any]) -> None:
    """Append how a refund stands to its instance's history; and to the bill's, where money is given back or came back."""
    instance, bill = parse_id(Kind.INSTANCE, refund.instance), parse_id(Kind.INSTANCE, refund.bill)
    details = refund_details(refund)
    history.append(connection, instance, at, by, [(f"refund_{refund.state}", {**more, "bill": refund.bill, **details})])
    if bill != instance and (refund.state.gives_back or (refund.state.is_void and refund.refund is not None)):
        event = "charge_refunded" if refund.state.gives_back else "charge_refund_failed"
        history.append(connection, bill, at, by, [(event, {"instance": refund.instance, **details})])


def refund_details(refund: Refund) -> dict[str, Any]:
    """What history keeps of a refund. The amount is in minor units."""
    return {
        "refund_key": refund.refund_key,
        "amount": refund.amount,
        "currency": refund.request.currency,
        "state": str(refund.state),
        "reason": refund.request.reason,
        "comment": refund.request.comment,
        "requested_by": refund.request.requested_by,
        "approved_by": refund.request.approved_by,
        "refund": refund.refund,
        "attempt": refund.attempt,
        "problem": refund.problem,
    }


# --- giving up, and what a person knows -----------------------------------------------------------------------------


def refuse_doubt(connection: Connection, instance: int) -> None:
    """Raise ChargeInDoubt while the outcome of one of an instance's refunds isn't known."""
    if any(refund.state.in_doubt for refund in refunds.touched_by(connection, instance)):
        raise ChargeInDoubt(
            f"Expected no refund of {format_id(Kind.INSTANCE, instance)} under way, but the outcome of one isn't known yet. "
            "Do: run-process refunds says when a worker looks it up next, or which incident to retry or resolve; then decide."
        )


def with_results(connection: Connection, runtime: Runtime, job: JobRow, outputs: Mapping[str, Value]) -> Mapping[str, Value]:
    """A job's results as a person gave them, with those that the ledger knows of its refund. Raises DataRefused for others."""
    connector, refund = runtime.connectors.get(job.topic), refunds.find(connection, key_of(job))
    if refund is None or not isinstance(connector, MakesRefunds):
        return outputs
    known = connector.results(refund)
    for name, value in outputs.items():
        if known.get(name, value) != value:
            raise DataRefused(
                f"Expected {name} to be {shown(known[name])}, as the ledger says of {refund.refund_key}, but it is "
                f"{shown(value)}. Do: leave --set {name} out if that refund was made."
            )
    return {**connector.results(replace(refund, refunded_at=refund.refunded_at or runtime.now())), **outputs}


def settle_by_hand(
    connection: Connection, runtime: Runtime, job: JobRow, outputs: Mapping[str, Value] | None, reason: str, by: str
) -> None:
    """What a person knows ends the doubt about the refund that this job was making. `outputs` are its results where they say
    that it was made, None where they say that it was not. `lock_both` comes first.

    Raises DataRefused where the ledger knows otherwise, or doesn't know of it at all.
    """
    connector, refund = runtime.connectors.get(job.topic), refunds.find(connection, key_of(job))
    if not isinstance(connector, MakesRefunds):
        return
    if refund is None:
        if outputs is not None:
            raise _never_begun(key_of(job), connector)
        return  # it came to nothing before anything was stored
    if refund.state.gives_back:
        if outputs is None:
            said = f"Expected nothing given back by {refund.refund_key}, but the ledger says that it was. Do: --done."
            raise DataRefused(said)
        return
    now, said = runtime.now(), f"settled by {by}: {reason}"
    result = RefundResult(refund.refund_key, RefundState.FAILED, problem=said)
    if outputs is not None:
        named = outputs.get(connector.refund_output)
        _refuse_named_twice(connection, refund, named)
        result = RefundResult(refund.refund_key, RefundState.SUCCEEDED, str(named) if named else None, said, now)
    record(connection, job, result, now, by)


def _never_begun(key: str, connector: MakesRefunds) -> DataRefused:
    """Nothing of the charge is reserved for it, so as much could be given back once more."""
    error = next(iter(getattr(connector, "errors", {})), "CODE")
    return DataRefused(
        f"Expected a refund that was begun, but {key} has begun none, and the ledger could not count it. Do: run-process retry, "
        f"so that it is made here; or --error {error} if it was paid back in another way."
    )


def _refuse_named_twice(connection: Connection, refund: Refund, named: Value) -> None:
    holder = refunds.key_of(connection, named) if isinstance(named, str) else None
    if holder not in (None, refund.refund_key):
        raise DataRefused(
            f"Expected a refund of its own for {refund.refund_key}, but {shown(named)} is that of {holder}. "
            "Do: look the payment's refunds up at Stripe; name the one that was made for this."
        )
