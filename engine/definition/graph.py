"""Where tokens can go on a process: reachability, proof that a node is always passed, and loops.

Tokens leave an activity by its sequence flows when it is completed, and by its boundary events when it is not; one that does
not interrupt brings a second token. Data is not looked at: every condition may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.definition.bpmn_xml import SUB_PROCESSES
from engine.definition.diagram import FlowNode, Process
from engine.definition.scopes import catcher_of, interrupts, is_end, link_sources, link_targets, start_of


@dataclass(frozen=True, slots=True)
class Reach:
    """What tokens reach, and for each node where the first one came from (None: it begins there). `through` says how a
    sub-process was passed that a node was reached from.
    """

    came_from: Mapping[str, str | None]
    through: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, node: object) -> bool:
        return node in self.came_from

    def path_to(self, node: str) -> tuple[str, ...]:
        """One way to a reached node, from where tokens begin."""
        path = [node]
        while (before := self.came_from[path[-1]]) is not None:
            path += [*reversed(self.through.get(path[-1], ())), before]
        return tuple(reversed(path))


def start_nodes(process: Process, *, second_tokens: bool = True) -> tuple[str, ...]:
    """Where tokens begin: the start events outside of sub-processes, and the event sub-processes there, at any time.

    `second_tokens=False`: not at event sub-processes that don't interrupt.
    """
    starts = [node.id for node in process.nodes_in(None) if node.kind == "startEvent"]
    return (*starts, *_handlers(process, None, second_tokens))


def successors(process: Process, node: str, *, second_tokens: bool = True) -> Iterator[str]:
    """The nodes that a token can go to next from `node`: into a sub-process, and from its end to what follows it.

    `second_tokens=False`: not by what doesn't interrupt.
    """
    yield from _aside(process, node, second_tokens)
    if node not in process.nodes:
        return
    if process.nodes[node].kind not in SUB_PROCESSES or may_be_passed(process.nodes[node]):
        yield from _onwards(process, node)
    if is_end(process, process.nodes[node]):
        yield from _out_of(process, process.nodes[node].scope)


def _aside(process: Process, node: str, second_tokens: bool) -> Iterator[str]:
    """Where a token can come to while it is at a node: its boundary events, and what is inside a sub-process."""
    yield from (event.id for event in process.boundary_events_of(node) if event.interrupting or second_tokens)
    if node in process.nodes and process.nodes[node].kind in SUB_PROCESSES:
        yield from (each.id for each in process.nodes_in(node) if begins_by_itself(process, each))
        yield from _handlers(process, node, second_tokens)


def _handlers(process: Process, scope: str | None, second_tokens: bool) -> Iterator[str]:
    handlers = (each for each in process.nodes_in(scope) if each.triggered_by_event)
    return (each.id for each in handlers if second_tokens or interrupts(process, each))


def _onwards(process: Process, node: str) -> Iterator[str]:
    yield from (flow.target for flow in process.flows_from(node) if flow.target in process.nodes)
    yield from (target.id for target in link_targets(process, process.nodes[node]))


def _out_of(process: Process, scope: str | None) -> Iterator[str]:
    """Where the end of a sub-process leads: behind it, and behind what ends together with it."""
    while scope is not None:
        around = process.nodes[scope]
        if around.triggered_by_event and not interrupts(process, around):
            return
        yield from _onwards(process, scope)
        if not around.triggered_by_event and process.flows_from(scope):
            return
        scope = around.scope


def may_be_passed(node: FlowNode) -> bool:
    """Whether a token can pass an activity that isn't done even once: a repeated one, of which there may be none."""
    return node.repetition is not None and node.repetition.may_be_none


def begins_by_itself(process: Process, node: FlowNode) -> bool:
    """Whether a token can be on `node` without coming from elsewhere in its scope; event sub-processes aside."""
    if node.kind == "boundaryEvent":
        return node.attached_to not in process.nodes
    unlinked = any(event.kind == "link" for event in node.events) and not process.flows_to(node.id)
    apart = (unlinked and not link_sources(process, node.id)) or "isForCompensation" in node.unsupported
    return node.kind == "startEvent" or apart


def reachable(process: Process, starts: Collection[str], *, leave: bool = True) -> Reach:
    """Everything that a token can come to from `starts`; a join counts as passed when one of its flows brings a token.

    `leave=False`: without what comes after the sub-processes that the starts are inside of.
    """
    return _Spread(process, frozenset(), joins_wait=False, leave=leave).over(starts)


def reachable_by_first_tokens(process: Process, starts: Collection[str]) -> Reach:
    """The same, without what only a second token comes to, one that an event which doesn't interrupt has brought."""
    return _Spread(process, frozenset(), joins_wait=False, second_tokens=False).over(starts)


def reachable_without(process: Process, starts: Collection[str], avoided: Collection[str]) -> Reach:
    """Everything that tokens can come to before any of `avoided` was completed.

    An avoided node itself can be reached, and left by its boundary events. A parallel join lets nothing through until every
    one of its flows can bring a token, and a sub-process is left only after one of its ends was reached by the token that it
    began with, or that interrupted it: so what is not in the result is reached only after one of `avoided` was completed.
    """
    return _Spread(process, frozenset(avoided), joins_wait=True).over(starts)


