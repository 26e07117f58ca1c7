"""Jobs: service tasks that wait for a worker and its connector.

A job is leased, never taken away: when its lease ends, another worker may have it. Each lease carries a higher fencing
token (`fence`), and nothing is saved for a job but with the newest one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update

from engine.errors import LeaseLost
from engine.model.identifiers import Kind, format_id, unknown
from engine.store.tables import jobs

READY, LEASED, FAILED, DONE, WITHDRAWN = "ready", "leased", "failed", "done", "withdrawn"
OPEN = (READY, LEASED, FAILED)

# What every step asks, built once; see the package.
_ADD = insert(jobs)
_GET = select(jobs).where(jobs.c.id == bindparam("job"))
_LOCK_FENCE = select(jobs.c.fence, jobs.c.state).where(jobs.c.id == bindparam("job")).with_for_update()
_CLOSE = update(jobs).where(
    jobs.c.instance_id == bindparam("of_instance"), jobs.c.token == bindparam("of_token"), jobs.c.state.in_(OPEN)
)


@dataclass(frozen=True, slots=True)
class JobRow:
    """One visit of one service task. `attempts` counts how often a connector was called; `run_at` is when it may be next."""

    id: int
    instance: int
    token: int
    flow_node: str
    topic: str
    parameters: Mapping[str, Any]
    state: str
    attempts: int
    run_at: datetime
    lease_until: datetime | None
    worker: str | None
    fence: int
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store a job that has just been created, ready to run, and give its number."""
    inserted = connection.execute(_ADD, {**values, "state": READY, "attempts": 0, "fence": 0})
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def get(connection: Connection, number: int) -> JobRow:
    """One job. Raises NotFound."""
    row = connection.execute(_GET, {"job": number}).first()
    if row is None:
        raise unknown(Kind.JOB, number)
    return JobRow(*row)


def lease_due(
    connection: Connection, worker: str, topics: tuple[str, ...], now: datetime, until: datetime, limit: int
) -> list[JobRow]:
    """Lease up to `limit` jobs of these topics that are due, or whose lease has ended, to `worker`; the longest due first."""
    due = or_(
        and_(jobs.c.state == READY, jobs.c.run_at <= now),
        and_(jobs.c.state == LEASED, jobs.c.lease_until <= now),
    )
    query = (
        select(jobs.c.id)
        .where(due, jobs.c.topic.in_(topics))
        .order_by(jobs.c.run_at, jobs.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    numbers = list(connection.execute(query).scalars())
    if not numbers:
        return []
    leased = {"state": LEASED, "worker": worker, "lease_until": until, "fence": jobs.c.fence + 1}
    connection.execute(update(jobs).where(jobs.c.id.in_(numbers)).values(attempts=jobs.c.attempts + 1, **leased))
    rows = connection.execute(select(jobs).where(jobs.c.id.in_(numbers)).order_by(jobs.c.run_at, jobs.c.id))
    return [JobRow(*row) for row in rows]


def check_fence(connection: Connection, number: int, fence: int) -> None:
    """Keep the job ours until this transaction ends. Raises LeaseLost when a newer lease exists or the job is over."""
    row = connection.execute(_LOCK_FENCE, {"job": number}).one()
    if row.fence != fence or row.state != LEASED:
        raise LeaseLost(
            f"Expected to hold the lease of {format_id(Kind.JOB, number)}, but it is {row.state} under a newer one. "
            "Do: nothing; whoever holds it now goes on with it."
        )


def postpone(connection: Connection, number: int, run_at: datetime, error: str) -> None:
    """Make a leased job ready again, not before `run_at`."""
    values = {"state": READY, "run_at": run_at, "lease_until": None, "worker": None, "last_error": error}
    connection.execute(update(jobs).where(jobs.c.id == number).values(**values))


def put_back(connection: Connection, number: int, run_at: datetime) -> None:
    """Make a job ready that needed a person, with all its attempts."""
    where = (jobs.c.id == number, jobs.c.state == FAILED)
    values = {"state": READY, "run_at": run_at, "last_error": None, "attempts": 0}
    connection.execute(update(jobs).where(*where).values(**values))


def note(connection: Connection, number: int, error: str) -> None:
    """Keep what a job ended in, where that was not what was hoped for."""
    connection.execute(update(jobs).where(jobs.c.id == number, jobs.c.last_error.is_(None)).values(last_error=error))


def fail(connection: Connection, number: int, error: str) -> None:
    """A job needs a person; no worker takes it."""
    values = {"state": FAILED, "lease_until": None, "worker": None, "last_error": error}
    connection.execute(update(jobs).where(jobs.c.id == number).values(**values))


def close(connection: Connection, instance: int, token: int, state: str, at: datetime) -> None:
    """A job is done or withdrawn."""
    values = {"state": state, "ended_at": at, "lease_until": None, "worker": None}
    connection.execute(_CLOSE, {"of_instance": instance, "of_token": token, **values})


def number_of(connection: Connection, instance: int, token: int) -> int:
    """The job that a token of an instance waits or waited at."""
    query = select(jobs.c.id).where(jobs.c.instance_id == instance, jobs.c.token == token)
    return int(connection.execute(query).scalar_one())


def withdraw_all(connection: Connection, instance: int, at: datetime) -> None:
    """Close every open job of a cancelled instance."""
    where = (jobs.c.instance_id == instance, jobs.c.state.in_(OPEN))
    values = {"state": WITHDRAWN, "ended_at": at, "lease_until": None, "worker": None}
    connection.execute(update(jobs).where(*where).values(**values))


def of_instance(connection: Connection, instance: int) -> list[JobRow]:
    """Every job that an instance has had, oldest first."""
    query = select(jobs).where(jobs.c.instance_id == instance).order_by(jobs.c.id)
    return [JobRow(*row) for row in connection.execute(query)]


def count_open(connection: Connection) -> int:
    """How many jobs wait or run: not those that need a person."""
    query = select(func.count()).select_from(jobs).where(jobs.c.state.in_((READY, LEASED)))
    return int(connection.execute(query).scalar_one())
