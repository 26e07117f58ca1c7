"""Deliver messages and signals: each to one instance, exactly once, in one transaction with the step that it causes there.

A message goes to whoever waits for it longest with its key, else it starts an instance, else it is kept until somebody waits.
Nobody is missed: who keeps a message and who begins to wait for it meet in the database (`engine.store.sent_messages.meet`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

import structlog
from sqlalchemy import Connection

from engine.errors import ChargeInDoubt, EngineError
from engine.execution.advance import advance
from engine.execution.state import load_state
from engine.execution.transition import Receive
from engine.model.identifiers import Kind, format_id
from engine.services import message_starts
from engine.services.applying import apply_transition
from engine.services.raising import Trouble, raise_incident, unexpected
from engine.services.runtime import Runtime
from engine.services.starting import start_instance
from engine.store import incidents, instances, sent_messages, subscriptions
from engine.store.database import may_pass
from engine.store.sent_messages import SentMessageRow
from engine.store.subscriptions import SubscriptionRow

log = structlog.get_logger("run_process.worker")

_DOUBT_PAUSE = timedelta(minutes=1)
"""How long a message waits that would leave a charge behind whose outcome isn't known."""

_Find: TypeAlias = Callable[[Connection], SentMessageRow | None]


class Moved(Exception):
    """Whoever was to receive the message has gone on, or somebody has begun to wait: to be looked for anew."""


def deliver_next(runtime: Runtime, by: str) -> SentMessageRow | None:
    """Deliver what is on its way longest; the message as it is afterwards, None when nothing is due."""
    return _delivered(runtime, lambda connection: sent_messages.lock_due(connection, runtime.now()), by)


def deliver(runtime: Runtime, number: int, by: str) -> SentMessageRow:
    """Deliver this message, if it is on its way; the message as it is afterwards. Raises NotFound."""
    message = _delivered(runtime, lambda connection: sent_messages.lock(connection, number), by)
    assert message is not None
    return message


def _delivered(runtime: Runtime, find: _Find, by: str) -> SentMessageRow | None:
    """Deliver the message that `find` locks. What fails is taken back as a whole; what comes of it is stored on its own."""
    while True:
        message, receiver = None, None
        try:
            with runtime.database.transaction() as connection:
                message = find(connection)
                if message is None or message.state != sent_messages.WAITING:
                    return message
                receiver = receiver_of(connection, message)
                return hand_to(connection, runtime, message, receiver, by)
        except Moved:
            continue
        except Exception as error:
            if message is None or may_pass(error):
                raise
            return _not_delivered(runtime, message, receiver, error, by)


def receiver_of(connection: Connection, message: SentMessageRow) -> SubscriptionRow | None:
    """Who is to receive a message: of a signal, whoever waited when it was thrown."""
    if message.subscription is not None:
        return subscriptions.get(connection, message.subscription)
    return subscriptions.oldest(connection, message.name, message.key) if message.key is not None else None


def hand_to(
    connection: Connection, runtime: Runtime, message: SentMessageRow, receiver: SubscriptionRow | None, by: str
) -> SentMessageRow:
    """Deliver a message (locked by the caller) in the caller's transaction; the message as it is afterwards.

    Raises Moved where that has to be done anew, and what the receiving step raises.
    """
    if receiver is not None:
        _receive(connection, runtime, message, receiver, by)
    elif (found := message_starts.started_by(connection, runtime, message.name)) is not None:
        deployment, start = found
        named = format_id(Kind.SENT_MESSAGE, message.id)
        beginning = message_starts.beginning(connection, runtime, deployment, start, named, message.data, by)
        number = start_instance(connection, runtime, deployment, beginning)
        sent_messages.deliver(connection, message.id, number, None, runtime.now())
    else:
        _keep(connection, runtime, message)
    return sent_messages.get(connection, message.id)


def _receive(connection: Connection, runtime: Runtime, message: SentMessageRow, receiver: SubscriptionRow, by: str) -> None:
    instance = instances.lock(connection, receiver.instance, ended_too=True)
    receiver = subscriptions.get(connection, receiver.id)
    if receiver.state != subscriptions.WAITING:
        if message.kind == subscriptions.MESSAGE:
            raise Moved
        sent_messages.settle(connection, message.id, "it is no longer waited for")
        return
    executable = runtime.executable(connection, instance.process, instance.version)
    trigger = Receive(receiver.token, message.data)
    transition = advance(executable, load_state(instance.token_state), trigger, runtime.clock)
    cause = (f"{message.kind}_received", _told(message, receiver))
    apply_transition(connection, runtime, instance, executable, transition, cause, by)
    sent_messages.deliver(connection, message.id, instance.id, receiver.id, runtime.now())


def _told(message: SentMessageRow, receiver: SubscriptionRow) -> Mapping[str, Any]:
    return {
        "message": format_id(Kind.SENT_MESSAGE, message.id),
        "subscription": format_id(Kind.SUBSCRIPTION, receiver.id),
        "flow_node": receiver.flow_node,
        "name": message.name,
        "key": message.key,
        "from": format_id(Kind.INSTANCE, message.instance) if message.instance is not None else None,
        "sent_by": message.sent_by,
        "data": dict(message.data),
    }


def _keep(connection: Connection, runtime: Runtime, message: SentMessageRow) -> None:
    sent_messages.meet(connection, [(message.name, message.key), (message.name, None)])
    if receiver_of(connection, message) or message_starts.started_by(connection, runtime, message.name):
        raise Moved  # since it was looked for
    sent_messages.keep(connection, message.id)


# --- what goes wrong ------------------------------------------------------------------------------------------------


def _not_delivered(
    runtime: Runtime, message: SentMessageRow, receiver: SubscriptionRow | None, error: Exception, by: str
) -> SentMessageRow:
    """Nothing has changed; say what becomes of it."""
    with runtime.database.transaction() as connection:
        locked = sent_messages.lock(connection, message.id)
        if locked.state != sent_messages.WAITING:
            return locked
        if isinstance(error, ChargeInDoubt):
            log.info("message_postponed", message=format_id(Kind.SENT_MESSAGE, message.id), reason=str(error))
            sent_messages.postpone(connection, message.id, runtime.now() + _DOUBT_PAUSE)
        else:
            _fail(connection, runtime, locked, receiver, error, by)
        return sent_messages.get(connection, message.id)


def _fail(
    connection: Connection,
    runtime: Runtime,
    message: SentMessageRow,
    receiver: SubscriptionRow | None,
    error: Exception,
    by: str,
) -> None:
    """It isn't delivered by itself any more; a person is told, at the instance that can't receive it, or else that threw it."""
    if isinstance(error, EngineError):
        kind, what = incidents.UNDELIVERED, str(error)
    else:
        log.error("delivery_failed", message=format_id(Kind.SENT_MESSAGE, message.id), error=type(error).__name__)
        log.debug("delivery_failed", exc_info=error)
        kind, what = incidents.DEFECT, unexpected(error)
    sent_messages.fail(connection, message.id, what)
    at = receiver.instance if receiver is not None else message.instance
    if at is None:  # sent from outside, and to start an instance: `run-process messages` shows it
        log.warning("message_failed", message=format_id(Kind.SENT_MESSAGE, message.id), reason=what)
        return
    flow_node = receiver.flow_node if receiver is not None else message.flow_node or ""
    instances.lock(connection, at, ended_too=True)
    trouble = Trouble(kind, what, flow_node, message.attempts + 1, sent_message=message.id)
    raise_incident(connection, runtime, at, trouble, by)
