"""Messages and signals that come from outside: each is sent once, and received once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from engine.connector import Value
from engine.definition.correlation import LONGEST_KEY, awaited_by, is_key, started_by
from engine.definition.process_definition import ProcessDefinition
from engine.errors import ChargeInDoubt, DataRefused, NotFound
from engine.model.text import did_you_mean, shown
from engine.services import message_starts, receiving
from engine.services.row_forms import sent_message_json
from engine.services.runtime import Runtime
from engine.store import sent_messages, subscriptions
from engine.store.sent_messages import SentMessageRow
from engine.store.subscriptions import MESSAGE, SIGNAL


@dataclass(frozen=True, slots=True)
class _Sent:
    """What somebody sends. `outside_id`: to be sent once, however often it is tried."""

    kind: str
    name: str
    key: str | None
    data: Mapping[str, Value]
    by: str
    outside_id: str | None


def send(
    runtime: Runtime, name: str, key: str | None, data: Mapping[str, Value], by: str, outside_id: str | None = None
) -> dict[str, Any]:
    """Send a message to the instance that waits for it with this key, or that it starts; the message as it is afterwards.

    Whoever waits receives it before this ends; where nobody does, it is kept until somebody will. With `outside_id` it is sent
    once. Raises NotFound for a message that no process knows, DataRefused, and what the receiving step raises: nothing is sent
    then.
    """
    sent = _Sent(MESSAGE, name, key, data, by, outside_id)
    _check(sent)
    while True:
        try:
            with runtime.database.transaction() as connection:
                message, fresh = _stored(connection, runtime, sent)
                if fresh:
                    message = receiving.hand_to(connection, runtime, message, receiving.receiver_of(connection, message), by)
                return sent_message_json(message)
        except receiving.Moved:
            continue
        except ChargeInDoubt:
            with runtime.database.transaction() as connection:  # a worker delivers it, as soon as that is known
                return sent_message_json(_stored(connection, runtime, sent)[0])


def signal(runtime: Runtime, name: str, by: str, outside_id: str | None = None) -> dict[str, Any]:
    """Send a signal to everybody who waits for it at this moment; what was sent, and in `receivers` to how many. Workers deliver
    it. With `outside_id` it is sent once; sent before, `receivers` is None.

    Raises NotFound for a signal that no process knows, DataRefused.
    """
    sent = _Sent(SIGNAL, name, None, {}, by, outside_id)
    _check(sent)
    with runtime.database.transaction() as connection:
        message, fresh = _stored(connection, runtime, sent, state=sent_messages.DELIVERED)
        reached = sent_messages.spread(connection, name, by, None, None, runtime.now()) if fresh else None
        return {**sent_message_json(message), "receivers": reached}


def _check(sent: _Sent) -> None:
    for what, text in (("key", sent.key), ("id", sent.outside_id)):
        if text is not None and not is_key(text):
            raise DataRefused(
                f"Expected a {what} of 1 to {LONGEST_KEY} printable characters without spaces around it, but {shown(text)} isn't "
                "one. Do: correct it."
            )


def _stored(
    connection: Connection, runtime: Runtime, sent: _Sent, state: str = sent_messages.WAITING
) -> tuple[SentMessageRow, bool]:
    """The message, and whether it is new: not one that was sent with the same id before."""
    _refuse_unknown(connection, runtime, sent)
    now = runtime.now()
    values = {
        "kind": sent.kind,
        "name": sent.name,
        "key": sent.key,
        "data": dict(sent.data),
        "sent_by": sent.by,
        "outside_id": sent.outside_id,
        "state": state,
        "run_at": now,
        "sent_at": now,
    }
    if sent.outside_id is None:
        return sent_messages.get(connection, sent_messages.add(connection, values)), True
    number = sent_messages.add_once(connection, values)
    if number is not None:
        return sent_messages.get(connection, number), True
    known = sent_messages.of_outside_id(connection, sent.outside_id)
    assert known is not None
    if (known.kind, known.name, known.key, dict(known.data)) != (sent.kind, sent.name, sent.key, dict(sent.data)):
        raise DataRefused(
            f"Expected the id {shown(sent.outside_id)} to stand for one {sent.kind}, but another was sent with it: "
            f"{known.name} with the key {shown(known.key)}. Do: use an id of its own for each."
        )
    return known, False


# --- names that are known -------------------------------------------------------------------------------------------


def _refuse_unknown(connection: Connection, runtime: Runtime, sent: _Sent) -> None:
    """A mistyped name would be kept for ever, and nobody would notice."""
    if sent.kind == MESSAGE and sent.key is None:
        starting = {name for _, each in message_starts.newest_definitions(connection, runtime) for name in _starting(each)}
        if sent.name not in starting:
            raise DataRefused(
                f"Expected a key that says which of those that wait for {shown(sent.name)} is meant, but there is none, and no "
                "process starts with this message. Do: --key KEY."
            )
        return
    if subscriptions.is_awaited(connection, sent.kind, sent.name):
        return
    newest = [definition for _, definition in message_starts.newest_definitions(connection, runtime)]
    known = {name for each in newest for name in _awaited(each, sent.kind)}
    if sent.kind == MESSAGE:
        known |= {name for each in newest for name in _starting(each)}
    if sent.name not in known:
        raise NotFound(
            f"Expected a {sent.kind} that a deployed process waits for, but {shown(sent.name)} is none. "
            f"{did_you_mean(sent.name, known)}"
        )


def _awaited(definition: ProcessDefinition, kind: str) -> Iterator[str]:
    events = (awaited_by(node) for node in definition.process.nodes.values())
    return (event.name for event in events if event is not None and event.kind == kind and event.name)


def _starting(definition: ProcessDefinition) -> Iterator[str]:
    events = (started_by(node) for node in definition.process.of_kind("startEvent"))
    return (event.name for event in events if event and event.name and event.name != definition.carry_over.message)
