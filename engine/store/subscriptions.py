"""Subscriptions: messages and signals that instances wait for.

A subscription belongs to its instance: whoever changes one locks the instance first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, update

from engine.errors import TaskNotOpen
from engine.model.identifiers import Kind, unknown
from engine.store.prepared import Prepared
from engine.store.tables import subscriptions

MESSAGE, SIGNAL = "message", "signal"
WAITING, RECEIVED, WITHDRAWN = "waiting", "received", "withdrawn"

_IS_WAITING = subscriptions.c.state == bindparam("waiting", WAITING, literal_execute=True)  # those that wait have an index
_ADD = Prepared(insert(subscriptions))
_CLOSE = (
    update(subscriptions)
    .where(
        subscriptions.c.instance_id == bindparam("of_instance"),
        subscriptions.c.token == bindparam("of_token"),
        subscriptions.c.state == WAITING,
    )
    .returning(subscriptions.c.id)
)


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """One visit of one event that waits. `kind` is `message` or `signal`; a signal has no key."""

    id: int
    instance: int
    token: int
    flow_node: str
    kind: str
    name: str
    key: str | None
    state: str
    created_at: datetime
    ended_at: datetime | None


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store a subscription that has just been opened, and give its number."""
    return _ADD.insert(connection, {**values, "state": WAITING})


def get(connection: Connection, number: int) -> SubscriptionRow:
    """One subscription, as it is now. Raises NotFound."""
    row = connection.execute(select(subscriptions).where(subscriptions.c.id == number)).first()
    if row is None:
        raise unknown(Kind.SUBSCRIPTION, number)
    return SubscriptionRow(*row)


def oldest(connection: Connection, name: str, key: str) -> SubscriptionRow | None:
    """Who waits longest for a message of this name and key. It isn't locked: it has to be read again with its instance locked."""
    of_key = (subscriptions.c.kind == MESSAGE, subscriptions.c.name == name, subscriptions.c.key == key)
    query = select(subscriptions).where(_IS_WAITING, *of_key).order_by(subscriptions.c.id).limit(1)
    row = connection.execute(query).first()
    return SubscriptionRow(*row) if row else None


def is_awaited(connection: Connection, kind: str, name: str) -> bool:
    """Whether anybody waits for a message or signal of this name, whatever the key."""
    query = select(subscriptions.c.id).where(_IS_WAITING, subscriptions.c.kind == kind, subscriptions.c.name == name).limit(1)
    return connection.execute(query).first() is not None


def close(connection: Connection, instance: int, token: int, state: str, at: datetime) -> int:
    """What was waited for was received, or is no longer waited for; its number. Raises TaskNotOpen when it had ended before."""
    closed = connection.execute(_CLOSE, {"of_instance": instance, "of_token": token, "state": state, "ended_at": at}).scalar()
    if closed is None:
        raise TaskNotOpen("Expected the message to be waited for, but the process has gone on. Do: nothing; it is received once.")
    return int(closed)


def withdraw_all(connection: Connection, instance: int, at: datetime) -> None:
    """Close every open subscription of an instance that has ended."""
    where = (subscriptions.c.instance_id == instance, subscriptions.c.state == WAITING)
    connection.execute(update(subscriptions).where(*where).values(state=WITHDRAWN, ended_at=at))


def of_instance(connection: Connection, instance: int) -> list[SubscriptionRow]:
    """Everything that an instance has waited for, oldest first."""
    query = select(subscriptions).where(subscriptions.c.instance_id == instance).order_by(subscriptions.c.id)
    return [SubscriptionRow(*row) for row in connection.execute(query)]


def listing(connection: Connection, filters: Mapping[str, Any], after: int, limit: int) -> list[SubscriptionRow]:
    """A page of what is waited for by number, behind `after`. `filters`: kind, name, key."""
    query: Select[Any] = select(subscriptions).where(_IS_WAITING, subscriptions.c.id > after)
    for column, value in filters.items():
        query = query.where(subscriptions.c[column] == value)
    return [SubscriptionRow(*row) for row in connection.execute(query.order_by(subscriptions.c.id).limit(limit))]