@dataclass
class _Spread:
    """Walks from node to node, breadth first, so that paths are short."""

    process: Process
    avoided: frozenset[str]
    joins_wait: bool
    second_tokens: bool = True
    leave: bool = True
    within: str | None = None  # walks inside this sub-process alone
    others: Mapping[str, set[str]] = field(default_factory=dict)  # who can bring a join a token that isn't walked with here
    left: dict[str, tuple[str, ...] | None] = field(default_factory=dict)  # how a sub-process can be done, as far as is known
    arrived: dict[str, set[str]] = field(default_factory=dict)

    def over(self, starts: Collection[str]) -> Reach:
        """What is reached from `starts`."""
        came_from: dict[str, str | None] = dict.fromkeys(starts)
        through: dict[str, tuple[str, ...]] = {}
        waiting = list(starts)
        for node in waiting:  # grows while it is walked
            for following, source, inside in self._steps(node, came_from):
                if following in came_from:
                    continue
                self.arrived.setdefault(following, set()).add(source)
                if not self.joins_wait or self._may_pass(following):
                    came_from[following] = node
                    through[following] = inside
                    waiting.append(following)
        return Reach(came_from, through)

    def _steps(self, node: str, reached: Mapping[str, object]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Where to, from which element, and what lies between."""
        yield from ((each, node, ()) for each in _aside(self.process, node, self.second_tokens))
        drawn = self.process.nodes.get(node)
        if drawn is None:
            return
        inside = () if may_be_passed(drawn) else self._way_through(drawn)
        if inside is None:
            return
        yield from ((each, node, inside) for each in _onwards(self.process, node))
        if is_end(self.process, drawn) and drawn.scope not in reached and drawn.scope != self.within and self.leave:
            around = drawn.scope and self.process.nodes[drawn.scope]
            if around and around.id not in self.avoided:
                yield from ((each, around.id, ()) for each in _out_of(self.process, around.id))

    def _way_through(self, node: FlowNode) -> tuple[str, ...] | None:
        """How a node can be completed, by the nodes inside it; None where it can't be without what is avoided."""
        if node.id in self.avoided:
            return None
        if node.kind not in SUB_PROCESSES:
            return ()
        if node.id not in self.left:
            self.left[node.id] = None  # a sub-process isn't inside itself
            self.left[node.id] = self._way_inside(node.id)
        return self.left[node.id]

    def _way_inside(self, scope: str) -> tuple[str, ...] | None:
        begins = [each.id for each in self.process.nodes_in(scope) if begins_by_itself(self.process, each)]
        starts = [*begins, *_handlers(self.process, scope, second_tokens=False)]
        others = self._inside(scope, second_tokens=True)
        others.over(starts)
        inner = self._inside(scope, second_tokens=False, others=others.arrived)
        reach = inner.over(starts)
        for node in self.process.nodes_in(scope):
            done = is_end(self.process, node) and inner._way_through(node) is not None
            handled = node.triggered_by_event and inner._way_through(node) is not None
            if node.id in reach and (done or handled):
                return (*reach.path_to(node.id), *(inner._way_through(node) or ()))
        return None

    def _inside(self, scope: str, *, second_tokens: bool, others: Mapping[str, set[str]] = MappingProxyType({})) -> _Spread:
        return _Spread(self.process, self.avoided, self.joins_wait, second_tokens, within=scope, others=others, left=self.left)

    def _may_pass(self, node: str) -> bool:
        if self.process.nodes[node].kind != "parallelGateway":
            return True
        arrived = self.arrived[node] | self.others.get(node, set())
        return all(flow.source in arrived for flow in self.process.flows_to(node))


def loops_without(process: Process, is_wait: Callable[[FlowNode], bool]) -> list[tuple[str, ...]]:
    """The loops on which a token can go round without ever having to wait, each as a path of its nodes.

    A node that waits can still be left at once, by a boundary event that doesn't wait (a date that has passed).
    """
    following = {key: list(_at_once(process, node, is_wait)) for key, node in process.nodes.items()}
    return [_round(group, following) for group in _strongly_connected(following) if _is_loop(group, following)]


def _at_once(process: Process, node: FlowNode, is_wait: Callable[[FlowNode], bool]) -> Iterator[str]:
    if is_wait(node):
        yield from (event.id for event in process.boundary_events_of(node.id) if not is_wait(event))
        return
    yield from (each for each in successors(process, node.id) if not _is_thrown_to(process, node, process.nodes[each]))
    if (catching := catcher_of(process, node)) is not None:
        yield catching.id


def _is_thrown_to(process: Process, scope: FlowNode, node: FlowNode) -> bool:
    """Whether a boundary event or event sub-process waits for what is thrown inside a sub-process: that is what leads there."""
    if scope.kind not in SUB_PROCESSES and not node.triggered_by_event:
        return False
    event = start_of(process, node.id) if node.triggered_by_event else node
    waits = node.triggered_by_event or node.attached_to == scope.id
    return waits and event is not None and any(each.kind in ("error", "escalation") for each in event.events)


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
