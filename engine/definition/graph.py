"""Where tokens can go on a process: reachability, proof that a node is always passed, and loops.

Tokens leave an activity by its sequence flows when it is completed, and by its boundary events when it is not; one that does
not interrupt brings a second token. Data is not looked at: every condition may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from engine.definition.bpmn_xml import SUB_PROCESSES
from engine.definition.diagram import FlowNode, Process


@dataclass(frozen=True, slots=True)
class Reach:
    """What tokens reach, and for each node where the first one came from (None: it begins there)."""

    came_from: Mapping[str, str | None]

    def __contains__(self, node: object) -> bool:
        return node in self.came_from

    def path_to(self, node: str) -> tuple[str, ...]:
        """One way to a reached node, from where tokens begin."""
        path = [node]
        while (before := self.came_from[path[-1]]) is not None:
            path.append(before)
        return tuple(reversed(path))


def start_nodes(process: Process) -> tuple[str, ...]:
    """Where tokens begin: the start events outside of sub-processes."""
    return tuple(node.id for node in process.of_kind("startEvent") if node.scope is None)


def successors(process: Process, node: str, *, completed: bool = True, second_tokens: bool = True) -> Iterator[str]:
    """The nodes that a token can go to next from `node`. `completed=False`: only by its boundary events.

    `second_tokens=False`: not by boundary events that don't interrupt.
    """
    yield from (event.id for event in process.boundary_events_of(node) if event.interrupting or second_tokens)
    if not completed or node not in process.nodes:
        return
    if process.nodes[node].kind in SUB_PROCESSES:
        yield from _entries(process, node)
    yield from (flow.target for flow in process.flows_from(node) if flow.target in process.nodes)


def _entries(process: Process, scope: str) -> Iterator[str]:
    """Where a sub-process begins, and what begins by itself within it (event sub-processes, link targets)."""
    inside = (node for node in process.nodes.values() if node.scope == scope)
    return (node.id for node in inside if begins_by_itself(process, node))


def begins_by_itself(process: Process, node: FlowNode) -> bool:
    """Whether a token can be on `node` without coming from elsewhere in its scope."""
    if node.kind == "boundaryEvent":
        return node.attached_to not in process.nodes
    linked = any(event.kind == "link" for event in node.events) or "isForCompensation" in node.unsupported
    return node.kind == "startEvent" or linked or "triggeredByEvent" in node.unsupported


def reachable(process: Process, starts: Collection[str]) -> Reach:
    """Everything that a token can come to from `starts`; a join counts as passed when one of its flows brings a token."""
    return _spread(process, starts, frozenset(), joins_wait=False)


def reachable_by_first_tokens(process: Process, starts: Collection[str]) -> Reach:
    """The same, without what only a second token comes to, one that an event which doesn't interrupt has brought."""
    return _spread(process, starts, frozenset(), joins_wait=False, second_tokens=False)


def reachable_without(process: Process, starts: Collection[str], avoided: Collection[str]) -> Reach:
    """Everything that tokens can come to before any of `avoided` was completed.

    An avoided node itself can be reached, and left by its boundary events. A parallel join lets nothing through until every
    one of its flows can bring a token: so what is not in the result is reached only after one of `avoided` was completed.
    """
    return _spread(process, starts, frozenset(avoided), joins_wait=True)


def _spread(
    process: Process, starts: Collection[str], avoided: frozenset[str], *, joins_wait: bool, second_tokens: bool = True
) -> Reach:
    came_from: dict[str, str | None] = dict.fromkeys(starts)
    arrived: dict[str, set[str]] = {}
    waiting = list(starts)
    for node in waiting:  # grows while it is walked: breadth first, so paths are short
        for following in successors(process, node, completed=node not in avoided, second_tokens=second_tokens):
            if following in came_from:
                continue
            arrived.setdefault(following, set()).add(node)
            if not joins_wait or _may_pass(process, following, arrived[following]):
                came_from[following] = node
                waiting.append(following)
    return Reach(came_from)


def _may_pass(process: Process, node: str, arrived: set[str]) -> bool:
    if process.nodes[node].kind != "parallelGateway":
        return True
    return all(flow.source in arrived for flow in process.flows_to(node))


def loops_without(process: Process, is_wait: Callable[[FlowNode], bool]) -> list[tuple[str, ...]]:
    """The loops on which a token can go round without ever having to wait, each as a path of its nodes.

    A node that waits can still be left at once, by a boundary event that doesn't wait (a date that has passed).
    """
    following = {key: list(_at_once(process, node, is_wait)) for key, node in process.nodes.items()}
    return [_round(group, following) for group in _strongly_connected(following) if _is_loop(group, following)]


def _at_once(process: Process, node: FlowNode, is_wait: Callable[[FlowNode], bool]) -> Iterator[str]:
    if not is_wait(node):
        yield from successors(process, node.id)
    else:
        yield from (event.id for event in process.boundary_events_of(node.id) if not is_wait(event))


def _is_loop(group: list[str], following: Mapping[str, list[str]]) -> bool:
    return len(group) > 1 or group[0] in following[group[0]]


def _round(group: list[str], following: Mapping[str, list[str]]) -> tuple[str, ...]:
    """A shortest way round within a strongly connected group, from its first node in document order."""
    members = set(group)
    first = next(key for key in following if key in members)
    came_from: dict[str, str] = {}
    waiting = [first]
    for node in waiting:
        for each in following[node]:
            if each in members and each not in came_from:
                came_from[each] = node
                waiting.append(each)
    path = [first]
    while (before := came_from[path[-1]]) != first:
        path.append(before)
    return (first, *reversed(path[1:]))


def _strongly_connected(following: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Kosaraju's two passes, without recursion: a long diagram is a deep one."""
    preceding: dict[str, list[str]] = {key: [] for key in following}
    for key, targets in following.items():
        for target in targets:
            preceding[target].append(key)
    seen: set[str] = set()
    for key in reversed(_finished(following)):
        if key not in seen:
            yield _collect(key, preceding, seen)


def _finished(following: Mapping[str, list[str]]) -> list[str]:
    """The nodes in the order in which a depth-first walk leaves them."""
    seen: set[str] = set()
    order: list[str] = []
    for root in following:
        stack = [(root, iter(following[root]))] if root not in seen else []
        seen.add(root)
        while stack:
            node, rest = stack[-1]
            step = next((each for each in rest if each not in seen), None)
            if step is None:
                order.append(node)
                stack.pop()
            else:
                seen.add(step)
                stack.append((step, iter(following[step])))
    return order


def _collect(root: str, preceding: Mapping[str, list[str]], seen: set[str]) -> list[str]:
    seen.add(root)
    group = [root]
    for node in group:  # grows while it is walked
        for each in preceding[node]:
            if each not in seen:
                seen.add(each)
                group.append(each)
    return group
