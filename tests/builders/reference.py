"""What the standard says about tokens, in its plainest form, to hold the engine against.

Tokens lie on sequence flows and at open work; nothing is saved, no library is asked (BPMN 2.0.2, 13.3 and 13.4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from engine.definition.diagram import Process
from engine.expressions import parse_condition


@dataclass(frozen=True)
class Visit:
    """One token that waits at a node, and the boundary timers that still wait beside it."""

    node: str
    timers: frozenset[str] = frozenset()


class Reference:
    """One instance of a process whose gateways are exclusive and parallel ones.

    Where several tokens wait at one node, they differ in the timers that wait beside them; `withdrawn` says which one moves:
    the one beside which these are left. None stands for any.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.on_flows: Counter[str] = Counter()
        self.open: list[Visit] = []

    def start(self, event: str, data: Mapping[str, object]) -> None:
        self._leave(event)
        self._run(data)

    def complete(self, node: str, data: Mapping[str, object], withdrawn: frozenset[str] | None = None) -> None:
        self._end(node, withdrawn)
        self._leave(node)
        self._run(data)

    def fail(self, node: str, boundary: str, data: Mapping[str, object], withdrawn: frozenset[str] | None = None) -> None:
        self._end(node, withdrawn)
        self._leave(boundary)
        self._run(data)

    def fire(self, timer: str, data: Mapping[str, object], withdrawn: frozenset[str] | None = None) -> None:
        event = self.process.nodes[timer]
        if event.attached_to is None:
            self._end(timer, withdrawn)
        elif event.interrupting:
            self._end(event.attached_to, withdrawn if withdrawn is None else withdrawn | {timer})
        else:
            visit = next(each for each in self.open if timer in each.timers)
            self.open[self.open.index(visit)] = Visit(visit.node, visit.timers - {timer})
        self._leave(timer)
        self._run(data)

    @property
    def waiting(self) -> Counter[str]:
        return Counter(name for visit in self.open for name in (visit.node, *visit.timers))

    @property
    def completed(self) -> bool:
        return not self.open and not self.on_flows

    def _end(self, node: str, timers: frozenset[str] | None) -> None:
        self.open.remove(next(each for each in self.open if each.node == node and timers in (None, each.timers)))

    def _run(self, data: Mapping[str, object]) -> None:
        while any(self._enter(node, data) for node in self.process.nodes):
            pass

    def _enter(self, node_id: str, data: Mapping[str, object]) -> bool:
        kind = self.process.nodes[node_id].kind
        incoming = Counter([flow.id for flow in self.process.flows_to(node_id)])
        if kind == "parallelGateway":
            if not incoming or incoming - self.on_flows:
                return False
            self.on_flows -= incoming
            self._leave(node_id)
            return True
        arrived = next((flow for flow in incoming if self.on_flows[flow]), None)
        if arrived is None:
            return False
        self.on_flows -= Counter([arrived])
        if kind in ("userTask", "serviceTask", "intermediateCatchEvent"):
            beside = (event.id for event in self.process.boundary_events_of(node_id) if self.process.timer_of(event.id))
            self.open.append(Visit(node_id, frozenset(beside)))
        elif kind == "exclusiveGateway":
            self.on_flows += Counter([self._chosen(node_id, data)])
        else:
            self._leave(node_id)
        return True

    def _chosen(self, gateway: str, data: Mapping[str, object]) -> str:
        flows = self.process.flows_from(gateway)
        holding = [f.id for f in flows if f.condition and parse_condition(f.condition).holds(data)]  # type: ignore[arg-type]
        return [*holding, *(f.id for f in flows if not f.condition)][0]

    def _leave(self, node: str) -> None:
        self.on_flows += Counter([flow.id for flow in self.process.flows_from(node)])
