"""What the standard says about tokens in sub-processes, in its plainest form, to hold the engine against.

Each scope has its own tokens: on its sequence flows, and at its open work. Nothing is saved, no library is asked (BPMN 2.0.2,
13.3.2 to 13.3.5, 13.5). Where the diagram leaves the order open, the diagrams that are held against it don't depend on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.definition.diagram import EventDefinition, FlowNode, Process
from engine.expressions import parse_condition

WORK = ("userTask", "serviceTask", "intermediateCatchEvent")


@dataclass(eq=False)
class Visit:
    """One activity under way: what still waits on its edge, what is inside of it, and how often it was done."""

    node: FlowNode
    scope: Scope
    edge: list[FlowNode] = field(default_factory=list)
    inside: list[Scope | None] = field(default_factory=list)  # an instance each; None is one without an inside
    done: int = 0


@dataclass(eq=False)
class Scope:
    """One instance of the process, a sub-process or an event sub-process."""

    node: FlowNode | None
    visit: Visit | None = None
    around: Scope | None = None
    flows: Counter[str] = field(default_factory=Counter)
    visits: list[Visit] = field(default_factory=list)
    handling: list[Scope] = field(default_factory=list)
    armed: list[FlowNode] = field(default_factory=list)  # event sub-processes

    @property
    def empty(self) -> bool:
        return not self.flows and not self.visits and not self.handling

    def end(self) -> None:
        self.flows.clear()
        for each in (self.visits, self.handling, self.armed):
            each.clear()  # type: ignore[attr-defined] # all of them are lists


class ScopeReference:
    """One instance. `walked` is what was passed in the last move, each as often as it was."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.top = Scope(None)
        self.data: dict[str, Any] = {}
        self.walked: Counter[str] = Counter()

    # moves ..........................................................................................................

    def start(self, data: Mapping[str, Any]) -> None:
        self.data = dict(data)
        self._open(self.top)
        self._run()

    def move(self, node: str, data: Mapping[str, Any], code: str | None = None) -> bool:
        """Something that waits at `node` is done, has failed with `code`, or has come. False when nothing catches the error."""
        self.walked = Counter()
        self.data = dict(data)
        kind = self.process.nodes[node].kind
        if kind == "boundaryEvent":
            visit = next(v for s in self._scopes() for v in s.visits for event in v.edge if event.id == node)
            self._leave_by(visit, self.process.nodes[node])
        elif kind == "startEvent":
            scope, handler = next((s, h) for s in self._scopes() for h in s.armed if self._start_of(h).id == node)
            self._handle(scope, handler)
        else:
            visit = next(v for s in self._scopes() for v in s.visits if v.node.id == node)
            if code is not None:
                if not self._throw(visit, visit.scope, "error", code):
                    return False
            else:
                self._instance_done(visit, visit.inside[0])
        self._run()
        return True

    @property
    def waiting(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for scope in self._scopes():
            found.update(self._start_of(each).id for each in scope.armed if self._start_of(each).events[0].kind == "timer")
            for visit in scope.visits:
                found.update(event.id for event in visit.edge if event.events[0].kind == "timer")
                found[visit.node.id] += len([each for each in visit.inside if each is None])
        return +found

    @property
    def completed(self) -> bool:
        return self.top.empty

    # tokens .........................................................................................................

    def _scopes(self, scope: Scope | None = None) -> Iterator[Scope]:
        scope = scope or self.top
        yield scope
        for visit in scope.visits:
            for each in visit.inside:
                if each is not None:
                    yield from self._scopes(each)
        for each in scope.handling:
            yield from self._scopes(each)

    def _run(self) -> None:
        while any(self._enter(scope, node) for scope in list(self._scopes()) for node in self._nodes(scope)) or self._leave():
            pass
        if self.top.empty:
            self.top.end()

    def _nodes(self, scope: Scope) -> tuple[FlowNode, ...]:
        return self.process.nodes_in(scope.node.id if scope.node else None)

    def _start_of(self, scope: FlowNode) -> FlowNode:
        return next(node for node in self.process.nodes_in(scope.id) if node.kind == "startEvent")

    def _open(self, scope: Scope) -> None:
        scope.armed = [node for node in self._nodes(scope) if node.triggered_by_event]
        start = next(node for node in self._nodes(scope) if node.kind == "startEvent")
        self._pass(scope, start)

    def _pass(self, scope: Scope, node: FlowNode) -> None:
        self.walked[node.id] += 1
        scope.flows.update(flow.id for flow in self.process.flows_from(node.id))

    def _enter(self, scope: Scope, node: FlowNode) -> bool:
        incoming = Counter([flow.id for flow in self.process.flows_to(node.id)])
        if node.kind == "parallelGateway":
            if incoming - scope.flows:
                return False
            scope.flows -= incoming
            self._pass(scope, node)
            return True
        arrived = next((flow for flow in incoming if scope.flows[flow]), None)
        if arrived is None:
            return False
        scope.flows -= Counter([arrived])
        self._at(scope, node)
        return True

    def _at(self, scope: Scope, node: FlowNode) -> None:
        if node.kind in WORK or node.kind == "subProcess":
            self._begin(scope, node)
        elif node.kind == "exclusiveGateway":
            self.walked[node.id] += 1
            scope.flows[self._chosen(node)] += 1
        else:
            self._pass(scope, node)
            self._throw_at(scope, node)

    def _throw_at(self, scope: Scope, node: FlowNode) -> None:
        event = node.events[0] if node.events else None
        if event is None:
            return
        if event.kind == "terminate":
            scope.end()
        elif event.kind == "escalation":
            self._throw(None, scope, "escalation", event.code)
        elif event.kind == "error" and not self._throw(None, scope, "error", event.code):
            self.top.end()

    def _chosen(self, gateway: FlowNode) -> str:
        flows = self.process.flows_from(gateway.id)
        holding = [flow.id for flow in flows if flow.condition and parse_condition(flow.condition).holds(self.data)]
        return [*holding, *(flow.id for flow in flows if not flow.condition)][0]

    # activities .....................................................................................................

    def _begin(self, scope: Scope, node: FlowNode) -> None:
        visit = Visit(node, scope, list(self.process.boundary_events_of(node.id)))
        scope.visits.append(visit)
        marker = node.repetition
        together = marker and not marker.sequential
        for _ in range(int(marker.cardinality or 0) if marker and together else 1):
            self._begin_instance(visit)

    def _begin_instance(self, visit: Visit) -> None:
        if visit.node.kind != "subProcess":
            visit.inside.append(None)
            return
        inside = Scope(visit.node, visit, visit.scope)
        visit.inside.append(inside)
        self._open(inside)

    def _instance_done(self, visit: Visit, instance: Scope | None) -> None:
        visit.inside.remove(instance)
        visit.done += 1
        self.walked[visit.node.id] += 1
        marker = visit.node.repetition
        if marker and marker.sequential and visit.done < (marker.maximum or int(marker.cardinality or 0)):
            self._begin_instance(visit)
        elif not visit.inside:
            visit.scope.visits.remove(visit)
            visit.scope.flows.update(flow.id for flow in self.process.flows_from(visit.node.id))

    def _leave(self) -> bool:
        """Leave a scope in which no token is left."""
        for scope in list(self._scopes()):
            if scope.empty and scope.visit is not None:
                self._instance_done(scope.visit, scope)
                return True
            if scope.empty and scope.around is not None and scope.node is not None:
                scope.around.handling.remove(scope)
                self.walked[scope.node.id] += 1
                return True
        return False

    # events .........................................................................................................

    def _throw(self, visit: Visit | None, scope: Scope | None, kind: str, code: str | None) -> bool:
        """Outwards from an activity, or from inside a scope, to whatever catches this."""
        if visit is not None and (event := self._fitting(visit.edge, kind, code)):
            self._leave_by(visit, event)
            return True
        while scope is not None:
            starts = {self._start_of(each).id: each for each in scope.armed}
            if event := self._fitting([self.process.nodes[key] for key in starts], kind, code):
                self._handle(scope, starts[event.id])
                return True
            if scope.visit is not None and (event := self._fitting(scope.visit.edge, kind, code)):
                self._leave_by(scope.visit, event)
                return True
            scope = scope.around
        return False

    def _fitting(self, events: list[FlowNode], kind: str, code: str | None) -> FlowNode | None:
        def caught(event: EventDefinition) -> bool:
            return event.kind == kind and event.code in (None, code)

        fitting = [each for each in events if caught(each.events[0])]
        fitting.sort(key=lambda each: each.events[0].code is None)
        return fitting[0] if fitting else None

    def _leave_by(self, visit: Visit, event: FlowNode) -> None:
        if event.interrupting:
            visit.scope.visits.remove(visit)
        elif event.events[0].kind == "timer":
            visit.edge.remove(event)
        self._pass(visit.scope, event)

    def _handle(self, scope: Scope, handler: FlowNode) -> None:
        start = self._start_of(handler)
        if start.interrupting:
            scope.end()
        elif start.events[0].kind == "timer":
            scope.armed.remove(handler)
        inside = Scope(handler, None, scope)
        scope.handling.append(inside)
        self._open(inside)
