"""Deliver the thrown hand-over message: start the next instance, on the newest version, exactly once.

Delivery is a step of its own, in its own transaction, so that a definition or a database in trouble downstream never takes
the throwing instance's work back. What cannot be delivered stays, as an incident.
"""

from __future__ import annotations

from sqlalchemy import Connection

from engine.definition.data_item import check_value
from engine.definition.process_definition import ProcessDefinition
from engine.errors import AlreadyBilled, EngineError, MessageNotCorrelated
from engine.model.identifiers import Kind, format_id, parse_id
from engine.services.runtime import Runtime
from engine.services.starting import Beginning, known_items, start_instance
from engine.store import history, incidents, instances, messages
from engine.store.deployments import Deployment
from engine.store.messages import MessageRow


def deliver_next(runtime: Runtime, by: str) -> MessageRow | None:
    """Deliver the message that has waited longest; the message as it is afterwards, None when none is due."""
    with runtime.database.transaction() as connection:
        message = messages.lock_due(connection, runtime.now())
        if message is None:
            return None
        try:
            with connection.begin_nested():
                _deliver(connection, runtime, message, by)
        except EngineError as error:
            _fail(connection, runtime, message, str(error), by)
        return messages.get(connection, message.id)


def _deliver(connection: Connection, runtime: Runtime, message: MessageRow, by: str) -> None:
    thrower = instances.lock(connection, message.instance, ended_too=True)
    deployment = runtime.deployment(connection, thrower.process)
    definition = runtime.definitions.definition(connection, deployment.digest)
    try:
        with connection.begin_nested():  # what was begun of an instance that may not be is taken back
            number = start_instance(connection, runtime, deployment, _beginning(definition, deployment, message, by))
    except AlreadyBilled as already:
        number = _started_by_hand(connection, runtime, message, already, by)
    messages.mark_delivered(connection, message.id, number, runtime.now())
    details = {"message": format_id(Kind.MESSAGE, message.id), "instance": format_id(Kind.INSTANCE, number)}
    history.append(connection, message.instance, runtime.now(), by, [("message_delivered", details)])


def _started_by_hand(connection: Connection, runtime: Runtime, message: MessageRow, already: AlreadyBilled, by: str) -> int:
    """The instance that somebody has started for this bill meanwhile, if it can be the successor; else raises `already`.

    By reuse it is linked; from nothing it is linked now. Either way the chain goes on, and the message has arrived.
    """
    number = parse_id(Kind.INSTANCE, already.instance)
    previous = format_id(Kind.INSTANCE, message.instance)
    if number != message.instance and instances.adopt(connection, number, message.instance):
        history.append(connection, number, runtime.now(), by, [("instance_linked", {"previous": previous})])
    elif instances.get(connection, number).previous_id != message.instance:
        raise already
    return number


def _beginning(definition: ProcessDefinition, deployment: Deployment, message: MessageRow, by: str) -> Beginning:
    start = definition.message_start_event()
    if start is None or definition.carry_over.message != message.name:
        raise MessageNotCorrelated(
            f"Expected {deployment.process}@{deployment.version} to start by the message {message.name!r}, but it doesn't. "
            "Do: deploy a version that does, then run-process retry on this incident."
        )
    data = known_items(definition, message.data)
    for name, value in data.items():
        check_value(definition.carry_over.items[name], value)
    previous = known_items(definition, message.previous_values)
    return Beginning(start.id, data, instances.MESSAGE, by, message.instance, previous)


def _fail(connection: Connection, runtime: Runtime, message: MessageRow, error: str, by: str) -> None:
    messages.mark_failed(connection, message.id, error)
    number = incidents.add(
        connection,
        {
            "instance_id": message.instance,
            "message_id": message.id,
            "flow_node": message.flow_node,
            "message": error,
            "tried": message.attempts + 1,
            "created_at": runtime.now(),
        },
    )
    details = {
        "incident": format_id(Kind.INCIDENT, number),
        "message": format_id(Kind.MESSAGE, message.id),
        "reason": error,
    }
    history.append(connection, message.instance, runtime.now(), by, [("incident_created", details)])
