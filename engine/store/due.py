"""What is due, asked at once: a worker looks here again and again, and mostly finds nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam, select

from engine.store.calls import ENDED
from engine.store.prepared import Prepared
from engine.store.tables import calls, messages, sent_messages, start_timers, timers

_WAITING = "waiting"  # what each of these calls what nobody has done yet


def _any(table: Table, due_at: Column[Any], state: str = _WAITING) -> ColumnElement[bool]:
    return select(table).where(table.c.state == state, due_at <= bindparam("now")).exists()


_LOOKS: list[ColumnElement[Any]] = [
    _any(timers, timers.c.due_at).label("timers"),
    _any(messages, messages.c.run_at).label("messages"),
    _any(sent_messages, sent_messages.c.run_at).label("sent_messages"),
    _any(start_timers, start_timers.c.due_at).label("start_timers"),
    _any(calls, calls.c.run_at, ENDED).label("calls"),
]
_LOOK = Prepared(select(*_LOOKS))


@dataclass(frozen=True, slots=True)
class Due:
    """Whether there is any of each: `messages` are hand-overs, `sent_messages` all others and signals; `calls` have ended."""

    timers: bool
    messages: bool
    sent_messages: bool
    start_timers: bool
    calls: bool


def look(connection: Connection, now: datetime) -> Due:
    """What is due now."""
    row = _LOOK.first(connection, {"now": now})
    assert row is not None
    return Due(*map(bool, row))
