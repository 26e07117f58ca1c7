"""The library's form of a process, built from our own model of the diagram: one tree for each start event."""

from __future__ import annotations

from typing import Any

from SpiffWorkflow.bpmn.specs import BpmnProcessSpec

from engine.definition.diagram import FlowNode, Process, SequenceFlow
from engine.definition.scopes import link_targets, start_of
from engine.execution.token_game.catching import BoundarySplit
from engine.execution.token_game.inclusive import upstream_of
from engine.execution.token_game.kinds import part_of
from engine.execution.token_game.multi_instance import Repeated
from engine.execution.token_game.parts import FlowCondition, FlowSplit
from engine.execution.token_game.scopes import Container, Scope
from engine.execution.token_game.ways import note_way

_CHOOSING = ("exclusiveGateway", "inclusiveGateway")


class Tree(BpmnProcessSpec):  # type: ignore[misc]  # the library is untyped
    """A process as the library holds it."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.handlers: list[str] = []
        """The event sub-processes that wait while an instance runs."""
        self.scoped = False
        """Whether there are parts with tokens of their own inside them."""
        self.repeats = False
        """Whether there are activities that are done several times."""


def build_tree(process: Process, start: str) -> Tree:
    """The library's form of a process that begins at the start event `start`. The others are not part of it.

    Everything that `check` refuses is expected to have been refused before.
    """
    return _Builder(process, start).build()


class _Builder:
    """`entry` is where a sequence flow into a node leads: its boundary split, the container of its instances, or the node
    itself; `left` is from where its sequence flows lead on.
    """

    def __init__(self, process: Process, start: str) -> None:
        self.process, self.start = process, start
        self.tree = Tree(process.id)
        self.entry: dict[str, Any] = {}
        self.left: dict[str, Any] = {}

    def build(self) -> Tree:
        tree = self.tree
        for node in self.process.nodes.values():
            if (part := self._part(node)) is not None:
                self.entry[node.id] = self.left[node.id] = self._repeated(node, part)
        for key in list(self.entry):
            self._begin_scope(self.process.nodes[key])
            self._attach_boundary_events(key)
            self._split_flows(key)
        for key in self.entry:
            self._connect(self.process.nodes[key])
        for gateway in self.process.of_kind("parallelGateway"):
            sources = (flow.source for flow in self.process.flows_to(gateway.id))
            tree.task_specs[gateway.id].complete = all(source in self.entry for source in sources)
        for gateway in self.process.of_kind("inclusiveGateway"):
            tree.task_specs[gateway.id].upstream = upstream_of(self.process, gateway.id)
        tree.start.connect(self.entry[self.start])
        tree.scoped = any(isinstance(part, Container) for part in tree.task_specs.values())
        tree.repeats = any(isinstance(part, Repeated) for part in tree.task_specs.values())
        return tree

    def _part(self, node: FlowNode) -> Any:
        if node.kind == "subProcess":
            return self._sub_process(node)
        if node.kind == "startEvent" and node.scope is None and node.id != self.start:
            return None
        return part_of(self.tree, node)

    def _sub_process(self, node: FlowNode) -> Scope:
        start = start_of(self.process, node.id)
        assert start is not None  # `check` has seen to it
        event = start.events[0] if node.triggered_by_event else None
        return Scope(self.tree, node.id, start.id, event, start.interrupting)

    def _repeated(self, node: FlowNode, part: Any) -> Any:
        """The container of an activity's instances; the activity itself where it is done once."""
        if node.repetition is None:
            return part
        container = Repeated(self.tree, node.id, node.repetition)
        part._connect_notify(container)
        return container

    def _begin_scope(self, node: FlowNode) -> None:
        scope = self.tree.task_specs[node.id]
        if not isinstance(scope, Scope):
            return
        self.tree.task_specs[scope.start]._connect_notify(scope)
        if scope.event is not None:
            around = self.tree.task_specs[node.scope] if node.scope else self.tree
            around.handlers.append(node.id)
            scope._connect_notify(self.tree.task_specs[node.scope] if node.scope else self.tree.start)

    def _attach_boundary_events(self, key: str) -> None:
        events = self.process.boundary_events_of(key)
        if not events:
            return
        split = BoundarySplit(self.tree, f"{key}.BoundaryEventSplit")
        for part in (self.entry[key], *(self.tree.task_specs[event.id] for event in events)):
            split.connect(part)
        self.entry[key] = split

    def _split_flows(self, key: str) -> None:
        node = self.process.nodes[key]
        chooses = node.default or any(flow.condition for flow in self.process.flows_from(key))
        if chooses and node.kind not in _CHOOSING:
            split = FlowSplit(self.tree, key)
            self.left[key].connect(split)
            self.left[key] = split

    def _connect(self, node: FlowNode) -> None:
        part = self.left[node.id]
        for flow in self.process.flows_from(node.id):
            self._lead(node, part, flow)
        for target in link_targets(self.process, node):
            part.connect(self.entry[target.id])

    def _lead(self, node: FlowNode, part: Any, flow: SequenceFlow) -> None:
        target = self.entry[flow.target]
        conditional = bool(flow.condition) and flow.id != node.default
        note_way(part, flow, target, conditional=conditional)
        if isinstance(part, FlowSplit) and flow.id == node.default:
            part.otherwise(target)
        elif conditional:
            part.connect_if(FlowCondition(flow.id), target)
        else:
            part.connect(target)
