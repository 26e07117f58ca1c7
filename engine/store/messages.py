"""Thrown messages, kept until they are delivered; they never expire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from engine.model.identifiers import Kind, unknown
from engine.store.tables import messages

WAITING, DELIVERED, FAILED, SETTLED = "waiting", "delivered", "failed", "settled"

# What every step asks, built once; see the package.
_ADD = insert(messages)
_GET = select(messages).where(messages.c.id == bindparam("message"))
_COUNT = select(func.count()).select_from(messages).where(messages.c.instance_id == bindparam("instance"))
_LOCK_DUE = (
    select(messages)
    .where(messages.c.state == WAITING, messages.c.run_at <= bindparam("now"))
    .order_by(messages.c.run_at, messages.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_TRIED = update(messages).where(messages.c.id == bindparam("message")).values(attempts=messages.c.attempts + 1)


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One thrown message: the next instance's data, as the carry-over map made it when the message was thrown."""

    id: int
    instance: int
    number: int
    name: str
    flow_node: str
    data: Mapping[str, Any]
    previous_values: Mapping[str, Any]
    state: str
    attempts: int
    run_at: datetime
    last_error: str | None
    thrown_at: datetime
    delivered_at: datetime | None
    delivered_to: int | None


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store a message that has just been thrown, and give its number."""
    inserted = connection.execute(_ADD, {**values, "state": WAITING, "attempts": 0})
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def get(connection: Connection, number: int) -> MessageRow:
    """One message. Raises NotFound."""
    row = connection.execute(_GET, {"message": number}).first()
    if row is None:
        raise unknown(Kind.MESSAGE, number)
    return MessageRow(*row)


def lock_due(connection: Connection, now: datetime) -> MessageRow | None:
    """The longest waiting message, kept from other workers until this transaction ends."""
    row = connection.execute(_LOCK_DUE, {"now": now}).first()
    return MessageRow(*row) if row else None


def mark_delivered(connection: Connection, number: int, instance: int, at: datetime) -> None:
    """The message started this instance."""
    values = {"state": DELIVERED, "delivered_at": at, "delivered_to": instance}
    connection.execute(_TRIED, {"message": number, **values})


def mark_failed(connection: Connection, number: int, error: str) -> None:
    """The message could not be delivered; a person is needed."""
    connection.execute(_TRIED, {"message": number, "state": FAILED, "last_error": error})


def lock(connection: Connection, number: int) -> None:
    """Keep a message from changing until this transaction ends. Its instance is locked after it, never before."""
    connection.execute(select(messages.c.id).where(messages.c.id == number).with_for_update())


def put_back(connection: Connection, number: int, run_at: datetime) -> None:
    """Have a message delivered again that could not be."""
    where = (messages.c.id == number, messages.c.state == FAILED)
    connection.execute(update(messages).where(*where).values(state=WAITING, run_at=run_at))


def settle(connection: Connection, number: int) -> None:
    """A person has dealt with a message that could not be delivered."""
    where = (messages.c.id == number, messages.c.state == FAILED)
    connection.execute(update(messages).where(*where).values(state=SETTLED))


def count_thrown(connection: Connection, instance: int) -> int:
    """How many messages an instance has thrown."""
    return int(connection.execute(_COUNT, {"instance": instance}).scalar_one())


def of_instance(connection: Connection, instance: int) -> list[MessageRow]:
    """What an instance has thrown."""
    query = select(messages).where(messages.c.instance_id == instance).order_by(messages.c.id)
    return [MessageRow(*row) for row in connection.execute(query)]


def count_waiting(connection: Connection) -> int:
    """How many messages wait for their delivery."""
    return int(connection.execute(select(func.count()).select_from(messages).where(messages.c.state == WAITING)).scalar_one())
