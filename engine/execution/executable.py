"""A definition made ready to run: every expression parsed once, every node's text understood.

Building one costs a few milliseconds; callers keep it by the definition's digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from engine.definition.diagram import FlowNode
from engine.definition.process_definition import ProcessDefinition
from engine.execution.token_game import Tree, build_tree
from engine.expressions import Condition, Parameter, Script, parse_condition, parse_parameter, parse_script


@dataclass(frozen=True)
class Executable:
    """A process definition with its expressions parsed. Raises ExpressionInvalid where one isn't in the language."""

    definition: ProcessDefinition

    @property
    def nodes(self) -> Mapping[str, FlowNode]:
        """The flow nodes by id."""
        return self.definition.process.nodes

    @cached_property
    def _trees(self) -> dict[str, Tree]:
        return {}

    def tree(self, start_event: str) -> Tree:
        """What the token game plays on, for instances that begin at `start_event`."""
        if start_event not in self._trees:
            self._trees[start_event] = build_tree(self.definition.process, start_event)
        return self._trees[start_event]

    @cached_property
    def conditions(self) -> Mapping[str, Condition]:
        """Sequence flow id -> its condition."""
        return {flow.id: parse_condition(flow.condition) for flow in self.definition.process.flows if flow.condition}

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        """Script task id -> its script."""
        return {node.id: parse_script(node.script or "") for node in self.nodes.values() if node.kind == "scriptTask"}

    @cached_property
    def inputs(self) -> Mapping[str, Mapping[str, Parameter]]:
        """Flow node id -> parameter name -> its text."""
        return {node.id: {p.name: parse_parameter(p.text) for p in node.inputs} for node in self.nodes.values()}

    @cached_property
    def outputs(self) -> Mapping[str, Mapping[str, Parameter]]:
        """Flow node id -> data item -> the text that gives its value."""
        return {node.id: {p.name: parse_parameter(p.text) for p in node.outputs} for node in self.nodes.values()}

    @cached_property
    def due(self) -> Mapping[str, Parameter]:
        """User task id -> when it is due, as a duration after its creation."""
        return {node.id: parse_parameter(node.due) for node in self.nodes.values() if node.due}

    @cached_property
    def timers(self) -> Mapping[str, Parameter]:
        """Timer event id -> its date or duration."""
        events = ((node, self.definition.process.timer_of(node)) for node in self.nodes)
        return {node: parse_parameter(event.text) for node, event in events if event is not None and event.text}
