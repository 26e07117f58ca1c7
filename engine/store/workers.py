"""The workers of this database: who they are, what they run, and when each was last seen.

Nothing depends on a row here: a job belongs to whoever holds its lease. The rows tell people, and programs that watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from engine.store.tables import workers

WORKING, STOPPING, STOPPED = "working", "stopping", "stopped"

_SEEN = update(workers).where(workers.c.id == bindparam("worker"))


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker process. `program` is its version, `seen_at` its last sign of life, `in_flight` its jobs at that time."""

    id: int
    name: str
    host: str
    process_id: int
    program: str
    topics: list[str]
    concurrency: int
    in_flight: int
    state: str
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None


def add(connection: Connection, values: Mapping[str, Any], at: datetime) -> int:
    """Store a worker that begins now, and give its number."""
    fresh = {"state": WORKING, "in_flight": 0, "started_at": at, "seen_at": at}
    inserted = connection.execute(insert(workers).values(**values, **fresh))
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def seen(connection: Connection, number: int, state: str, in_flight: int, at: datetime) -> bool:
    """A sign of life. False for a worker that was forgotten meanwhile."""
    values = {"worker": number, "state": state, "in_flight": in_flight, "seen_at": at}
    return connection.execute(_SEEN, values).rowcount == 1


def stopped(connection: Connection, number: int, at: datetime) -> None:
    """The worker has ended in order."""
    values = {"state": STOPPED, "in_flight": 0, "seen_at": at, "stopped_at": at}
    connection.execute(_SEEN, {"worker": number, **values})


def forget(connection: Connection, before: datetime) -> None:
    """Remove workers that were last seen before this moment."""
    connection.execute(delete(workers).where(workers.c.seen_at < before))


def listing(connection: Connection, *, stopped: bool = False) -> list[WorkerRow]:
    """The workers, longest running first: those that have not ended in order, or with `stopped` all that are remembered."""
    query = select(workers).order_by(workers.c.id)
    if not stopped:
        query = query.where(workers.c.state.in_((WORKING, STOPPING)))
    return [WorkerRow(*row) for row in connection.execute(query)]
