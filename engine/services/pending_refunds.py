"""Look up what became of refunds that banks take their time over: one bounded round.

The diagram has gone on long ago. A refund that fails after all is recorded, in the bill's history as well, and calls a person:
the customer was told otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from engine.connector import ChargeKeeper, NoAnswer, Refund, RefundStanding
from engine.model.identifiers import Kind, parse_id
from engine.model.money import format_money
from engine.services import refunding
from engine.services.chores import Round
from engine.services.raising import Trouble, raise_incident
from engine.services.runtime import Runtime
from engine.store import incidents, jobs, refunds

_MOST = 100  # in one round
_MOST_UNANSWERED = 10


def look_up_pending(runtime: Runtime, keeper: ChargeKeeper, by: str, done: Round) -> None:
    """Ask the service about pending refunds, those first that were asked about longest ago."""
    with runtime.database.reading() as connection:
        waiting = refunds.pending(connection, keeper.livemode, _MOST)
    for refund in waiting:
        answer = keeper.refund(refund.refund or "")
        if isinstance(answer, NoAnswer):
            done.counts["unanswered"] += 1
            if done.counts["unanswered"] >= _MOST_UNANSWERED:
                done.failure = f"Expected refunds to be looked up, but: {answer.reason}. Do: nothing yet; it is tried again."
        else:
            with runtime.database.transaction() as connection:
                _record(connection, runtime, refund, answer, by)
            done.counts[str(answer.state)] += 1
        if done.is_over():
            return


def _record(connection: Connection, runtime: Runtime, seen: Refund, answer: RefundStanding, by: str) -> None:
    now, number = runtime.now(), parse_id(Kind.INSTANCE, seen.instance)
    refunding.lock_both(connection, number, seen.refund_key)
    settled = refunds.settle(connection, seen.refund_key, answer.state, answer.problem, now)
    if not settled or answer.state is seen.state:
        return
    refund = replace(seen, state=answer.state, problem=answer.problem)
    refunding.note(connection, refund, now, by, {})
    if answer.state.is_void:
        _call_a_person(connection, runtime, number, refund, now, by)


def _call_a_person(connection: Connection, runtime: Runtime, number: int, refund: Refund, now: datetime, by: str) -> None:
    request = refund.request
    what = (
        f"Expected {format_money(refund.amount, request.currency)} {request.currency} to reach {request.customer}, refunded for "
        f"{request.period}, but {refund.refund} is {refund.state} at Stripe by {now:%Y-%m-%d %H:%MZ}"
        f"{f' ({refund.problem})' if refund.problem else ''}. Do: pay it back in another way or by a new refund, tell the "
        "customer, then resolve this with what you did."
    )
    node = jobs.get(connection, parse_id(Kind.JOB, refund.refund_key)).flow_node
    raise_incident(connection, runtime, number, Trouble(incidents.REFUSED, what, node, 1), by)
