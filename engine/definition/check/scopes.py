"""Rules about sub-processes, about errors and escalations that are thrown in them, and about link events."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.bpmn_xml import SUB_PROCESSES
from engine.definition.check.calls import called_by_another
from engine.definition.check.subject import Subject, error, warning
from engine.definition.diagram import EventDefinition, FlowNode, Process
from engine.definition.finding import Finding
from engine.definition.scopes import around, catcher_of, handlers_of, link_sources, link_targets
from engine.model.text import did_you_mean, shown

SCRIPT_FAILED = "script_failed"
"""The error that a script, condition or other expression throws which has no result."""


def sub_process_start(subject: Subject) -> Iterator[Finding]:
    """A sub-process begins at one start event, without an event; an event sub-process at one start event with the event that it
    waits for.

    Why: without a start event, or with several, it would be unclear where the sub-process begins.
    Wrong: a sub-process whose first task has no start event before it
    Right: a start event inside the sub-process, which leads to its first task
    """
    for scope in subject.process.of_kind("subProcess"):
        starts = [node for node in subject.process.nodes_in(scope.id) if node.kind == "startEvent"]
        if len(starts) != 1:
            found = "there are several" if starts else "there is none"
            yield error(
                "sub-process-start", scope, f"Expected one start event inside this sub-process, but {found}. Do: draw one."
            )
        elif scope.triggered_by_event and not starts[0].events:
            yield error(
                "sub-process-start",
                starts[0],
                "Expected the event that this event sub-process waits for, but its start event has none. "
                "Do: make it an error, escalation, timer, message or signal start event.",
            )
        elif not scope.triggered_by_event and starts[0].events:
            yield error(
                "sub-process-start",
                starts[0],
                "Expected a start event without an event inside a sub-process, because a sequence flow leads to it, but this one "
                "waits for something. Do: make it a plain start event, or make the sub-process an event sub-process.",
            )


def event_sub_process_connected(subject: Subject) -> Iterator[Finding]:
    """No sequence flow leads to an event sub-process or leaves it, no boundary event sits on it, and it isn't repeated: its event
    starts it, and it belongs to what is around it.

    Why: what is connected would never happen.
    Wrong: a sequence flow from a task to an event sub-process
    Right: an event sub-process that stands by itself
    """
    process = subject.process
    for scope in process.of_kind("subProcess"):
        connected = process.flows_from(scope.id) or process.flows_to(scope.id) or process.boundary_events_of(scope.id)
        if scope.triggered_by_event and (connected or scope.repetition):
            yield error(
                "event-sub-process-connected",
                scope,
                "Expected the event sub-process to stand by itself, but it has a sequence flow, a boundary event or a marker. "
                "Do: remove that, or make it a plain sub-process.",
            )
        start = next((node for node in process.nodes_in(scope.id) if node.kind == "startEvent"), None)
        if start and not start.interrupting and any(event.kind == "error" for event in start.events):
            yield error(
                "event-sub-process-connected",
                start,
                "Expected an error start event to interrupt, because an error ends what it is thrown in, but this one doesn't. "
                "Do: make it interrupting.",
            )


def event_code_required(subject: Subject) -> Iterator[Finding]:
    """An error or escalation that is thrown, or that an event refers to, has a code.

    Why: errors are told apart by their codes alone; one without a code would be caught by nothing, or by everything.
    Wrong: an error `Declined` without an error code
    Right: an error `Declined` with the code `card_declined`
    """
    for node in subject.process.nodes.values():
        for event in _thrown_or_caught(node):
            throws = node.kind in ("endEvent", "intermediateThrowEvent")
            if event.code is None and (throws or event.reference):
                yield error(
                    "event-code-required",
                    node,
                    f"Expected an {event.kind} with a code for this event, but it has none. "
                    "Do: choose or create one in the modeler's panel, and give it a code.",
                    event.position,
                )


def error_not_caught(subject: Subject) -> Iterator[Finding]:
    """An error or escalation that is thrown is caught: on the edge of a sub-process around it, or by an event sub-process.

    Severity: warning
    Why: an error that nothing catches ends the whole instance, and an escalation that nothing catches tells nobody.
    Wrong: an error end event in a sub-process without an error boundary event
    Right: an error boundary event on the sub-process, with the same code
    """
    for node in subject.process.nodes.values():
        thrown = next(iter(_thrown_or_caught(node)), None)
        if node.kind not in ("endEvent", "intermediateThrowEvent") or thrown is None or thrown.code is None:
            continue
        if catcher_of(subject.process, node) is None and not (thrown.kind == "error" and called_by_another(subject)):
            happens = "the whole instance ends here, and somebody is told" if thrown.kind == "error" else "nobody is told"
            yield warning(
                "error-not-caught",
                node,
                f"Expected something around this event that catches the {thrown.kind} {shown(thrown.code)}, but nothing does: "
                f"{happens}. Do: attach a boundary event to a sub-process around it, or draw an event sub-process.",
            )


def error_never_thrown(subject: Subject) -> Iterator[Finding]:
    """An error or escalation that is caught on a script task or sub-process, or by an event sub-process, can be thrown in there.

    Severity: warning
    Why: the event never happens, and what is meant isn't caught.
    Wrong: an error boundary event for `card_declined` on a sub-process in which nothing throws it
    Right: an error boundary event with the code that the error end event inside has
    """
    for event_node, inside in _catching(subject.process):
        for event in _thrown_or_caught(event_node):
            thrown = _codes(subject, inside, event.kind)
            if event.code is not None and thrown is not None and event.code not in thrown:
                yield warning(
                    "error-never-thrown",
                    event_node,
                    f"Expected something inside that throws the {event.kind} {shown(event.code)}, but nothing does. "
                    f"{did_you_mean(event.code, thrown)}",
                    event.position,
                )


def _thrown_or_caught(node: FlowNode) -> Iterator[EventDefinition]:
    return (event for event in node.events if event.kind in ("error", "escalation"))


def _catching(process: Process) -> Iterator[tuple[FlowNode, list[FlowNode]]]:
    """(event that catches, what is inside of where it does), for script tasks, sub-processes and event sub-processes."""
    for node in process.nodes.values():
        if node.kind in (*SUB_PROCESSES, "scriptTask", "businessRuleTask"):
            inside = [each for each in process.nodes.values() if node in around(process, each)] or [node]
            yield from ((event, inside) for event in process.boundary_events_of(node.id))
            yield from ((start, inside) for _, start in handlers_of(process, node.id))
    everything = list(process.nodes.values())
    yield from ((start, everything) for _, start in handlers_of(process, None))


def _codes(subject: Subject, inside: list[FlowNode], kind: str) -> set[str] | None:
    """The codes that can be thrown inside; None where that can't be known."""
    thrown = {
        event.code for node in inside if node.kind != "boundaryEvent" for event in _thrown_or_caught(node) if event.kind == kind
    }
    codes = {code for code in thrown if code is not None}
    if kind == "error":
        codes.add(SCRIPT_FAILED)
        for node in inside:
            if node.call is not None or (node.topic is not None and node.topic not in subject.connectors):
                return None
            codes |= set(subject.connectors[node.topic].errors) if node.topic is not None else set()
    return codes


