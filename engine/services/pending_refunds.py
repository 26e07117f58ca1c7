"""Look up what became of refunds that banks take their time over, or send back: one bounded round, or one refund.

The diagram has gone on long ago. A refund that fails after all is recorded, in the bill's history as well, and calls a person:
the customer was told otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from engine.connector import ChargeKeeper, NoAnswer, Refund, RefundStanding, RefundState
from engine.errors import ConfigurationInvalid, DataRefused, NotFound
from engine.model.identifiers import Kind, parse_id
from engine.model.money import format_money
from engine.services import refunding
from engine.services.chores import Round
from engine.services.raising import Trouble, raise_incident
from engine.services.runtime import Runtime
from engine.store import incidents, jobs, refunds

_MOST = 100  # in one round
_MOST_UNANSWERED = 10
_MAY_COME_BACK = timedelta(days=40)
"""A bank can send back what succeeded, within some 30 days (https://docs.stripe.com/refunds#failed-refunds)."""
_ONCE_IN = timedelta(days=1)


def look_up_pending(runtime: Runtime, keeper: ChargeKeeper, by: str, done: Round) -> None:
    """Ask the service about pending refunds, those first that were asked about longest ago; then once a day about those that
    succeeded not long ago.
    """
    with runtime.database.reading() as connection:
        now = runtime.now()
        waiting = refunds.pending(connection, keeper.livemode, _MOST)
        made = refunds.made(connection, keeper.livemode, now - _MAY_COME_BACK, now - _ONCE_IN, _MOST)
    _look_at([*waiting, *made], runtime, keeper, by, done)
    done.more = done.more or (done.failure is None and len(made) == _MOST)


def _look_at(found: Iterable[Refund], runtime: Runtime, keeper: ChargeKeeper, by: str, done: Round) -> None:
    for refund in found:
        answer = keeper.refund(refund.refund or "")
        if isinstance(answer, NoAnswer):
            done.counts["unanswered"] += 1
            if done.counts["unanswered"] >= _MOST_UNANSWERED:
                done.failure = f"Expected refunds to be looked up, but: {answer.reason}. Do: nothing yet; it is tried again."
        else:
            done.counts[str(answer.state)] += 1
        with runtime.database.transaction() as connection:
            # One without an answer has its turn behind the others: it must not keep the round from them for ever.
            _record(connection, runtime, refund, answer, by)
        if done.is_over():
            return


def look_up(runtime: Runtime, keeper: ChargeKeeper | None, refund_key: str, by: str) -> None:
    """Ask the service about one refund that gives back, and record what it says. `keeper` is None where there is no key.

    Raises NotFound, ConfigurationInvalid without a suitable key, DataRefused for a refund that nothing can be asked about now and
    where the service gives no answer.
    """
    with runtime.database.reading() as connection:
        refund = refunds.find(connection, refund_key)
    if refund is None:
        raise NotFound(f"Expected the id of a refund, as in j17, but {refund_key!r} is none. Do: run-process refunds.")
    if refund.refund is None or not refund.state.gives_back:
        raise DataRefused(
            f"Expected a refund that was made at Stripe, but {refund_key} is {refund.state} without being known there. "
            f"Do: run-process show {refund.instance} says what is to be done about it."
        )
    if keeper is None or keeper.livemode != refund.request.livemode:
        mode = "live" if refund.request.livemode else "test"
        raise ConfigurationInvalid(
            f"Expected a {mode} key for Stripe, with which {refund_key} was made, but there is none. "
            "Do: set RUN_PROCESS_STRIPE_KEY."
        )
    answer = keeper.refund(refund.refund)
    if isinstance(answer, NoAnswer):
        raise DataRefused(
            f"Expected Stripe to say how {refund.refund} stands, but: {answer.reason}. Do: try again later; if Stripe doesn't "
            "know it, check that the key is of the account that charged."
        )
    with runtime.database.transaction() as connection:
        _record(connection, runtime, refund, answer, by)


def _record(connection: Connection, runtime: Runtime, seen: Refund, answer: RefundStanding | NoAnswer, by: str) -> None:
    """What the service says, also of a refund that succeeded; that one is never pending again."""
    now, number = runtime.now(), parse_id(Kind.INSTANCE, seen.instance)
    refunding.lock_both(connection, number, seen.refund_key)
    if isinstance(answer, NoAnswer) or (seen.state is RefundState.SUCCEEDED and not answer.state.is_void):
        answer = RefundStanding(seen.state, seen.problem)
    settled = refunds.settle(connection, seen, answer.state, answer.problem, now)
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
