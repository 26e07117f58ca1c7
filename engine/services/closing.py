"""Close intents that nobody will confirm any more: one bounded round of each kind.

Left open, a customer could still pay them long after the instance has ended. The service is asked outside any transaction, and
each answer is stored in its own: a worker that dies in between leaves a charge that the next round finds closed. Whatever the
ledger was moved to meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType

from sqlalchemy import Connection

from engine.connector import (
    Charge,
    ChargeKeeper,
    ChargeState,
    Closed,
    Closing,
    IntentPage,
    NoAnswer,
    OpenIntent,
    StillOpen,
    Taken,
)
from engine.errors import NotFound
from engine.model.identifiers import Kind, format_id, parse_id
from engine.model.money import format_money
from engine.services.chores import Round
from engine.services.committing import charge_details
from engine.services.raising import Trouble, raise_incident
from engine.services.runtime import Runtime
from engine.store import charges, history, incidents, instances, jobs

_MOST_CLOSED = 100  # in one round
_MOST_UNANSWERED = 10  # one after the other: the service or the key is in trouble, not these intents
_SETTLED = timedelta(hours=25)  # a request can be answered again for 24 hours, so until then a lost intent may still be found
_CLOCKS_APART = timedelta(hours=1)
_COUNTED = MappingProxyType({Closed: "canceled", Taken: "charged", StillOpen: "left", NoAnswer: "left"})


@dataclass(slots=True)
class _Tally:
    """Counts in a round what became of intents: `canceled`, found `charged`, and `left` for the next round."""

    done: Round
    unanswered: int = 0

    def note(self, closing: Closing) -> None:
        """Count what became of an intent."""
        self.done.counts[_COUNTED[type(closing)]] += 1
        self.unanswered = self.unanswered + 1 if isinstance(closing, NoAnswer) else 0
        self.done.more = self.done.counts["canceled"] + self.done.counts["charged"] >= _MOST_CLOSED
        if isinstance(closing, NoAnswer) and self.unanswered >= _MOST_UNANSWERED:
            self.done.failure = _unanswered(closing)


# --- charges of instances that have ended ---------------------------------------------------------------------------


def close_abandoned(runtime: Runtime, keeper: ChargeKeeper, topic: str, by: str, done: Round) -> None:
    """Close the intents in the ledger whose instance has ended without the money being taken."""
    tally = _Tally(done)
    for seen in _abandoned(runtime, keeper):
        closing = keeper.close(seen.intent or "")
        _record(runtime, seen, closing, topic, by)
        tally.note(closing)
        if done.is_over():
            return


def _abandoned(runtime: Runtime, keeper: ChargeKeeper) -> Iterator[Charge]:
    """All of them, each looked at again at the moment before it is closed."""
    with runtime.database.reading() as connection:
        keys = charges.abandoned_keys(connection, keeper.livemode)
    for key in keys:
        with runtime.database.reading() as connection:
            seen = charges.find_abandoned(connection, keeper.livemode, key)
        if seen is not None:
            yield seen


def _record(runtime: Runtime, seen: Charge, closing: Closing, topic: str, by: str) -> None:
    if isinstance(closing, StillOpen | NoAnswer):
        return
    number, now = parse_id(Kind.INSTANCE, seen.request.instance), runtime.now()
    charged_at = closing.charged_at if isinstance(closing, Taken) else None
    state = ChargeState.CANCELED if charged_at is None else ChargeState.SUCCEEDED
    with runtime.database.transaction() as connection:
        instances.lock(connection, number, ended_too=True)
        if not charges.close(connection, seen, state, charged_at, now):
            return  # it was moved on meanwhile, and whoever did that has looked at the intent
        history.append(connection, number, now, by, [(f"charge_{state}", charge_details(replace(seen, state=state)))])
        if isinstance(closing, Taken):
            _call_a_person(connection, runtime, number, seen.intent or "", closing, topic, by)


# --- intents that the ledger doesn't know ---------------------------------------------------------------------------


def close_unknown(
    runtime: Runtime, keeper: ChargeKeeper, topic: str, by: str, done: Round, done_until: datetime | None
) -> datetime | None:
    """Close the intents that were made for a bill of this ledger, but never stored in it: the answer was lost, and the request
    was made anew after its key was forgotten. Gives how far intents have been looked through, by when they were created.
    """
    until = runtime.now() - _SETTLED
    since = done_until or _first_made(runtime, until)
    left_at, tally = [until], _Tally(done)
    for found in _made_between(keeper, since, until, done):
        with runtime.database.reading() as connection:
            verdict = _verdict(connection, keeper, found)
        if verdict is _Verdict.WAIT:
            left_at.append(found.created_at)
        elif verdict is _Verdict.CLOSE:
            closing = keeper.close(found.intent)
            _record_unknown(runtime, found, closing, topic, by)
            tally.note(closing)
            left_at += [found.created_at] if isinstance(closing, StillOpen | NoAnswer) else []
        if done.is_over():
            return done_until
    return done_until if done.failure is not None else max(since, min(left_at))


def _first_made(runtime: Runtime, until: datetime) -> datetime:
    with runtime.database.reading() as connection:
        first = charges.first_created_at(connection)
    return until if first is None else first - _CLOCKS_APART


def _made_between(keeper: ChargeKeeper, since: datetime, until: datetime, done: Round) -> Iterator[OpenIntent]:
    after, more = None, since < until
    while more:
        page = keeper.open_intents(since, until, after)
        if not isinstance(page, IntentPage):
            done.failure = _unanswered(page)
            return
        yield from page.found
        after, more = page.after, page.after is not None


class _Verdict(Enum):
    LEAVE = "it is in use, or none of this database"
    WAIT = "it may still be found again by its instance"
    CLOSE = "nobody will ever confirm it"


def _verdict(connection: Connection, keeper: ChargeKeeper, found: OpenIntent) -> _Verdict:
    """Another database can use the same account, and a copy of this one has the same bills: so the instance must fit as well."""
    row = charges.find(connection, found.charge_key)
    if row is None or row.intent == found.intent or row.request.livemode != keeper.livemode:
        return _Verdict.LEAVE
    try:
        instance = instances.get(connection, parse_id(Kind.INSTANCE, found.instance))
    except NotFound:
        return _Verdict.LEAVE
    bill = (row.request.process, row.request.customer, row.request.period)
    if (instance.process, instance.customer, instance.period) != bill:
        return _Verdict.LEAVE
    return _Verdict.WAIT if row.intent is None and instance.state == instances.ACTIVE else _Verdict.CLOSE


def _record_unknown(runtime: Runtime, found: OpenIntent, closing: Closing, topic: str, by: str) -> None:
    if isinstance(closing, StillOpen | NoAnswer):
        return
    number = parse_id(Kind.INSTANCE, found.instance)
    with runtime.database.transaction() as connection:
        instances.lock(connection, number, ended_too=True)
        if isinstance(closing, Taken):
            _call_a_person(connection, runtime, number, found.intent, closing, topic, by)
        else:
            history.append(connection, number, runtime.now(), by, [("intent_canceled", {"intent": found.intent})])


# --- both -----------------------------------------------------------------------------------------------------------


def _call_a_person(connection: Connection, runtime: Runtime, number: int, intent: str, taken: Taken, topic: str, by: str) -> None:
    amount = f"{format_money(taken.amount, taken.currency)} {taken.currency}"
    what = (
        f"Expected {intent} to take no money any more, because {format_id(Kind.INSTANCE, number)} has given it up, but {amount} "
        f"was charged at {taken.charged_at:%Y-%m-%d %H:%MZ}. Do: refund it or settle it with the customer, then resolve this "
        "with what you did."
    )
    visits = jobs.of_instance(connection, number)
    node = next((job.flow_node for job in reversed(visits) if job.topic == topic), topic)
    raise_incident(connection, runtime, number, Trouble(incidents.REFUSED, what, node, 1), by)


def _unanswered(answer: NoAnswer) -> str:
    return f"Expected intents to be closed that were given up, but: {answer.reason}. Do: nothing yet; it is tried again."
