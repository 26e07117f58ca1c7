"""Messages that find who waits for them, and signals on their way: thrown by instances, or sent from outside. They never expire.

Lock order: a message before the instance that it goes to. Nobody who has locked an instance locks a message that is on its way:
those that are kept, or have failed, are on nobody's way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, literal, select, update
from sqlalchemy import types as sa_types
from sqlalchemy.exc import IntegrityError

from engine.model.identifiers import Kind, unknown
from engine.store.prepared import Prepared
from engine.store.sending import savepoint
from engine.store.subscriptions import SIGNAL
from engine.store.subscriptions import WAITING as AWAITED
from engine.store.tables import JsonText, UtcDateTime, sent_messages, subscriptions

WAITING, KEPT, DELIVERED, FAILED, SETTLED = "waiting", "kept", "delivered", "failed", "settled"
"""On its way; there is nobody yet; received; a person is needed; to be received by nobody any more."""

_IS_KEPT = sent_messages.c.state == bindparam("kept", KEPT, literal_execute=True)  # those that are kept have an index
_LOCK_DUE = Prepared(
    select(sent_messages)
    .where(sent_messages.c.state == WAITING, sent_messages.c.run_at <= bindparam("now"))
    .order_by(sent_messages.c.run_at, sent_messages.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, slots=True)
class SentMessageRow:
    """One message, or one signal to one receiver. `instance` and `flow_node` say who threw it, None for what came from outside;
    `subscription` who has received it; of a signal, who is to. `delivered_to` is the instance that received it, or was started.
    """

    id: int
    kind: str
    name: str
    key: str | None
    data: Mapping[str, Any]
    instance: int | None
    flow_node: str | None
    sent_by: str
    outside_id: str | None
    subscription: int | None
    state: str
    attempts: int
    run_at: datetime
    last_error: str | None
    sent_at: datetime
    delivered_at: datetime | None
    delivered_to: int | None


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store a message that was thrown or sent just now, on its way, and give its number."""
    given = {"state": WAITING, "attempts": 0, **values}
    key = connection.execute(insert(sent_messages).values(**given)).inserted_primary_key
    assert key is not None
    return int(key[0])


def add_once(connection: Connection, values: Mapping[str, Any]) -> int | None:
    """The same for one with an `outside_id`; None where there is one with that id. The UNIQUE key decides between two at once."""
    try:
        with savepoint(connection):
            return add(connection, values)
    except IntegrityError:
        return None


def spread(connection: Connection, name: str, sent_by: str, thrower: int | None, flow_node: str | None, now: datetime) -> int:
    """Put a signal on its way to everybody who waits for it now, but for its thrower, who has it already. To how many."""
    chosen = select(
        literal(SIGNAL), subscriptions.c.name, literal({}, JsonText()), literal(thrower, sa_types.Integer()),
        literal(flow_node, sa_types.String()), literal(sent_by), subscriptions.c.id, literal(WAITING), literal(0),
        literal(now, UtcDateTime()), literal(now, UtcDateTime()),
    ).where(
        subscriptions.c.state == bindparam("awaited", AWAITED, literal_execute=True),
        subscriptions.c.kind == SIGNAL,
        subscriptions.c.name == name,
    )  # fmt: skip
    if thrower is not None:
        chosen = chosen.where(subscriptions.c.instance_id != thrower)
    columns = (
        "kind", "name", "data", "instance_id", "flow_node", "sent_by", "subscription_id", "state", "attempts", "run_at", "sent_at"
    )  # fmt: skip
    spreading = insert(sent_messages).from_select(columns, chosen.order_by(subscriptions.c.id))
    return connection.execute(spreading.execution_options(preserve_rowcount=True)).rowcount


def lock_due(connection: Connection, now: datetime) -> SentMessageRow | None:
    """What is on its way longest, kept from other workers until this transaction ends."""
    row = _LOCK_DUE.first(connection, {"now": now})
    return SentMessageRow(*row) if row else None


def lock(connection: Connection, number: int) -> SentMessageRow:
    """One message, kept from changing until this transaction ends. Raises NotFound."""
    return _one(connection, select(sent_messages).where(sent_messages.c.id == number).with_for_update(), number)


def get(connection: Connection, number: int) -> SentMessageRow:
    """One message. Raises NotFound."""
    return _one(connection, select(sent_messages).where(sent_messages.c.id == number), number)


def _one(connection: Connection, query: Select[Any], number: int) -> SentMessageRow:
    row = connection.execute(query).first()
    if row is None:
        raise unknown(Kind.SENT_MESSAGE, number)
    return SentMessageRow(*row)


