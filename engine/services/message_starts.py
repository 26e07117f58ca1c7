"""Messages that start instances: which process's newest version begins with which message, the hand-over aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from engine.connector import Value
from engine.definition.correlation import message_starts
from engine.definition.process_definition import ProcessDefinition
from engine.errors import DefinitionInvalid
from engine.services.runtime import Runtime
from engine.services.starting import Beginning
from engine.store import deployments, instances, sent_messages
from engine.store.deployments import Deployment


def newest_definitions(connection: Connection, runtime: Runtime) -> Iterator[tuple[Deployment, ProcessDefinition]]:
    """The newest version of each process."""
    newest = {each.process: each for each in reversed(deployments.every(connection))}
    return ((each, runtime.definitions.definition(connection, each.digest)) for each in newest.values())


def started_by(connection: Connection, runtime: Runtime, message: str) -> tuple[Deployment, str] | None:
    """The version that a message of this name starts, and its start event; None where it starts nothing."""
    for deployment, definition in newest_definitions(connection, runtime):
        start = message_starts(definition.process, definition.carry_over).get(message)
        if start is not None:
            return deployment, start.id
    return None


def beginning(
    connection: Connection, runtime: Runtime, deployment: Deployment, start: str, message: str, data: Mapping[str, Value], by: str
) -> Beginning:
    """How an instance begins that a message starts. Raises ExpressionFailed, DataRefused for what the message lacks or brings."""
    from engine.execution.messaging import received  # loads the execution library, which listings don't need

    executable = runtime.definitions.executable(connection, deployment.digest)
    values = received(executable, start, data, {}, lambda _: None)
    present = {name: value for name, value in values.items() if value is not None}
    return Beginning(start, present, instances.MESSAGE, by, message=message)


def refuse_second(connection: Connection, runtime: Runtime, definition: ProcessDefinition) -> None:
    """A message starts one instance, so no two processes begin with it. Raises DefinitionInvalid."""
    new = message_starts(definition.process, definition.carry_over)
    for deployment, other in newest_definitions(connection, runtime) if new else ():
        both = new.keys() & message_starts(other.process, other.carry_over).keys()
        if both and deployment.process != definition.id:
            raise DefinitionInvalid(
                f"Expected the message {min(both)!r} to start one process, but it starts {deployment.process!r} already. "
                "Do: give one of the two another message, or throw a signal to reach both."
            )


def wake(connection: Connection, runtime: Runtime, definition: ProcessDefinition) -> None:
    """Put messages on their way that were kept until something begins with them."""
    names = sorted(message_starts(definition.process, definition.carry_over))
    sent_messages.meet(connection, ((name, None) for name in names))
    for name in names:
        sent_messages.wake_all(connection, name, runtime.now())
