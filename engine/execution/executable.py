"""A definition made ready to run: every expression parsed once, every node's text understood.

Building one costs a few milliseconds; callers keep it by the definition's digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from engine.definition.call import Passing
from engine.definition.correlation import awaited_by, is_hand_over, key_of, thrown_by
from engine.definition.decisions.decision import Decision
from engine.definition.diagram import EventDefinition, FlowNode
from engine.definition.process_definition import ProcessDefinition
from engine.execution.repeating import Repeating
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
    def decided(self) -> Mapping[str, Decision]:
        """Business rule task id -> the decision that it asks. Raises DefinitionInvalid where there is none that can be read."""
        return {node.id: self.definition.decision_of(node) for node in self.nodes.values() if node.business_rule}

    @cached_property
    def repeating(self) -> Mapping[str, Repeating]:
        """Activity id -> how often it is done, for those that are marked."""
        return {node.id: Repeating.of(node.repetition) for node in self.nodes.values() if node.repetition}

    @cached_property
    def inputs(self) -> Mapping[str, Mapping[str, Parameter]]:
        """Flow node id -> parameter name -> its text."""
        return {node.id: {p.name: parse_parameter(p.text) for p in node.inputs} for node in self.nodes.values()}

    @cached_property
    def outputs(self) -> Mapping[str, Mapping[str, Parameter]]:
        """Flow node id -> data item -> the text that gives its value."""
        return {node.id: {p.name: parse_parameter(p.text) for p in node.outputs} for node in self.nodes.values()}

    @cached_property
    def passed(self) -> Mapping[str, tuple[Mapping[str, Parameter], Mapping[str, Parameter]]]:
        """Call activity id -> (item of the called process -> the text that gives its value, own item -> the text that does)."""
        calls = ((node.id, node.call) for node in self.nodes.values() if node.call is not None)
        return {node: (_targets(call.ins), _targets(call.outs)) for node, call in calls}

    @cached_property
    def due(self) -> Mapping[str, Parameter]:
        """User task id -> when it is due, as a duration after its creation."""
        return {node.id: parse_parameter(node.due) for node in self.nodes.values() if node.due}

    @cached_property
    def timers(self) -> Mapping[str, Parameter]:
        """Timer event id -> its date, duration or cycle."""
        events = ((node, self.definition.process.timer_of(node)) for node in self.nodes)
        return {node: parse_parameter(event.text) for node, event in events if event is not None and event.text}

    @cached_property
    def awaited(self) -> Mapping[str, EventDefinition]:
        """Flow node id -> the message or signal that is waited for there."""
        events = ((node.id, awaited_by(node)) for node in self.nodes.values())
        return {node: event for node, event in events if event is not None}

    @cached_property
    def thrown(self) -> Mapping[str, EventDefinition]:
        """Flow node id -> the message or signal that is thrown there."""
        events = ((node.id, thrown_by(node)) for node in self.nodes.values())
        return {node: event for node, event in events if event is not None}

    @cached_property
    def keys(self) -> Mapping[str, Parameter]:
        """Flow node id -> the correlation key of the message that it throws or catches; none for the hand-over and signals."""
        carry_over = self.definition.carry_over
        events = {**self.awaited, **self.thrown}
        asked = (node for node, event in events.items() if event.kind == "message" and not is_hand_over(event, carry_over))
        texts = ((node, key_of(self.nodes[node], carry_over)) for node in asked)
        return {node: parse_parameter(text) for node, text in texts if text is not None}


def _targets(passings: Iterable[Passing]) -> Mapping[str, Parameter]:
    return {each.target: parse_parameter(each.text) for each in passings}
