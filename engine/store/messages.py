"""Thrown messages, kept until they are delivered; they never expire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from engine.model.identifiers import Kind, unknown
from engine.store import history
from engine.store.history import Head
from engine.store.prepared import Prepared
from engine.store.tables import messages

WAITING, DELIVERED, FAILED, SETTLED = "waiting", "delivered", "failed", "settled"

# What every step asks, built once; see the package.
_GET = Prepared(select(messages).where(messages.c.id == bindparam("message")))
_THROWN = select(func.count()).select_from(messages).where(messages.c.instance_id == bindparam("of_instance"))
_COUNT = Prepared(_THROWN)
_ADD = Prepared(insert(messages).values(number=_THROWN.scalar_subquery() + 1))
_LOCK_DUE = Prepared(
    select(messages)
    .where(messages.c.state == WAITING, messages.c.run_at <= bindparam("now"))
    .order_by(messages.c.run_at, messages.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_LOCK = Prepared(select(messages).where(messages.c.id == bindparam("message")).with_for_update())
_TRIED = Prepared(
    update(messages)
    .where(messages.c.id == bindparam("message"))
    .values(attempts=messages.c.attempts + 1)
    .returning(messages.c.id, *history.HEAD)
)


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
    """Store a message that has just been thrown, as its instance's next one, and give its id's number."""
    return _ADD.insert(connection, {**values, "of_instance": values["instance_id"], "state": WAITING, "attempts": 0})


def get(connection: Connection, number: int) -> MessageRow:
    """One message. Raises NotFound."""
    row = _GET.first(connection, {"message": number})
    if row is None:
        raise unknown(Kind.MESSAGE, number)
    return MessageRow(*row)


def lock_due(connection: Connection, now: datetime) -> MessageRow | None:
    """The longest waiting message, kept from other workers until this transaction ends."""
    row = _LOCK_DUE.first(connection, {"now": now})
    return MessageRow(*row) if row else None


def mark_delivered(connection: Connection, message: MessageRow, instance: int, at: datetime) -> tuple[MessageRow, Head]:
    """The message (locked by the caller) started this instance. The message then, and where its thrower's history stands."""
    return _tried(connection, message, {"state": DELIVERED, "delivered_at": at, "delivered_to": instance})


def mark_failed(connection: Connection, message: MessageRow, error: str) -> tuple[MessageRow, Head]:
    """The message (locked by the caller) could not be delivered; a person is needed. Gives the same."""
    return _tried(connection, message, {"state": FAILED, "last_error": error})


def mark_settled(connection: Connection, message: MessageRow, why: str) -> tuple[MessageRow, Head]:
    """The message (locked by the caller) is to start nothing. Gives the same."""
    return _tried(connection, message, {"state": SETTLED, "last_error": why})


def _tried(connection: Connection, message: MessageRow, values: Mapping[str, Any]) -> tuple[MessageRow, Head]:
    row = _TRIED.first(connection, {"message": message.id, "of_history": message.instance, **values})
    return replace(message, attempts=message.attempts + 1, **values), history.head_in(row)


def lock(connection: Connection, number: int) -> MessageRow:
    """One message, kept from changing until this transaction ends. Its instance is locked after it, never before. Raises
    NotFound.
    """
    row = _LOCK.first(connection, {"message": number})
    if row is None:
        raise unknown(Kind.MESSAGE, number)
    return MessageRow(*row)


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
    return int(_COUNT.scalar(connection, {"of_instance": instance}))


def of_instance(connection: Connection, instance: int) -> list[MessageRow]:
    """What an instance has thrown."""
    query = select(messages).where(messages.c.instance_id == instance).order_by(messages.c.id)
    return [MessageRow(*row) for row in connection.execute(query)]


def count_waiting(connection: Connection) -> int:
    """How many messages wait for their delivery."""
    return int(connection.execute(select(func.count()).select_from(messages).where(messages.c.state == WAITING)).scalar_one())
