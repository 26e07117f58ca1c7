"""What is inside what on a diagram: sub-processes, event sub-processes, and who catches what is thrown inside them.

An embedded sub-process is done when no token is left in it. An event sub-process belongs to the scope that it is drawn in.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.diagram import FlowNode, Process, SequenceFlow

_THROWN = ("error", "escalation")


def around(process: Process, node: FlowNode | SequenceFlow) -> Iterator[FlowNode]:
    """The sub-processes around an element, the innermost first."""
    scope = process.nodes.get(node.scope or "")
    while scope is not None:
        yield scope
        scope = process.nodes.get(scope.scope or "")


def start_of(process: Process, scope: str) -> FlowNode | None:
    """The start event of a sub-process."""
    return next((node for node in process.nodes_in(scope) if node.kind == "startEvent"), None)


def handlers_of(process: Process, scope: str | None) -> Iterator[tuple[FlowNode, FlowNode]]:
    """(event sub-process, its start event) of the event sub-processes in a scope; None is the process itself."""
    for node in process.nodes_in(scope):
        start = start_of(process, node.id) if node.triggered_by_event else None
        if start is not None:
            yield node, start


def in_second_token(process: Process, node: FlowNode) -> bool:
    """Whether a node is in an event sub-process that doesn't interrupt: what happens in it happens beside something else."""
    return any(scope.triggered_by_event and not interrupts(process, scope) for scope in around(process, node))


def ends_instance(process: Process, node: FlowNode) -> bool:
    """Whether the whole instance may end at a node: it is an end in no embedded sub-process, or throws an error that nothing
    around it catches.
    """
    if node.kind == "endEvent" and any(event.kind == "error" for event in node.events):
        return catcher_of(process, node) is None
    return is_end(process, node) and all(scope.triggered_by_event for scope in around(process, node))


def interrupts(process: Process, scope: FlowNode) -> bool:
    """Whether a sub-process is an event sub-process that ends what is around it."""
    start = start_of(process, scope.id) if scope.triggered_by_event else None
    return start is not None and start.interrupting


def is_end(process: Process, node: FlowNode) -> bool:
    """Whether a token that comes to a node ends there, and its scope goes on without it: an end event, or an implicit end. An
    error is thrown out of its scope instead.
    """
    if node.kind == "endEvent":
        return all(event.kind != "error" for event in node.events)
    apart = node.triggered_by_event or node.kind == "startEvent" or link_targets(process, node)
    return not apart and not process.flows_from(node.id)


def catcher_of(process: Process, node: FlowNode) -> FlowNode | None:
    """The event that catches the error or escalation which `node` throws: that of the narrowest scope, there an event
    sub-process before a boundary event, and a code before what catches all.
    """
    if node.kind not in ("endEvent", "intermediateThrowEvent") or all(event.kind not in _THROWN for event in node.events):
        return None
    for catching in _catching_around(process, node):
        if (found := _best(node, catching)) is not None:
            return found
    return None


def _catching_around(process: Process, node: FlowNode) -> Iterator[list[FlowNode]]:
    interrupted = False  # where an event sub-process has interrupted its scope, no other waits there any more
    for scope in around(process, node):
        yield [] if interrupted else [start for _, start in handlers_of(process, scope.id)]
        yield list(process.boundary_events_of(scope.id))
        interrupted = interrupts(process, scope)
    yield [] if interrupted else [start for _, start in handlers_of(process, None)]


def _best(thrower: FlowNode, catching: list[FlowNode]) -> FlowNode | None:
    for thrown in thrower.events:
        fitting = [(event, each) for each in catching for event in each.events if event.kind == thrown.kind]
        code = thrown.code or thrown.name
        by_code = [each for event, each in fitting if event.code is not None and event.code == code]
        by_all = [each for event, each in fitting if event.code is None]
        if by_code or by_all:
            return (by_code or by_all)[0]
    return None


def link_targets(process: Process, node: FlowNode) -> list[FlowNode]:
    """Where a link throw event leads: the link catch event of its name in the same scope (BPMN 2.0.2, 10.5.5)."""
    names = {event.name for event in node.events if event.kind == "link"} if node.kind == "intermediateThrowEvent" else set()
    if not names:
        return []
    catching = (each for each in process.nodes_in(node.scope) if each.kind == "intermediateCatchEvent")
    return [each for each in catching if any(event.kind == "link" and event.name in names for event in each.events)]


def link_sources(process: Process, node: str) -> list[str]:
    """The link throw events that lead to a link catch event."""
    target = process.nodes.get(node)
    if target is None or target.kind != "intermediateCatchEvent" or all(event.kind != "link" for event in target.events):
        return []
    return [each.id for each in process.nodes_in(target.scope) if target in link_targets(process, each)]
