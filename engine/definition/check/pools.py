"""Rules about pools, lanes and message flows: what is drawn around a process must not mislead who reads it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.bpmn_xml import ACTIVITIES
from engine.definition.check.subject import Subject, error, label, warning
from engine.definition.collaboration_reader import MessageFlow
from engine.definition.diagram import FlowNode
from engine.definition.finding import Finding
from engine.model.text import shown

_CAN_SEND = ACTIVITIES | {"intermediateThrowEvent", "endEvent"}
_CAN_RECEIVE = ACTIVITIES | {"startEvent", "intermediateCatchEvent", "boundaryEvent"}


def pool_without_process(subject: Subject) -> Iterator[Finding]:
    """A pool stands for a process of this file, or for another party that has none.

    Severity: warning
    Why: the pool that is drawn around a process that was deleted suggests that it still runs.
    Wrong: `<participant processRef="old_process">` without such a process
    Right: the pool names the process that is drawn in it
    """
    known = {process.id for process in subject.diagram.processes}
    for pool in subject.diagram.collaboration.participants:
        if pool.process is not None and pool.process not in known:
            yield warning(
                "pool-without-process",
                pool.position,
                f"Expected a process of this file in the pool {shown(pool.name or pool.id)}, but there is no "
                f"{shown(pool.process)}. Do: draw its elements again, or remove the pool.",
            )


def message_flow_dangling(subject: Subject) -> Iterator[Finding]:
    """A message flow begins and ends at something that is drawn.

    Severity: warning
    Why: nobody can see who is told.
    Wrong: a message flow to an element that was deleted
    Right: a message flow from one pool, or an element in it, to another
    """
    known = {*_elements(subject), *(pool.id for pool in subject.diagram.collaboration.participants)}
    for flow in subject.diagram.collaboration.message_flows:
        for end, key in (("begin", flow.source), ("end", flow.target)):
            if key not in known:
                yield warning(
                    "message-flow-dangling",
                    flow.position,
                    f"Expected the message flow {shown(flow.name or flow.id)} to {end} at a pool or an element of this file, but "
                    f"there is no {shown(key or None)}. Do: draw it again, or remove it.",
                )


def message_flow_in_one_pool(subject: Subject) -> Iterator[Finding]:
    """A message flow goes from one pool to another.

    Severity: warning
    Why: inside a pool, sequence flows say what follows; a message flow there moves no token.
    Wrong: a dashed arrow between two tasks of one process
    Right: a sequence flow between them
    """
    owners = {node: process.id for process in subject.diagram.processes for node in process.nodes}
    owners |= {pool.id: pool.process for pool in subject.diagram.collaboration.participants if pool.process}
    for flow in subject.diagram.collaboration.message_flows:
        if owners.get(flow.source) is not None and owners.get(flow.source) == owners.get(flow.target):
            yield warning(
                "message-flow-in-one-pool",
                flow.position,
                f"Expected the message flow {shown(flow.name or flow.id)} to lead to another pool, but both ends are in the same "
                "one. Do: draw a sequence flow.",
            )


def message_flow_misplaced(subject: Subject) -> Iterator[Finding]:
    """A message flow begins where a message can be sent, and ends where one can be received.

    Severity: warning
    Why: a gateway sends nothing, and an end event receives nothing; the drawing promises what can't happen.
    Wrong: a message flow out of a gateway
    Right: a message flow out of the task or throw event that sends
    """
    nodes = _elements(subject)
    for flow in subject.diagram.collaboration.message_flows:
        for where, node in _misplaced(flow, nodes):
            yield warning(
                "message-flow-misplaced",
                flow.position,
                f"Expected the message flow {shown(flow.name or flow.id)} to {where}, but {shown(label(node))} can't. "
                "Do: connect it to a task, an event or a pool.",
            )


def _misplaced(flow: MessageFlow, nodes: dict[str, FlowNode]) -> Iterator[tuple[str, FlowNode]]:
    source, target = nodes.get(flow.source), nodes.get(flow.target)
    if source and source.kind not in _CAN_SEND:
        yield "begin where a message is sent", source
    if target and target.kind not in _CAN_RECEIVE:
        yield "end where a message is received", target


def in_two_lanes(subject: Subject) -> Iterator[Finding]:
    """An element stands in one lane.

    Why: the lane says who may do a task; of two, the one that is listed later in the file would count.
    Wrong: `approve` listed in the lanes Sales and Department Manager
    Right: `approve` listed in the lane Department Manager alone
    """
    lanes = {lane.id: lane for lane in subject.process.lanes}
    seen: dict[str, str] = {}
    for lane in subject.process.lanes:
        for key in lane.nodes:
            other = lanes.get(seen.get(key, ""))
            node = subject.process.nodes.get(key)
            if node and other and not (_is_within(lane.id, other.id, subject) or _is_within(other.id, lane.id, subject)):
                yield error(
                    "in-two-lanes",
                    node,
                    f"Expected {shown(label(node))} to be in one lane, but it is listed in {shown(other.name)} and in "
                    f"{shown(lane.name)}. Do: drag it into the right one, and save the diagram again.",
                    lane.position,
                )
            seen.setdefault(key, lane.id)


def _is_within(inner: str, outer: str, subject: Subject) -> bool:
    parents = {lane.id: lane.parent for lane in subject.process.lanes}
    lane: str | None = inner
    for _ in parents:
        if lane == outer:
            return True
        lane = parents.get(lane or "")
    return False


def lane_lists_nothing(subject: Subject) -> Iterator[Finding]:
    """A lane lists elements that are there.

    Severity: warning
    Why: what was meant may stand outside of every lane now, and be offered to everyone.
    Wrong: `<flowNodeRef>aprove</flowNodeRef>`
    Right: `<flowNodeRef>approve</flowNodeRef>`
    """
    for lane in subject.process.lanes:
        for key in lane.nodes:
            if key not in subject.process.nodes:
                yield warning(
                    "lane-lists-nothing",
                    lane.position,
                    f"Expected the lane {shown(lane.name)} to list elements of its process, but there is no "
                    f"{shown(key or None)}. Do: drag the element that is meant into the lane, and save the diagram again.",
                )


def _elements(subject: Subject) -> dict[str, FlowNode]:
    return {key: node for process in subject.diagram.processes for key, node in process.nodes.items()}
