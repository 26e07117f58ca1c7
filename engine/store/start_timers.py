"""Timers that start instances of the newest version of their process: one row for each such start event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, insert, select, update

from engine.store.prepared import Prepared
from engine.store.tables import start_timers

WAITING, DONE, FAILED = "waiting", "done", "failed"

_DUE = (start_timers.c.state == WAITING, start_timers.c.due_at <= bindparam("now"))
_LOCK_DUE = Prepared(
    select(start_timers)
    .where(*_DUE)
    .order_by(start_timers.c.due_at, start_timers.c.process, start_timers.c.flow_node)
    .limit(1)
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, slots=True)
class StartTimerRow:
    """When a version starts instances by itself. `number` says for the how manieth time it is due next, `last_error` why it
    couldn't the last time.
    """

    process: str
    flow_node: str
    version: int
    begun_at: datetime
    number: int
    state: str
    due_at: datetime
    last_error: str | None


def replace_all(connection: Connection, process: str, rows: list[Mapping[str, Any]]) -> None:
    """The timers of a process are these from now on: those of the version before start nothing any more."""
    connection.execute(delete(start_timers).where(start_timers.c.process == process))
    for row in rows:
        connection.execute(insert(start_timers).values(process=process, state=WAITING, number=1, **row))


def lock_due(connection: Connection, now: datetime) -> StartTimerRow | None:
    """The one that is overdue longest, kept from other workers until this transaction ends."""
    row = _LOCK_DUE.first(connection, {"now": now})
    return StartTimerRow(*row) if row else None


def lock(connection: Connection, process: str, flow_node: str) -> StartTimerRow | None:
    """One of them, kept from changing until this transaction ends; None where a newer version has replaced it."""
    row = connection.execute(select(start_timers).where(_one(process, flow_node)).with_for_update()).first()
    return StartTimerRow(*row) if row else None


def change(connection: Connection, row: StartTimerRow, **values: Any) -> None:
    """Say when one (locked by the caller) is due next, or that it isn't any more."""
    connection.execute(update(start_timers).where(_one(row.process, row.flow_node)).values(**values))


def every(connection: Connection) -> list[StartTimerRow]:
    """All of them, by process."""
    query = select(start_timers).order_by(start_timers.c.process, start_timers.c.flow_node)
    return [StartTimerRow(*row) for row in connection.execute(query)]


def _one(process: str, flow_node: str) -> Any:
    return and_(start_timers.c.process == process, start_timers.c.flow_node == flow_node)
