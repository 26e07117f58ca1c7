"""Our own model of a BPMN 2.0 diagram: what an analyst drew, as plain frozen records.

It is read from the file with lxml and is what checking, comparing, drawing and execution work on. Element kinds are the
standard's own element names (`userTask`, `exclusiveGateway`, `startEvent`, ...), also for those that are not executed.
Strings are stripped of surrounding white space; absent is None. Extension elements are Camunda 7's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from engine.definition.call import Call
from engine.definition.collaboration_reader import Collaboration
from engine.definition.decisions.business_rule import BusinessRule
from engine.definition.finding import Position
from engine.definition.repetition import Repetition
from engine.definition.silence_reader import Silence


@dataclass(frozen=True, slots=True)
class FormField:
    """One `camunda:formField`. `type` is the modeler's (`string`, `long`, `boolean`, `date`, `enum`); the carry-over map's
    type is the item's. `required` and `readonly` come from `camunda:constraint`; `required_if` is the condition
    in such a constraint's `config` (`${approval == 'send_back'}`). `choices` are (id, label).
    """

    name: str
    label: str
    type: str
    required: bool
    readonly: bool
    position: Position
    choices: tuple[tuple[str, str], ...] = ()
    required_if: str | None = None


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """What an event waits for or throws. `kind` is `message`, `error`, `timer`, `signal`, `escalation`, `terminate`,
    `conditional`, `link`, `cancel` or `compensate`; the message of a send task or receive task counts as one. `reference` is
    the attribute as written (`messageRef`...); `name` the resolved message, signal or link name; `code` the resolved error or
    escalation code; `text` a timer's or condition's text; `timer` what a timer's text is: `date`, `duration` or `cycle` (None
    where there is none, or more than one). None where the file does not say or does not resolve. `code_variable`,
    `message_variable`: `camunda:` attributes naming the data items that take an error's code and message.
    """

    kind: str
    position: Position
    reference: str | None = None
    name: str | None = None
    code: str | None = None
    text: str | None = None
    timer: str | None = None
    code_variable: str | None = None
    message_variable: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One `camunda:inputParameter` or `camunda:outputParameter`: `text` is literal, or holds `${expression}`."""

    name: str
    text: str
    position: Position


