"""User tasks: work that waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, insert, select, tuple_, update

from engine.model.identifiers import Kind, unknown
from engine.store import history
from engine.store.history import Head
from engine.store.instances import InstanceRow
from engine.store.prepared import Prepared
from engine.store.tables import instances, user_tasks

OFFERED, CLAIMED, COMPLETED, WITHDRAWN = "offered", "claimed", "completed", "withdrawn"
OPEN = (OFFERED, CLAIMED)

# What every step asks, built once; see the package.
_ADD = Prepared(insert(user_tasks))
_ONE = (
    select(user_tasks, instances)
    .select_from(instances.join(user_tasks, user_tasks.c.instance_id == instances.c.id))
    .where(user_tasks.c.id == bindparam("task"))
)
_WITH_INSTANCE, _LOCK = Prepared(_ONE), Prepared(_ONE.with_for_update(of=[instances, user_tasks], key_share=True))
_CLAIM = Prepared(
    update(user_tasks).where(user_tasks.c.id == bindparam("task"), user_tasks.c.state == OFFERED).returning(*history.HEAD)
)
_CLOSE = Prepared(
    update(user_tasks).where(
        user_tasks.c.instance_id == bindparam("of_instance"),
        user_tasks.c.token == bindparam("of_token"),
        user_tasks.c.state.in_(OPEN),
    )
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
    customer: str | None
    period: str | None


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store a task that has just been opened, offered to its group, and give its number."""
    return _ADD.insert(connection, {**values, "state": OFFERED})


def with_instance(connection: Connection, number: int, *, lock: bool = False) -> tuple[UserTaskRow, InstanceRow]:
    """One task and its instance; with `lock` both kept from changing until this transaction ends. Raises NotFound."""
    row = (_LOCK if lock else _WITH_INSTANCE).first(connection, {"task": number})
    if row is None:
        raise unknown(Kind.TASK, number)
    columns = len(user_tasks.c)
    return UserTaskRow(*row[:columns]), InstanceRow(*row[columns:])


def claim(connection: Connection, task: UserTaskRow, user: str) -> Head | None:
    """Make an offered task this user's; where its instance's history stands. One statement decides between two claimers: None
    for the one who came late.
    """
    values = {"state": CLAIMED, "claimed_by": user}
    claimed = _CLAIM.first(connection, {"task": task.id, "of_history": task.instance, **values})
    return None if claimed is None else history.head_in(claimed)


def release(connection: Connection, number: int, user: str) -> bool:
    """Offer a task that this user had claimed again. False when it isn't theirs."""
    where = (user_tasks.c.id == number, user_tasks.c.state == CLAIMED, user_tasks.c.claimed_by == user)
    values = {"state": OFFERED, "claimed_by": None}
    return connection.execute(update(user_tasks).where(*where).values(**values)).rowcount == 1


def close(connection: Connection, instance: int, token: int, state: str, at: datetime) -> None:
    """A task is completed or withdrawn."""
    values = {"state": state, "completed_at": at}
    _CLOSE.post(connection, {"of_instance": instance, "of_token": token, **values})


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
    query = _chosen(states, filters).where(user_tasks.c.id > after).order_by(user_tasks.c.id).limit(limit)
    return [UserTaskRow(*row) for row in connection.execute(query)]


def due(
    connection: Connection, before: datetime, filters: Mapping[str, Any], after: int = 0, limit: int | None = None
) -> list[UserTaskRow]:
    """A page of the open tasks that are due before a moment, those first that are due first; those behind the task `after`.

    `filters` as for `listing`; `limit` None: all of them.
    """
    query = _chosen(OPEN, filters).where(user_tasks.c.due_at < before)
    if after:
        last = select(user_tasks.c.due_at).where(user_tasks.c.id == after).scalar_subquery()
        query = query.where(tuple_(user_tasks.c.due_at, user_tasks.c.id) > tuple_(last, after))
    return [UserTaskRow(*row) for row in connection.execute(query.order_by(user_tasks.c.due_at, user_tasks.c.id).limit(limit))]


def _chosen(states: tuple[str, ...], filters: Mapping[str, Any]) -> Select[Any]:
    written: BindParameter[Any] = bindparam(
        "states", states, expanding=True, literal_execute=True
    )  # not bound: open tasks have their own indexes
    query: Select[Any] = select(user_tasks).where(user_tasks.c.state.in_(written))
    for column, value in filters.items():
        query = query.where(user_tasks.c[column] == value)
    return query
