"""Jobs: service tasks that wait for a worker and its connector.

A job is leased, never taken away: when its lease ends, another worker may have it. Each lease carries a higher fencing
token (`fence`), and nothing is saved for a job but with the newest one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, bindparam, func, insert, select, update

from engine.errors import LeaseLost
from engine.model.identifiers import Kind, format_id, unknown
from engine.store import instances
from engine.store.instances import InstanceRow
from engine.store.prepared import Prepared
from engine.store.tables import instances as instances_table
from engine.store.tables import jobs

Held: TypeAlias = tuple[int, str]
"""How a job is held: its newest lease's fencing token, and its state."""

READY, LEASED, FAILED, DONE, WITHDRAWN = "ready", "leased", "failed", "done", "withdrawn"
OPEN = (READY, LEASED, FAILED)

# What every step asks, built once; see the package.
_ADD = Prepared(insert(jobs))
_GET = Prepared(select(jobs).where(jobs.c.id == bindparam("job")))
_LOCK_HELD = Prepared(select(jobs.c.fence, jobs.c.state).where(jobs.c.id == bindparam("job")).with_for_update(key_share=True))
_LOCK_WITH_INSTANCE = Prepared(
    select(instances_table, jobs.c.fence, jobs.c.state)
    .select_from(instances_table.join(jobs, jobs.c.instance_id == instances_table.c.id))
    .where(jobs.c.id == bindparam("job"))
    .with_for_update(of=[instances_table, jobs], key_share=True)
)
_LOST = (
    select(jobs.c.id)
    .where(jobs.c.state == LEASED, jobs.c.lease_until <= bindparam("now"), jobs.c.topic.in_(bindparam("topics", expanding=True)))
    .order_by(jobs.c.run_at, jobs.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_DUE = (
    select(jobs.c.id)
    .where(jobs.c.state == READY, jobs.c.run_at <= bindparam("now"), jobs.c.topic.in_(bindparam("topics", expanding=True)))
    .order_by(jobs.c.run_at, jobs.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_LEASE = (
    update(jobs)
    .where(jobs.c.id.in_(bindparam("numbers", expanding=True)))
    .values(
        state=bindparam("state"),
        worker=bindparam("worker"),
        lease_until=bindparam("lease_until"),
        fence=jobs.c.fence + 1,
        attempts=jobs.c.attempts + 1,
        losses=jobs.c.losses + bindparam("lost"),
    )
    .returning(*jobs.c)
)
_LEASED = (
    select(jobs.c.id, jobs.c.fence)
    .where(jobs.c.id.in_(bindparam("numbers", expanding=True)), jobs.c.state == LEASED)
    .with_for_update(skip_locked=True)
)
_GIVE_BACK = Prepared(
    update(jobs)
    .where(jobs.c.id == bindparam("job"), jobs.c.fence == bindparam("held"), jobs.c.state == LEASED)
    .values(state=READY, worker=None, lease_until=None, attempts=jobs.c.attempts - 1)
)
_CLOSE = Prepared(
    update(jobs).where(
        jobs.c.instance_id == bindparam("of_instance"), jobs.c.token == bindparam("of_token"), jobs.c.state.in_(OPEN)
    )
)


@dataclass(frozen=True, slots=True)
class JobRow:
    """One visit of one service task. `run_at` is when it may run next. With a fresh lease comes the instance, as it was then.

    `attempts` counts how often it was leased, ever. What speaks against another try is counted apart, and anew after a person
    has put it back: `failures` that were harmless, `look_ups` that found nothing out, `losses` of the worker that had it.
    """

    id: int
    instance: int
    token: int
    flow_node: str
    topic: str
    parameters: Mapping[str, Any]
    state: str
    attempts: int
    failures: int
    look_ups: int
    losses: int
    run_at: datetime
    lease_until: datetime | None
    worker: str | None
    fence: int
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None
    instance_row: InstanceRow | None = field(default=None, compare=False, repr=False)


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store a job that has just been created, ready to run, and give its number."""
    return _ADD.insert(connection, {**values, "state": READY, "attempts": 0, "fence": 0})


def get(connection: Connection, number: int) -> JobRow:
    """One job. Raises NotFound."""
    row = _GET.first(connection, {"job": number})
    if row is None:
        raise unknown(Kind.JOB, number)
    return JobRow(*row)


def lease_due(
    connection: Connection, worker: str, topics: tuple[str, ...], now: datetime, until: datetime, limit: int
) -> list[JobRow]:
    """Lease up to `limit` jobs of these topics to `worker`: those whose lease has ended, then those due, the longest first."""
    asked = {"topics": topics, "now": now}
    lost = list(connection.execute(_LOST, {**asked, "most": limit}).scalars())
    due = list(connection.execute(_DUE, {**asked, "most": limit - len(lost)}).scalars()) if len(lost) < limit else []
    leased = _lease(connection, lost, worker, until, lost=1) + _lease(connection, due, worker, until, lost=0)
    return sorted(leased, key=lambda job: (job.run_at, job.id))


def lease_one(connection: Connection, number: int, worker: str, now: datetime, until: datetime) -> JobRow | None:
    """Lease this job, if it is due and nobody has it."""
    where = (jobs.c.id == number, jobs.c.state == READY, jobs.c.run_at <= now)
    found = list(connection.execute(select(jobs.c.id).where(*where).with_for_update(skip_locked=True)).scalars())
    return next(iter(_lease(connection, found, worker, until, lost=0)), None)


def _lease(connection: Connection, numbers: list[int], worker: str, until: datetime, lost: int) -> list[JobRow]:
    if not numbers:
        return []
    values = {"numbers": numbers, "lost": lost, "worker": worker, "lease_until": until, "state": LEASED}
    leased = [JobRow(*row) for row in connection.execute(_LEASE, values)]
    of = instances.get_many(connection, (job.instance for job in leased))
    return [replace(job, instance_row=of[job.instance]) for job in leased]


def renew(connection: Connection, held: Mapping[int, int], until: datetime) -> None:
    """Prolong the leases of job -> fencing token that are still held. One that another worker has is left alone, and so is one
    that somebody is changing at this moment: whoever renews waits for nobody.
    """
    if held:
        rows = connection.execute(_LEASED, {"numbers": list(held)})
        ours = [row.id for row in rows if row.fence == held[row.id]]
        connection.execute(update(jobs).where(jobs.c.id.in_(ours)).values(lease_until=until))


def give_back(connection: Connection, number: int, fence: int) -> None:
    """Make a leased job that was not begun ready again at once; the lease counts as no attempt."""
    _GIVE_BACK.change(connection, {"job": number, "held": fence})


def lock_held(connection: Connection, number: int) -> Callable[[], Held]:
    """Keep a job from being leased or changed until this transaction ends. What gives how it is held then may be called later."""
    rows = _LOCK_HELD.ask(connection, {"job": number})
    return lambda: tuple(next(iter(rows()), (0, "gone")))


def lock_with_instance(connection: Connection, number: int) -> tuple[InstanceRow, Held]:
    """The same with the job's instance, ended or not, which is locked first. Raises NotFound."""
    row = _LOCK_WITH_INSTANCE.first(connection, {"job": number})
    if row is None:
        raise unknown(Kind.JOB, number)
    return InstanceRow(*row[:-2]), (row[-2], row[-1])


def check_fence(held: Held, number: int, fence: int) -> None:
    """Raises LeaseLost when a newer lease than `fence` exists or the job is over; `held` was read since it was locked."""
    newest, state = held
    if newest != fence or state != LEASED:
        raise LeaseLost(
            f"Expected to hold the lease of {format_id(Kind.JOB, number)}, but it is {state} under a newer one. "
            "Do: nothing; whoever holds it now goes on with it."
        )


def postpone(connection: Connection, number: int, run_at: datetime, error: str, *, failures: int, look_ups: int) -> None:
    """Make a leased job ready again, not before `run_at`; it has failed and was looked up so often by now."""
    counted = {"failures": failures, "look_ups": look_ups}
    values = {"state": READY, "run_at": run_at, "lease_until": None, "worker": None, "last_error": error}
    connection.execute(update(jobs).where(jobs.c.id == number).values(**values, **counted))


def put_back(connection: Connection, number: int, run_at: datetime) -> None:
    """Make a job ready that needed a person; what is counted against it begins anew."""
    where = (jobs.c.id == number, jobs.c.state == FAILED)
    values = {"state": READY, "run_at": run_at, "last_error": None, "failures": 0, "look_ups": 0, "losses": 0}
    connection.execute(update(jobs).where(*where).values(**values))


def hurry(connection: Connection, number: int, run_at: datetime) -> bool:
    """Make a job run at `run_at` that waits for a later attempt. What is counted against it stays. False when it doesn't wait."""
    where = (jobs.c.id == number, jobs.c.state == READY)
    return connection.execute(update(jobs).where(*where).values(run_at=run_at, last_error=None)).rowcount == 1


def note(connection: Connection, number: int, error: str) -> None:
    """Keep what a job ended in, where that was not what was hoped for."""
    connection.execute(update(jobs).where(jobs.c.id == number).values(last_error=error))


def fail(connection: Connection, number: int, error: str) -> None:
    """A job needs a person; no worker takes it."""
    values = {"state": FAILED, "lease_until": None, "worker": None, "last_error": error}
    connection.execute(update(jobs).where(jobs.c.id == number).values(**values))


def close(connection: Connection, instance: int, token: int, state: str, at: datetime) -> None:
    """A job is done or withdrawn; what had kept it from that before is in the history."""
    values = {"state": state, "ended_at": at, "lease_until": None, "worker": None, "last_error": None}
    _CLOSE.post(connection, {"of_instance": instance, "of_token": token, **values})


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


def count_due(connection: Connection, now: datetime) -> dict[str, int]:
    """Topic -> how many jobs could be leased now."""
    query = select(jobs.c.topic, func.count().label("due")).where(jobs.c.state == READY, jobs.c.run_at <= now)
    query = query.group_by(jobs.c.topic)
    return {row.topic: row.due for row in connection.execute(query)}


def count_open(connection: Connection) -> int:
    """How many jobs wait or run: not those that need a person."""
    query = select(func.count()).select_from(jobs).where(jobs.c.state.in_((READY, LEASED)))
    return int(connection.execute(query).scalar_one())
