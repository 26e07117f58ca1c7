"""Rules about where tokens go: conditions, nodes that are never reached, joins that never open, loops that never rest."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from engine.definition.bpmn_xml import ACTIVITIES, SUB_PROCESSES, words
from engine.definition.check.subject import Subject, error, label, path_of, warning
from engine.definition.diagram import FlowNode, Process, SequenceFlow
from engine.definition.finding import Finding
from engine.definition.graph import begins_by_itself, loops_without, reachable, successors
from engine.model.text import shown

_MOVES_ON_AT_ONCE = words(
    "subProcess adHocSubProcess transaction "
    "startEvent endEvent intermediateThrowEvent scriptTask businessRuleTask task manualTask exclusiveGateway "
    "parallelGateway inclusiveGateway eventBasedGateway complexGateway"
)
_CHOOSING = ("exclusiveGateway", "inclusiveGateway")


def gateway_condition_missing(subject: Subject) -> Iterator[Finding]:
    """Each way out of an exclusive or inclusive gateway has a condition, but for its default flow: else it is always or never
    taken.

    Why: a flow without a condition is taken always, or never, depending on the order in the file.
    Wrong: two flows out of a gateway, neither with a condition
    Right: a condition on one, and the other marked as the default
    """
    for gateway in subject.process.of_kind(*_CHOOSING):
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
    """A condition stands where it is looked at: on a flow out of an activity, or out of an exclusive or inclusive gateway with a
    choice, and not on a default flow.

    Why: elsewhere it would be ignored, and the flow taken although the condition is false.
    Wrong: a condition on a flow out of a start event
    Right: a condition on a flow out of an exclusive gateway
    """
    for flow in subject.process.flows:
        if flow.condition is not None and (why := _why_ignored(subject.process, flow)):
            yield error(
                "condition-needs-split",
                flow,
                f"Expected a condition only where an activity or an exclusive or inclusive gateway chooses, but {why}. "
                "Do: remove the condition, or put it on a flow out of such a gateway.",
            )


def _why_ignored(process: Process, flow: SequenceFlow) -> str | None:
    source = process.nodes.get(flow.source)
    if source is None:
        return None
    if source.kind not in (*_CHOOSING, *ACTIVITIES):
        return f"this flow leaves {shown(label(source))}, which doesn't choose"
    if source.default == flow.id:
        return "this is the default flow, which is taken when no condition holds"
    if len(process.flows_from(source.id)) == 1:
        return f"this is the only way out of {shown(label(source))}"
    return None


def unreachable_node(subject: Subject) -> Iterator[Finding]:
    """Every element can be reached from a start event.

    Severity: error; may be silenced, because what is never reached does nothing
    Why: an arrow was forgotten, or the element is left over.
    Wrong: a task without an arrow into it
    Right: an arrow from the task before it
    """
    process = subject.process
    if not subject.starts:
        return  # start-event-required has said it
    begins = [node.id for node in process.nodes_in(None) if begins_by_itself(process, node) or node.triggered_by_event]
    reached = reachable(process, begins)
    for node in process.nodes.values():
        if node.id not in reached and (node.scope is None or node.scope in reached):
            yield error(
                "unreachable-node",
                node,
                "Expected a way from a start event to this element, but there is none. Do: connect it, or remove it.",
            )


def parallel_join_after_exclusive_split(subject: Subject) -> Iterator[Finding]:
    """A parallel gateway waits for all of its incoming flows. Where they come from a choice, only one of them ever brings a
    token, and the instance stands still for ever. Of several start events, too, only one begins an instance.

    Severity: warning
    Why: the instance would stand still for ever, and nobody would be told.
    Wrong: an exclusive split joined by a parallel gateway
    Right: an exclusive split joined by an exclusive gateway
    """
    process = subject.process
    joins = [node for node in process.of_kind("parallelGateway") if len(process.flows_to(node.id)) > 1]
    preceding = _preceding(process) if joins else {}
    choices = [(node, ways) for node in process.nodes.values() if len(ways := _ways_out(process, node)) > 1]
    starts = [node for node in process.nodes_in(None) if node.kind == "startEvent"]
    choices += [(start, [(frozenset[str](), frozenset({each.id})) for each in starts]) for start in starts[1:2]]
    for join in joins:
        leading = {flow.id: _leading_to(flow.source, join.id, preceding) for flow in process.flows_to(join.id)}
        choice = next((node for node, ways in choices if _splits(ways, leading)), None)
        if choice is not None:
            one = "only one start event begins an instance" if choice in starts else f"{shown(label(choice))} chooses one of them"
            yield warning(
                "parallel-join-after-exclusive-split",
                join,
                f"Expected all ways into this parallel gateway to be taken together, but {one}. "
                "Do: join with an exclusive or inclusive gateway.",
            )


_Way: TypeAlias = tuple[frozenset[str], frozenset[str]]
"""One way out of a choice: the sequence flows and the nodes that it begins with."""


def _ways_out(process: Process, node: FlowNode) -> list[_Way]:
    """The ways of which a token takes one: a choosing or event-based gateway's flows; completion, or a boundary event. An
    inclusive gateway may take several, but needn't.
    """
    flows = process.flows_from(node.id)
    if node.kind in (*_CHOOSING, "eventBasedGateway"):
        return [(frozenset({flow.id}), frozenset({flow.target})) for flow in flows]
    events = [event for event in process.boundary_events_of(node.id) if event.interrupting]
    interrupted = [(frozenset[str](), frozenset({event.id})) for event in events]
    asked = [flow for flow in flows if flow.condition or flow.id == node.default]
    always = [flow for flow in flows if flow not in asked]
    taken = [[flow] for flow in asked] + ([always] if always or not asked else [])
    return [*((frozenset(f.id for f in each), frozenset(f.target for f in each)) for each in taken), *interrupted]


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
    """A loop contains something that waits, a user task, a service task, a message, a signal or a timer with a duration: else it
    could go round for ever at once. A date that has passed holds up nothing.

    Why: a worker would be busy with one instance for ever.
    Wrong: a script task whose arrow leads back to it
    Right: a timer in the loop, or an arrow out of it
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
    if timer is not None:
        return timer.timer != "date"
    if node.kind == "sendTask":
        return node.topic is not None
    kind = node.events[0].kind if node.events else None
    if node.kind == "boundaryEvent":
        host = process.nodes.get(node.attached_to or "")
        # what happens in those may happen at once
        at_once = host is not None and host.kind in (*SUB_PROCESSES, "scriptTask", "businessRuleTask")
        return not (at_once and kind in ("error", "escalation"))
    if kind in ("message", "signal") and node.kind == "startEvent":
        return node.scope is not None
    return node.kind not in _MOVES_ON_AT_ONCE and kind != "link"