def link_unmatched(subject: Subject) -> Iterator[Finding]:
    """A link throw event has one link catch event of its name in the same sub-process or process, and each link catch event is
    thrown to. No sequence flow leaves the first or leads to the second.

    Why: a link is a sequence flow in two pieces: with one of them missing it leads nowhere.
    Wrong: a link throw event `next page`, and a link catch event `page 2`
    Right: both have the name `page 2`
    """
    process = subject.process
    for node in process.nodes.values():
        names = [event.name for event in node.events if event.kind == "link"]
        if not names:
            continue
        throws = node.kind == "intermediateThrowEvent"
        drawn = process.flows_from(node.id) if throws else process.flows_to(node.id)
        others = len(link_targets(process, node)) if throws else min(len(link_sources(process, node.id)), 1)
        if not throws and _of_the_same_name(process, node):
            others = 2
        if names[0] is None or others != 1 or drawn:
            found = "it has no name" if names[0] is None else "a sequence flow does its work" if drawn else _counted(others)
            yield error(
                "link-unmatched",
                node,
                f"Expected this link {shown(names[0])} to be thrown and caught once in its scope, but {found}. "
                "Do: give one throw event and one catch event the same name, and leave out sequence flows between them.",
            )


def _of_the_same_name(process: Process, node: FlowNode) -> bool:
    names = {event.name for event in node.events if event.kind == "link"}
    others = (each for each in process.nodes_in(node.scope) if each is not node and each.kind == node.kind)
    return any(event.kind == "link" and event.name in names for each in others for event in each.events)


def _counted(others: int) -> str:
    return "there are several to catch it" if others else "its other half is missing"


def handled(subject: Subject, task: FlowNode) -> set[str | None]:
    """The error codes that are caught in the scopes around a task; None stands for every error."""
    catching: list[FlowNode] = [start for _, start in handlers_of(subject.process, None)]
    for scope in around(subject.process, task):
        catching += [
            *subject.process.boundary_events_of(scope.id),
            *(start for _, start in handlers_of(subject.process, scope.id)),
        ]
    return {event.code for each in catching for event in each.events if event.kind == "error"}


def caught_twice(subject: Subject) -> Iterator[tuple[FlowNode, str | None]]:
    """What is caught a second time on one activity, or by a second event sub-process of one scope: (event, code)."""
    process = subject.process
    groups = [list(process.boundary_events_of(node.id)) for node in process.nodes.values()]
    groups += [
        [start for _, start in handlers_of(process, scope)] for scope in (None, *(n.id for n in process.of_kind("subProcess")))
    ]
    for group in groups:
        seen: set[tuple[str, str | None]] = set()
        for each in group:
            for event in _thrown_or_caught(each):
                if event.code is None and event.reference:
                    continue  # event-code-required says it
                if (event.kind, event.code) in seen:
                    yield each, event.code
                seen.add((event.kind, event.code))
