"""Rules about the hand-over: the message that is thrown downstream and starts the next instance."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.check.subject import Subject, error, label, path_of, warning
from engine.definition.correlation import thrown_by
from engine.definition.diagram import EventDefinition, FlowNode
from engine.definition.finding import Finding, Position
from engine.definition.graph import reachable, successors
from engine.definition.scopes import around
from engine.model.text import shown


def message_not_caught(subject: Subject) -> Iterator[Finding]:
    """The hand-over message starts something when it is thrown: it has its message start event.

    Why: a hand-over that starts nothing ends a customer's chain.
    Wrong: `next-billing` is thrown, and the start event waits for `next_billing`
    Right: both have the message `next-billing`
    """
    caught = {event.name for _, event in _starts(subject)}
    for node, event in throws(subject):
        if event.name and event.name not in caught and subject.carry_over and event.name == subject.carry_over.message:
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
    """The hand-over message is thrown somewhere in this diagram, and no message start event waits for one that nobody throws in
    the files that are checked.

    Severity: error for the hand-over, warning for other messages
    Why: a start that nobody asks for never happens.
    Wrong: a message start event for `next-billing` that no event throws
    Right: an event that throws `next-billing` at the far end
    """
    message = subject.carry_over.message if subject.carry_over else None
    thrown = {event.name for _, event in throws(subject)}
    processes = (subject.process, *(other.process for other in subject.beside))
    everywhere = {event.name for process in processes for node in process.nodes.values() if (event := thrown_by(node))}
    if message and message not in thrown:
        yield _missing("message-not-thrown", subject, f"an event that throws {shown(message)}")
    for node, event in _starts(subject):
        if event.name and event.name != message and event.name not in everywhere:
            yield warning(
                "message-not-thrown",
                node,
                f"Expected something that throws {shown(event.name)}, but nothing in these files does, so nothing starts here. "
                "Do: throw it, check it together with the process that throws it, or remove this start event.",
            )


def message_not_in_map(subject: Subject) -> Iterator[Finding]:
    """A message that starts an instance of a process with bills is the carry-over map's: else it is undecided what the instance
    starts with.

    Why: the next instance would start with data that nobody decided on.
    Wrong: the map says `next-billing`, the start event `next-month`
    Right: both say `next-billing`
    """
    if subject.carry_over is None or subject.carry_over.bill is None:
        return
    for node, event in _starts(subject):
        if event.name and event.name != subject.carry_over.message:
            yield error(
                "message-not-in-map",
                node,
                f"Expected the message of the carry-over map ({shown(subject.carry_over.message)}), but this event has "
                f"{shown(event.name)}. Do: use one name for both.",
                event.position,
            )


def message_thrown_twice(subject: Subject) -> Iterator[Finding]:
    """The hand-over message is thrown once on a way: the next month can be started only once.

    Severity: warning
    Why: the second time comes too late: that month has its instance.
    Wrong: two hand-overs in one line
    Right: one hand-over on each way to an end
    """
    process = subject.process
    thrown = [node.id for node, event in throws(subject) if subject.carry_over and event.name == subject.carry_over.message]
    for node in thrown:
        reach = reachable(process, tuple(successors(process, node)))
        second = next((other for other in thrown if other in reach), None)
        repeated = next((each for each in (process.nodes[node], *around(process, process.nodes[node])) if each.repetition), None)
        if repeated is not None:
            yield warning(
                "message-thrown-twice",
                process.nodes[node],
                f"Expected the hand-over once, but {shown(label(repeated))} is done several times. Do: throw it behind that.",
            )
        elif second is not None:
            yield warning(
                "message-thrown-twice",
                process.nodes[second],
                "Expected the hand-over once on every way, but here it comes again: "
                f"{path_of(process, (node, *reach.path_to(second)))}. Do: leave out one of the two.",
            )


def throws(subject: Subject) -> tuple[tuple[FlowNode, EventDefinition], ...]:
    """The events and send tasks that throw a message."""
    thrown = ((node, thrown_by(node)) for node in subject.process.nodes.values())
    return tuple((node, event) for node, event in thrown if event is not None and event.kind == "message")


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