def of_outside_id(connection: Connection, outside_id: str) -> SentMessageRow | None:
    """What was sent with this id from outside."""
    row = connection.execute(select(sent_messages).where(sent_messages.c.outside_id == outside_id)).first()
    return SentMessageRow(*row) if row else None


# --- what becomes of one, locked by the caller ----------------------------------------------------------------------


def deliver(connection: Connection, number: int, instance: int, subscription: int | None, at: datetime) -> None:
    """An instance has received it, or was started by it."""
    values = {"delivered_to": instance, "subscription_id": subscription, "delivered_at": at, "last_error": None}
    _become(connection, number, DELIVERED, **values)


def keep(connection: Connection, number: int) -> None:
    """Nobody waits for it yet."""
    _become(connection, number, KEPT)


def fail(connection: Connection, number: int, error: str) -> None:
    """It can't be received as it is; a person is needed."""
    _become(connection, number, FAILED, last_error=error)


def settle(connection: Connection, number: int, why: str) -> None:
    """Nobody is to receive it any more."""
    _become(connection, number, SETTLED, last_error=why)


def postpone(connection: Connection, number: int, run_at: datetime) -> None:
    """It is to be received later, or again."""
    _become(connection, number, WAITING, run_at=run_at)


def _become(connection: Connection, number: int, state: str, **values: Any) -> None:
    changed = {"state": state, "attempts": sent_messages.c.attempts + 1, **values}
    connection.execute(update(sent_messages).where(sent_messages.c.id == number).values(**changed))


# --- meeting who waits ----------------------------------------------------------------------------------------------


def meet(connection: Connection, meetings: Iterable[tuple[str, str | None]]) -> None:
    """Let nobody else decide about messages of these names and keys until this transaction ends, a None for starts by that name.

    Who finds nobody waiting and keeps a message, and who begins to wait and finds none kept, would else miss each other. SQLite
    lets one write at a time anyway.
    """
    if connection.dialect.name != "postgresql":
        return
    for number in sorted({_number(name, key) for name, key in meetings}):  # in one order: nobody waits for each other
        connection.execute(select(func.pg_advisory_xact_lock(number)))


def _number(name: str, key: str | None) -> int:
    told = f"message {len(name)} {name} {'-' if key is None else '+' + key}"
    return int.from_bytes(hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()[:8], "big", signed=True)


def wake(connection: Connection, name: str, key: str, now: datetime) -> None:
    """Somebody waits for a message of this name and key: the one that is kept longest is on its way again."""
    of_key = (sent_messages.c.name == name, sent_messages.c.key == key)
    first = select(sent_messages.c.id).where(_IS_KEPT, *of_key).order_by(sent_messages.c.id).limit(1).scalar_subquery()
    connection.execute(update(sent_messages).where(sent_messages.c.id == first).values(state=WAITING, run_at=now))


def wake_all(connection: Connection, name: str, now: datetime) -> None:
    """Messages of this name start instances from now on: all that are kept are on their way again."""
    connection.execute(update(sent_messages).where(_IS_KEPT, sent_messages.c.name == name).values(state=WAITING, run_at=now))


def settle_failed(connection: Connection, subscription: int, why: str) -> Sequence[int]:
    """Signals that this subscription, closed now, could not receive; their numbers."""
    query = select(sent_messages.c.id).where(sent_messages.c.subscription_id == subscription, sent_messages.c.state == FAILED)
    failed = list(connection.execute(query.with_for_update(skip_locked=True)).scalars())
    if failed:
        connection.execute(update(sent_messages).where(sent_messages.c.id.in_(failed)).values(state=SETTLED, last_error=why))
    return failed


# --- questions ------------------------------------------------------------------------------------------------------


def count_waiting(connection: Connection) -> int:
    """How many are on their way."""
    query = select(func.count()).select_from(sent_messages).where(sent_messages.c.state == WAITING)
    return int(connection.execute(query).scalar_one())


def of_instance(connection: Connection, instance: int) -> list[SentMessageRow]:
    """What an instance has thrown, but for the hand-over."""
    query = select(sent_messages).where(sent_messages.c.instance_id == instance).order_by(sent_messages.c.id)
    return [SentMessageRow(*row) for row in connection.execute(query)]


def listing(connection: Connection, filters: Mapping[str, Any], after: int, limit: int) -> list[SentMessageRow]:
    """A page of what nobody has received yet by number, behind `after`. `filters`: kind, name, key."""
    query: Select[Any] = select(sent_messages).where(
        sent_messages.c.state.in_((WAITING, KEPT, FAILED)), sent_messages.c.id > after
    )
    for column, value in filters.items():
        query = query.where(sent_messages.c[column] == value)
    return [SentMessageRow(*row) for row in connection.execute(query.order_by(sent_messages.c.id).limit(limit))]