@dataclass(frozen=True, slots=True)
class FlowNode:
    """An activity, event or gateway.

    `scope` is the id of the sub-process around it, None at the top. `group` is `camunda:candidateGroups`, else the name of
    the innermost lane. `lane` is that lane's name. `unsupported` names attributes and children that change its meaning in
    ways this program does not execute (e.g. `multiInstanceLoopCharacteristics`, `camunda:class`).
    """

    id: str
    kind: str
    position: Position
    name: str | None = None
    scope: str | None = None
    lane: str | None = None
    group: str | None = None
    incoming: tuple[str, ...] = ()  # as the node's own <incoming> children say; the flows themselves are the truth
    outgoing: tuple[str, ...] = ()
    default: str | None = None
    events: tuple[EventDefinition, ...] = ()
    attached_to: str | None = None
    interrupting: bool = True
    unless_claimed: str | None = None  # the extension property of a boundary timer, as written
    correlation_key: str | None = None  # the extension property of what throws or catches a message, as written
    due: str | None = None  # camunda:dueDate
    fields: tuple[FormField, ...] = ()
    service_type: str | None = None  # camunda:type
    topic: str | None = None
    inputs: tuple[Parameter, ...] = ()
    outputs: tuple[Parameter, ...] = ()
    script: str | None = None
    script_format: str | None = None
    call: Call | None = None  # what a call activity calls
    triggered_by_event: bool = False  # an event sub-process
    business_rule: BusinessRule | None = None  # what a business rule task asks
    repetition: Repetition | None = None  # how often an activity is done, where it is marked
    documentation: str | None = None
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SequenceFlow:
    """An arrow. `id` is made up (`flow_1`, ... not clashing) where the file has none, as the standard allows."""

    id: str
    source: str
    target: str
    position: Position
    name: str | None = None
    condition: str | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane and the ids of the flow nodes it lists (nested lanes are lanes of their own, with `parent`)."""

    id: str
    name: str | None
    nodes: tuple[str, ...]
    position: Position
    parent: str | None = None


@dataclass(frozen=True)
class Process:
    """One `<process>`, with everything inside it, sub-processes included, in document order."""

    id: str
    position: Position
    name: str | None = None
    executable: bool = True
    nodes: Mapping[str, FlowNode] = field(default_factory=dict)
    flows: tuple[SequenceFlow, ...] = ()
    lanes: tuple[Lane, ...] = ()
    data_objects: tuple[str, ...] = ()
    documentation: str | None = None

    @cached_property
    def _outgoing(self) -> Mapping[str, tuple[SequenceFlow, ...]]:
        return {node: self._as_listed(node, flows) for node, flows in self._grouped(lambda flow: flow.source).items()}

    def _as_listed(self, node: str, flows: tuple[SequenceFlow, ...]) -> tuple[SequenceFlow, ...]:
        """In the order in which the node lists them: modelers keep it when they save, and put the flows themselves in another."""
        listed = self.nodes[node].outgoing if node in self.nodes else ()
        places = {flow: place for place, flow in enumerate(listed)}
        return tuple(sorted(flows, key=lambda flow: places.get(flow.id, len(places))))

    @cached_property
    def _incoming(self) -> Mapping[str, tuple[SequenceFlow, ...]]:
        return self._grouped(lambda flow: flow.target)

    def _grouped(self, end: Callable[[SequenceFlow], str]) -> Mapping[str, tuple[SequenceFlow, ...]]:
        groups: dict[str, list[SequenceFlow]] = {}
        for flow in self.flows:
            groups.setdefault(end(flow), []).append(flow)
        return {key: tuple(flows) for key, flows in groups.items()}

    @cached_property
    def _boundary(self) -> Mapping[str, tuple[FlowNode, ...]]:
        attached: dict[str, list[FlowNode]] = {}
        for node in self.nodes.values():
            if node.attached_to:
                attached.setdefault(node.attached_to, []).append(node)
        return {key: tuple(nodes) for key, nodes in attached.items()}

    @cached_property
    def _scopes(self) -> Mapping[str | None, tuple[FlowNode, ...]]:
        scopes: dict[str | None, list[FlowNode]] = {}
        for node in self.nodes.values():
            scopes.setdefault(node.scope, []).append(node)
        return {key: tuple(nodes) for key, nodes in scopes.items()}

    def nodes_in(self, scope: str | None) -> tuple[FlowNode, ...]:
        """What is drawn right inside a sub-process, or with None right inside the process."""
        return self._scopes.get(scope, ())

    def flows_from(self, node: str) -> tuple[SequenceFlow, ...]:
        """The arrows that leave a node, in the order in which it lists them (`<outgoing>`), others after these in document order.

        Conditions are evaluated in this order.
        """
        return self._outgoing.get(node, ())

    def flows_to(self, node: str) -> tuple[SequenceFlow, ...]:
        """The arrows that reach a node, in document order."""
        return self._incoming.get(node, ())

    def boundary_events_of(self, node: str) -> tuple[FlowNode, ...]:
        """The boundary events attached to an activity."""
        return self._boundary.get(node, ())

    def timer_of(self, node: str) -> EventDefinition | None:
        """What the timer event `node` waits for; None for every other node."""
        return next((event for event in self.nodes[node].events if event.kind == "timer"), None)

    def of_kind(self, *kinds: str) -> Iterator[FlowNode]:
        """The nodes of these kinds, in document order."""
        return (node for node in self.nodes.values() if node.kind in kinds)


@dataclass(frozen=True, slots=True)
class Diagram:
    """A whole file. `duplicates` are ids that stand more than once (id, position of the second). `without_effect` are settings
    that are read past although an author may rely on them: their names, and where they stand.
    """

    file: str
    processes: tuple[Process, ...]
    duplicates: tuple[tuple[str, Position], ...] = ()
    other_elements: tuple[tuple[str, Position], ...] = ()  # top-level elements that change meaning and aren't modelled
    collaboration: Collaboration = field(default_factory=Collaboration)
    silences: tuple[Silence, ...] = ()
    without_effect: tuple[tuple[str, Position], ...] = ()
