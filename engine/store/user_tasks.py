"""User tasks: work that waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, update

from engine.model.identifiers import Kind, unknown
from engine.store.tables import instances, user_tasks

OFFERED, CLAIMED, COMPLETED, WITHDRAWN = "offered", "claimed", "completed", "withdrawn"
OPEN = (OFFERED, CLAIMED)

# What every step asks, built once; see the package.
_ADD = insert(user_tasks)
_GET = select(user_tasks).where(user_tasks.c.id == bindparam("task"))
_CLAIM = update(user_tasks).where(user_tasks.c.id == bindparam("task"), user_tasks.c.state == OFFERED)
_CLOSE = update(user_tasks).where(
    user_tasks.c.instance_id == bindparam("of_instance"),
    user_tasks.c.token == bindparam("of_token"),
    user_tasks.c.state.in_(OPEN),
)


@dataclass(frozen=True, slots=True)
class UserTaskRow:
    """One visit of one user task. `group` is who it is offered to, None for everyone."""

    id: int
    instance: int
    token: int
    process: str
    flow_node: str
    name: str | None
    group: str | None
    state: str
    claimed_by: str | None
    created_at: datetime
    due_at: datetime | None
    completed_at: datetime | None


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store a task that has just been opened, offered to its group, and give its number."""
    inserted = connection.execute(_ADD, {**values, "state": OFFERED})
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def get(connection: Connection, number: int) -> UserTaskRow:
    """One task. Raises NotFound."""
    row = connection.execute(_GET, {"task": number}).first()
    if row is None:
        raise unknown(Kind.TASK, number)
    return UserTaskRow(*row)


def claim(connection: Connection, number: int, user: str) -> bool:
    """Make an offered task this user's. One statement decides between two claimers: False for the one who came late."""
    return connection.execute(_CLAIM, {"task": number, "state": CLAIMED, "claimed_by": user}).rowcount == 1


def release(connection: Connection, number: int, user: str) -> bool:
    """Offer a task that this user had claimed again. False when it isn't theirs."""
    where = (user_tasks.c.id == number, user_tasks.c.state == CLAIMED, user_tasks.c.claimed_by == user)
    values = {"state": OFFERED, "claimed_by": None}
    return connection.execute(update(user_tasks).where(*where).values(**values)).rowcount == 1


def close(connection: Connection, instance: int, token: int, state: str, at: datetime) -> None:
    """A task is completed or withdrawn."""
    values = {"state": state, "completed_at": at}
    connection.execute(_CLOSE, {"of_instance": instance, "of_token": token, **values})


def withdraw_all(connection: Connection, instance: int, at: datetime) -> None:
    """Close every open task of a cancelled instance."""
    where = (user_tasks.c.instance_id == instance, user_tasks.c.state.in_(OPEN))
    connection.execute(update(user_tasks).where(*where).values(state=WITHDRAWN, completed_at=at))


def of_instance(connection: Connection, instance: int) -> list[UserTaskRow]:
    """Every task that an instance has had, oldest first."""
    query = select(user_tasks).where(user_tasks.c.instance_id == instance).order_by(user_tasks.c.id)
    return [UserTaskRow(*row) for row in connection.execute(query)]


def listing(
    connection: Connection, states: tuple[str, ...], filters: Mapping[str, Any], after: int, limit: int
) -> list[UserTaskRow]:
    """A page of tasks by number, those behind `after`. `filters`: process, group_name, claimed_by, customer, period."""
    query: Select[Any] = select(user_tasks).where(user_tasks.c.id > after, user_tasks.c.state.in_(states))
    if {"customer", "period"} & filters.keys():
        query = query.join(instances, instances.c.id == user_tasks.c.instance_id)
    for column, value in filters.items():
        table = instances if column in ("customer", "period") else user_tasks
        query = query.where(table.c[column] == value)
    return [UserTaskRow(*row) for row in connection.execute(query.order_by(user_tasks.c.id).limit(limit))]
