"""What the standard says about tokens, in its plainest form, to hold the engine against.

Tokens lie on sequence flows and at open work; nothing is saved, no library is asked (BPMN 2.0.2, 13.3 and 13.4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from engine.definition.diagram import Process
from engine.expressions import parse_condition


class Reference:
    """One instance of a process whose gateways are exclusive and parallel ones."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.on_flows: Counter[str] = Counter()
        self.waiting: Counter[str] = Counter()

    def start(self, event: str, data: Mapping[str, object]) -> None:
        self._leave(event)
        self._run(data)

    def complete(self, node: str, data: Mapping[str, object]) -> None:
        self.waiting -= Counter([node])
        self._leave(node)
        self._run(data)

    def fail(self, node: str, boundary: str, data: Mapping[str, object]) -> None:
        self.waiting -= Counter([node])
        self._leave(boundary)
        self._run(data)

    @property
    def completed(self) -> bool:
        return not self.waiting and not self.on_flows

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
        if kind in ("userTask", "serviceTask"):
            self.waiting += Counter([node_id])
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
