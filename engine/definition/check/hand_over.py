"""Rules about the hand-over: the message that is thrown downstream and starts the next instance."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.check.subject import Subject, error, path_of, warning
from engine.definition.diagram import EventDefinition, FlowNode
from engine.definition.finding import Finding, Position
from engine.definition.graph import reachable, successors
from engine.model.text import shown


def message_not_caught(subject: Subject) -> Iterator[Finding]:
    """Each message that is thrown starts something: the hand-over message has its message start event."""
    caught = {event.name for _, event in _starts(subject)}
    for node, event in throws(subject):
        if event.name and event.name not in caught:
            yield error(
                "message-not-caught",
                node,
                f"Expected a message start event for {shown(event.name)}, but there is none. "
                "Do: draw one, or give it the name that is thrown.",
                event.position,
            )
    message = subject.carry_over.message if subject.carry_over else None
    if message and message not in caught and all(event.name != message for _, event in throws(subject)):
        yield _missing("message-not-caught", subject, f"a message start event for {shown(message)}")


def message_not_thrown(subject: Subject) -> Iterator[Finding]:
    """The hand-over message is thrown somewhere, and no message start event waits for one that nobody throws."""
    message = subject.carry_over.message if subject.carry_over else None
    thrown = {event.name for _, event in throws(subject)}
    if message and message not in thrown:
        yield _missing("message-not-thrown", subject, f"an event that throws {shown(message)}")
    for node, event in _starts(subject):
        if event.name and event.name != message and event.name not in thrown:
            yield warning(
                "message-not-thrown",
                node,
                f"Expected something that throws {shown(event.name)}, but nothing does, so nothing ever starts here. "
                "Do: throw it, or remove this start event.",
            )


def message_not_in_map(subject: Subject) -> Iterator[Finding]:
    """A message that starts an instance is the carry-over map's: else it is undecided what the instance starts with."""
    if subject.carry_over is None:
        return
    for node, event in (*_starts(subject), *throws(subject)):
        if event.name and event.name != subject.carry_over.message:
            yield error(
                "message-not-in-map",
                node,
                f"Expected the message of the carry-over map ({shown(subject.carry_over.message)}), but this event has "
                f"{shown(event.name)}. Do: use one name for both.",
                event.position,
            )


def message_thrown_twice(subject: Subject) -> Iterator[Finding]:
    """The hand-over message is thrown once on a way: the next month can be started only once."""
    process = subject.process
    thrown = [node.id for node, event in throws(subject) if subject.carry_over and event.name == subject.carry_over.message]
    for node in thrown:
        reach = reachable(process, tuple(successors(process, node)))
        second = next((other for other in thrown if other in reach), None)
        if second is not None:
            yield warning(
                "message-thrown-twice",
                process.nodes[second],
                "Expected the hand-over once on every way, but here it comes again: "
                f"{path_of(process, (node, *reach.path_to(second)))}. Do: leave out one of the two.",
            )


def throws(subject: Subject) -> tuple[tuple[FlowNode, EventDefinition], ...]:
    """The events that throw a message."""
    nodes = subject.process.of_kind("intermediateThrowEvent", "endEvent")
    return tuple((node, event) for node in nodes for event in node.events if event.kind == "message")


def _starts(subject: Subject) -> tuple[tuple[FlowNode, EventDefinition], ...]:
    return tuple((node, event) for node in subject.starts for event in node.events if event.kind == "message")


def _missing(rule: str, subject: Subject, what: str) -> Finding:
    return error(
        rule,
        subject.process,
        f"Expected {what}, because the carry-over map hands over by that message, but the diagram has none. "
        "Do: draw it, or correct message: in the map.",
        Position(subject.map_file),
    )
