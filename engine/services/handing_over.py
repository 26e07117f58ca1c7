"""Deliver the thrown hand-over message: start the next instance, on the newest version, exactly once.

Delivery is a step of its own, in its own transaction, so that a definition or a database in trouble downstream never takes
the throwing instance's work back. What cannot be delivered stays, as an incident.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import structlog
from sqlalchemy import Connection

from engine.definition.beginning import handed_data, known_items, start_of_hand_over
from engine.definition.process_definition import ProcessDefinition
from engine.errors import AlreadyBilled, EngineError, NotBilled
from engine.model.identifiers import Kind, format_id, parse_id
from engine.services.raising import Trouble, raise_incident, unexpected
from engine.services.runtime import Runtime
from engine.services.starting import Beginning, start_instance
from engine.store import history, incidents, instances, messages
from engine.store.database import may_pass
from engine.store.deployments import Deployment
from engine.store.messages import MessageRow

log = structlog.get_logger("run_process.worker")

_Find: TypeAlias = Callable[[Connection], MessageRow | None]
_Act: TypeAlias = Callable[[Connection, MessageRow], MessageRow]


def deliver_next(runtime: Runtime, by: str) -> MessageRow | None:
    """Deliver the message that has waited longest; the message as it is afterwards, None when none is due."""
    return _delivered(runtime, lambda connection: messages.lock_due(connection, runtime.now()), by)


def deliver(runtime: Runtime, number: int, by: str) -> MessageRow:
    """Deliver this message, if it still waits; the message as it is afterwards. Raises NotFound."""
    message = _delivered(runtime, lambda connection: messages.lock(connection, number), by)
    assert message is not None
    return message


def _delivered(runtime: Runtime, find: _Find, by: str) -> MessageRow | None:
    """Deliver the message that `find` locks. What fails is taken back as a whole; what comes of it is stored on its own."""
    found, failed = _try(runtime, find, lambda connection, message: _start_next(connection, runtime, message, by))
    if found is None or failed is None:
        return found
    again = partial(messages.lock, number=found.id)
    if isinstance(failed, AlreadyBilled):
        already = failed
        found, failed = _try(runtime, again, lambda connection, message: _link(connection, runtime, message, already, by))
        if found is not None and found.state == messages.WAITING and failed is None:
            return _delivered(runtime, again, by)  # that bill was freed meanwhile
        if found is None or failed is None:
            return found
    with runtime.database.transaction() as connection:
        message = again(connection)
        if message.state != messages.WAITING:
            return message
        if isinstance(failed, NotBilled):
            return _end_chain(connection, runtime, message, failed, by)
        return _fail(connection, runtime, message, failed, by)


def _try(runtime: Runtime, find: _Find, act: _Act) -> tuple[MessageRow | None, Exception | None]:
    """The message after `act`, or before it, and what it failed with."""
    message = None
    try:
        with runtime.database.transaction() as connection:
            message = find(connection)
            if message is None or message.state != messages.WAITING:
                return message, None
            return act(connection, message), None
    except Exception as error:
        if message is None or may_pass(error):
            raise
        return message, error


def _start_next(connection: Connection, runtime: Runtime, message: MessageRow, by: str) -> MessageRow:
    thrower = instances.lock(connection, message.instance, ended_too=True)
    deployment = runtime.deployment(connection, thrower.process)
    definition = runtime.definitions.definition(connection, deployment.digest)
    number = start_instance(connection, runtime, deployment, _beginning(definition, deployment, message, by))
    return _arrived(connection, runtime, message, number, by)


def _link(connection: Connection, runtime: Runtime, message: MessageRow, already: AlreadyBilled, by: str) -> MessageRow:
    """Take the instance that somebody has started for this bill meanwhile, if it can be the successor; else raises `already`.

    By reuse it is linked; from nothing it is linked now: the chain goes on, and the message has arrived. With a cancelled one it
    would not. Where the bill was freed meanwhile, the message is left as it is.
    """
    number = parse_id(Kind.INSTANCE, already.instance)
    both = sorted({message.instance, number})  # as whoever locks several does
    other = {each: instances.lock(connection, each, ended_too=True) for each in both}[number]
    if instances.billed_by(connection, already.process, already.customer, already.period) != number:
        return message
    if other.state == instances.CANCELLED or number == message.instance:
        raise already
    if instances.adopt(connection, number, message.instance):
        previous = format_id(Kind.INSTANCE, message.instance)
        history.append(connection, number, runtime.now(), by, [("instance_linked", {"previous": previous})])
    elif other.previous_id != message.instance:
        raise already
    return _arrived(connection, runtime, message, number, by)


def _arrived(connection: Connection, runtime: Runtime, message: MessageRow, number: int, by: str) -> MessageRow:
    now = runtime.now()
    delivered, head = messages.mark_delivered(connection, message, number, now)
    details = {"message": format_id(Kind.MESSAGE, message.id), "instance": format_id(Kind.INSTANCE, number)}
    history.append(connection, message.instance, now, by, [("message_delivered", details)], head)
    return delivered


def _beginning(definition: ProcessDefinition, deployment: Deployment, message: MessageRow, by: str) -> Beginning:
    start = start_of_hand_over(definition, message.name, f"{deployment.process}@{deployment.version}")
    data, previous = handed_data(definition, message.data), known_items(definition, message.previous_values)
    return Beginning(start, data, instances.MESSAGE, by, message.instance, previous)


def _end_chain(connection: Connection, runtime: Runtime, message: MessageRow, why: NotBilled, by: str) -> MessageRow:
    """The customer is paused or has ended: nothing is to start, and nobody is needed. Resuming starts the chain anew."""
    settled, head = messages.mark_settled(connection, message, str(why))
    details = {"message": format_id(Kind.MESSAGE, message.id), "reason": str(why)}
    history.append(connection, message.instance, runtime.now(), by, [("message_settled", details)], head)
    return settled


def _fail(connection: Connection, runtime: Runtime, message: MessageRow, error: Exception, by: str) -> MessageRow:
    """It isn't delivered by itself any more; a person is told."""
    if isinstance(error, EngineError):
        trouble = Trouble.of_message(message, incidents.UNDELIVERED, str(error))
    else:
        log.error("delivery_failed", message=format_id(Kind.MESSAGE, message.id), error=type(error).__name__)
        log.debug("delivery_failed", exc_info=error)
        trouble = Trouble.of_message(message, incidents.DEFECT, unexpected(error))
    instances.lock(connection, message.instance, ended_too=True)
    failed, _ = messages.mark_failed(connection, message, trouble.what)
    raise_incident(connection, runtime, message.instance, trouble, by)
    return failed
