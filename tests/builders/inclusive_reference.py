"""What the standard says about inclusive gateways, word for word (BPMN 2.0.2, 13.4.3), to hold the engine against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from engine.definition.diagram import SequenceFlow
from engine.expressions import parse_condition
from tests.builders.reference import Reference


class InclusiveReference(Reference):
    """One instance of a process with inclusive gateways, too. A join is asked when nothing else moves."""

    def _run(self, data: Mapping[str, object]) -> None:
        super()._run(data)
        while any(self._join(node.id, data) for node in self.process.of_kind("inclusiveGateway")):
            super()._run(data)

    def _enter(self, node_id: str, data: Mapping[str, object]) -> bool:
        if self.process.nodes[node_id].kind != "inclusiveGateway":
            return super()._enter(node_id, data)
        incoming = self.process.flows_to(node_id)
        if len(incoming) > 1 or not self.on_flows[incoming[0].id]:
            return False
        self._pass(node_id, [incoming[0].id], data)
        return True

    def _join(self, node_id: str, data: Mapping[str, object]) -> bool:
        incoming = self.process.flows_to(node_id)
        filled = [flow.id for flow in incoming if self.on_flows[flow.id]]
        if len(incoming) < 2 or not filled:
            return False
        for begin in self._tokens():
            ends = self._ends(begin, node_id)
            if ends - set(filled) and not ends & set(filled):
                return False
        self._pass(node_id, filled, data)
        return True

    def _tokens(self) -> list[list[SequenceFlow]]:
        """The ways on which each token can begin: the flow that it is on, or those out of the work that it is at."""
        on_flows = [[flow] for flow in self.process.flows if self.on_flows[flow.id]]
        return on_flows + [self._out_of(visit.node) for visit in self.open]

    def _out_of(self, node: str) -> list[SequenceFlow]:
        beside = (each.id for each in self.process.boundary_events_of(node))
        return [flow for key in (node, *beside) for flow in self.process.flows_from(key)]

    def _ends(self, begin: list[SequenceFlow], gateway: str) -> set[str]:
        """The incoming flows of the gateway with which a path can end that doesn't visit it."""
        seen, waiting, ends = set[str](), list(begin), set[str]()
        for flow in waiting:
            if flow.id in seen:
                continue
            seen.add(flow.id)
            if flow.target == gateway:
                ends.add(flow.id)
            else:
                waiting += self._out_of(flow.target)
        return ends

    def _pass(self, node_id: str, taken: list[str], data: Mapping[str, object]) -> None:
        self.on_flows -= Counter(taken)
        flows = self.process.flows_from(node_id)
        holding = [f.id for f in flows if f.condition and parse_condition(f.condition).holds(data)]  # type: ignore[arg-type]
        self.on_flows += Counter(holding or [f.id for f in flows if not f.condition])
