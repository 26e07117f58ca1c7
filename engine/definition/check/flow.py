"""Rules about where tokens go: conditions, nodes that are never reached, joins that never open, loops that never rest."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from engine.definition.bpmn_xml import words
from engine.definition.check.subject import Subject, error, label, path_of, warning
from engine.definition.diagram import FlowNode, Process, SequenceFlow
from engine.definition.finding import Finding
from engine.definition.graph import begins_by_itself, loops_without, reachable, successors
from engine.model.text import shown

_MOVES_ON_AT_ONCE = words(
    "startEvent intermediateThrowEvent scriptTask task manualTask exclusiveGateway parallelGateway "
    "inclusiveGateway complexGateway"
)


def gateway_condition_missing(subject: Subject) -> Iterator[Finding]:
    """Each way out of an exclusive gateway has a condition, but for its default flow: else it is always or never taken."""
    for gateway in subject.process.of_kind("exclusiveGateway"):
        flows = subject.process.flows_from(gateway.id)
        for flow in flows if len(flows) > 1 else ():
            if flow.condition is None and flow.id != gateway.default:
                yield error(
                    "gateway-condition-missing",
                    gateway,
                    f"Expected a condition on the sequence flow {shown(flow.name or flow.id)}, but it has none. "
                    "Do: write one, or mark the flow as the default.",
                    flow.position,
                )


def condition_needs_split(subject: Subject) -> Iterator[Finding]:
    """A condition stands where it is looked at: on a flow out of an exclusive gateway with a choice, and not on its default."""
    for flow in subject.process.flows:
        if flow.condition is not None and (why := _why_ignored(subject.process, flow)):
            yield error(
                "condition-needs-split",
                flow,
                f"Expected a condition only where an exclusive gateway chooses, but {why}. "
                "Do: remove the condition, or put it on a flow out of an exclusive gateway.",
            )


def _why_ignored(process: Process, flow: SequenceFlow) -> str | None:
    source = process.nodes.get(flow.source)
    if source is None:
        return None
    if source.kind != "exclusiveGateway":
        return f"this flow leaves {shown(label(source))}, which doesn't choose"
    if source.default == flow.id:
        return "this is the default flow, which is taken when no condition holds"
    if len(process.flows_from(source.id)) == 1:
        return f"this is the only way out of {shown(label(source))}"
    return None


def unreachable_node(subject: Subject) -> Iterator[Finding]:
    """Every element can be reached from a start event."""
    process = subject.process
    if not subject.starts:
        return  # start-event-required has said it
    begins = [node.id for node in process.nodes.values() if node.scope is None and begins_by_itself(process, node)]
    reached = reachable(process, begins)
    for node in process.nodes.values():
        if node.scope is None and node.id not in reached:
            yield error(
                "unreachable-node",
                node,
                "Expected a way from a start event to this element, but there is none. Do: connect it, or remove it.",
            )


def parallel_join_after_exclusive_split(subject: Subject) -> Iterator[Finding]:
    """A parallel gateway waits for all of its incoming flows. Where they come from a choice, only one of them ever brings a
    token, and the instance stands still for ever.
    """
    process = subject.process
    joins = [node for node in process.of_kind("parallelGateway") if len(process.flows_to(node.id)) > 1]
    preceding = _preceding(process) if joins else {}
    choices = [(node, ways) for node in process.nodes.values() if len(ways := _ways_out(process, node)) > 1]
    for join in joins:
        leading = {flow.id: _leading_to(flow.source, join.id, preceding) for flow in process.flows_to(join.id)}
        choice = next((node for node, ways in choices if _splits(ways, leading)), None)
        if choice is not None:
            yield warning(
                "parallel-join-after-exclusive-split",
                join,
                f"Expected all ways into this parallel gateway to be taken together, but {shown(label(choice))} chooses one "
                "of them. Do: join with an exclusive gateway.",
            )


_Way: TypeAlias = tuple[frozenset[str], frozenset[str]]
"""One way out of a choice: the sequence flows and the nodes that it begins with."""


def _ways_out(process: Process, node: FlowNode) -> list[_Way]:
    """The ways of which a token takes one: an exclusive gateway's flows; completion, or a boundary event."""
    flows = process.flows_from(node.id)
    if node.kind == "exclusiveGateway":
        return [(frozenset({flow.id}), frozenset({flow.target})) for flow in flows]
    events = [event for event in process.boundary_events_of(node.id) if event.interrupting]
    interrupted = [(frozenset[str](), frozenset({event.id})) for event in events]
    return [(frozenset(flow.id for flow in flows), frozenset(flow.target for flow in flows)), *interrupted]


def _splits(ways: list[_Way], leading: Mapping[str, Collection[str]]) -> bool:
    """Whether two of a join's flows (flow id -> the nodes that lead to it) are on different ways."""
    taken = [
        {number for number, (flows, nodes) in enumerate(ways) if flow in flows or not nodes.isdisjoint(sources)}
        for flow, sources in leading.items()
    ]
    return any(a and b and a.isdisjoint(b) for number, a in enumerate(taken) for b in taken[:number])


def _preceding(process: Process) -> dict[str, list[str]]:
    preceding: dict[str, list[str]] = {key: [] for key in process.nodes}
    for key in process.nodes:
        for following in successors(process, key):
            preceding[following].append(key)
    return preceding


def _leading_to(source: str, join: str, preceding: Mapping[str, list[str]]) -> set[str]:
    """The nodes from which `source` can be reached without passing the join."""
    found = {source} - {join}
    waiting = [*found]
    for node in waiting:  # grows while it is walked
        for before in preceding.get(node, ()):
            if before != join and before not in found:
                found.add(before)
                waiting.append(before)
    return found


def endless_loop_without_wait(subject: Subject) -> Iterator[Finding]:
    """A loop contains something that waits, a user task, a service task or a timer with a duration: else it could go round for
    ever at once. A date that has passed holds up nothing.
    """
    for loop in loops_without(subject.process, lambda node: _waits(subject.process, node)):
        first = subject.process.nodes[loop[0]]
        yield error(
            "endless-loop-without-wait",
            first,
            "Expected a user task, service task or duration to wait for in every loop, but on "
            f"{path_of(subject.process, (*loop, loop[0]))} there is none; a date that has passed holds up nothing. "
            "Do: put one in, or break the loop.",
        )


def _waits(process: Process, node: FlowNode) -> bool:
    timer = process.timer_of(node.id)
    return timer.timer != "date" if timer is not None else node.kind not in _MOVES_ON_AT_ONCE
