"""Timers: timer events that wait for their time.

A timer belongs to its instance: whoever changes one locks the instance first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from engine.errors import TaskNotOpen
from engine.model.identifiers import Kind, unknown
from engine.store.prepared import Prepared
from engine.store.tables import instances, timers

WAITING, FIRED, WITHDRAWN, FAILED = "waiting", "fired", "withdrawn", "failed"
OPEN = (WAITING, FAILED)

# What every step and every look of a worker asks, built once; see the package.
_ADD = Prepared(insert(timers))
_GET = Prepared(select(timers).where(timers.c.id == bindparam("timer")))
_CHANGE_WAITING = Prepared(update(timers).where(timers.c.id == bindparam("timer"), timers.c.state == WAITING))
_NUMBER = Prepared(
    select(timers.c.id).where(
        timers.c.instance_id == bindparam("of_instance"), timers.c.token == bindparam("of_token"), timers.c.state.in_(OPEN)
    )
)
_CLOSE = Prepared(update(timers).where(timers.c.id == bindparam("timer"), timers.c.state.in_(OPEN)))
_NEXT_DUE = Prepared(select(timers.c.due_at).where(timers.c.state == WAITING).order_by(timers.c.due_at).limit(1))
_LOCK_DUE = Prepared(
    select(timers)
    .join(instances, instances.c.id == timers.c.instance_id)
    .where(timers.c.state == WAITING, timers.c.due_at <= bindparam("now"))
    .order_by(timers.c.due_at, timers.c.id)
    .limit(1)
    .with_for_update(of=instances, skip_locked=True, key_share=True)
)


@dataclass(frozen=True, slots=True)
class TimerRow:
    """One visit of one timer event."""

    id: int
    instance: int
    token: int
    flow_node: str
    state: str
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store a timer that has just been started, and give its number."""
    return _ADD.insert(connection, {**values, "state": WAITING})


def get(connection: Connection, number: int) -> TimerRow:
    """One timer. Raises NotFound."""
    row = _GET.first(connection, {"timer": number})
    if row is None:
        raise unknown(Kind.TIMER, number)
    return TimerRow(*row)


def lock_due(connection: Connection, now: datetime) -> TimerRow | None:
    """The timer that is overdue the longest, its instance kept from other workers until this transaction ends.

    Timers of instances that somebody else is changing are passed over. The timer may have fired while its instance was being
    locked: it has to be read again afterwards.
    """
    row = _LOCK_DUE.first(connection, {"now": now})
    return TimerRow(*row) if row else None


def next_due(connection: Connection) -> datetime | None:
    """When the next waiting timer is due, which may have passed; None when none waits."""
    found: datetime | None = _NEXT_DUE.scalar(connection)
    return found


def close(connection: Connection, instance: int, token: int, state: str, at: datetime) -> int:
    """A timer has fired or is withdrawn; its number. Raises TaskNotOpen when it had ended before: it fires once."""
    number = _NUMBER.scalar(connection, {"of_instance": instance, "of_token": token})
    if number is None or _CLOSE.change(connection, {"timer": number, "state": state, "ended_at": at}) != 1:
        raise TaskNotOpen("Expected the timer to wait, but it has fired or was withdrawn. Do: nothing; it fires once.")
    return int(number)


def postpone(connection: Connection, number: int, due_at: datetime) -> None:
    """Have a waiting timer fire later than it should."""
    _CHANGE_WAITING.change(connection, {"timer": number, "due_at": due_at})


def fail(connection: Connection, number: int) -> None:
    """A timer could not fire; a person is needed."""
    _CHANGE_WAITING.change(connection, {"timer": number, "state": FAILED})


def put_back(connection: Connection, number: int, due_at: datetime) -> None:
    """Have a timer fire again that could not."""
    where = (timers.c.id == number, timers.c.state == FAILED)
    connection.execute(update(timers).where(*where).values(state=WAITING, due_at=due_at))


def withdraw_all(connection: Connection, instance: int, at: datetime) -> None:
    """Close every open timer of an instance that has ended."""
    where = (timers.c.instance_id == instance, timers.c.state.in_(OPEN))
    connection.execute(update(timers).where(*where).values(state=WITHDRAWN, ended_at=at))


def of_instance(connection: Connection, instance: int) -> list[TimerRow]:
    """Every timer that an instance has had, oldest first."""
    query = select(timers).where(timers.c.instance_id == instance).order_by(timers.c.id)
    return [TimerRow(*row) for row in connection.execute(query)]


def count_waiting(connection: Connection) -> int:
    """How many timers wait for their time: not those that need a person."""
    return int(connection.execute(select(func.count()).select_from(timers).where(timers.c.state == WAITING)).scalar_one())
