"""Path coverage: which flow nodes and sequence flows of a process were passed by some scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from engine.definition.diagram import FlowNode, Process, SequenceFlow
from engine.rehearsal.performance import Performance


@dataclass(frozen=True)
class PathCoverage:
    """How many scenarios passed each element of a process, by its id."""

    process: Process
    passed: Counter[str]

    @property
    def uncovered_nodes(self) -> tuple[FlowNode, ...]:
        """The flow nodes that no scenario passed, in the order of the file."""
        return tuple(node for node in self.process.nodes.values() if not self.passed[node.id])

    @property
    def uncovered_flows(self) -> tuple[SequenceFlow, ...]:
        """The sequence flows that no scenario passed, in the order of the file."""
        return tuple(flow for flow in self.process.flows if not self.passed[flow.id])

    @property
    def nodes(self) -> tuple[int, int]:
        """How many flow nodes are covered, of how many."""
        return len(self.process.nodes) - len(self.uncovered_nodes), len(self.process.nodes)

    @property
    def flows(self) -> tuple[int, int]:
        """How many sequence flows are covered, of how many."""
        return len(self.process.flows) - len(self.uncovered_flows), len(self.process.flows)

    @property
    def percent(self) -> int:
        """Flow nodes and sequence flows together, rounded down: 100 means all of them."""
        (nodes, all_nodes), (flows, all_flows) = self.nodes, self.flows
        return (nodes + flows) * 100 // max(all_nodes + all_flows, 1)

    def name_of(self, flow: SequenceFlow) -> str:
        """A sequence flow as people know it: from where to where, and its name."""
        ends = (self.process.nodes.get(key) for key in (flow.source, flow.target))
        way = " -> ".join((node.name or node.id) if node is not None else "?" for node in ends)
        return f"{way} ({flow.name})" if flow.name else way


def path_coverage(process: Process, performances: Iterable[Performance]) -> PathCoverage:
    """The coverage of a process by all of its scenarios together, those that fail included."""
    passed: Counter[str] = Counter()
    for each in performances:
        passed.update(each.nodes | each.flows)
    return PathCoverage(process, passed)
