"""Every name that a diagram reads or writes, and every text in it that can't be parsed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from engine.definition.diagram import FlowNode, Process, SequenceFlow
from engine.definition.finding import Position
from engine.definition.repetition import names_counted
from engine.definition.scopes import around
from engine.errors import ExpressionInvalid
from engine.expressions import parse_condition, parse_expression, parse_parameter, parse_script
from engine.expressions.kinds import Kinds
from engine.expressions.study import Study


class Place(StrEnum):
    """Where in a diagram a name can stand, as messages say it."""

    CONDITION = "condition"
    SCRIPT = "script"
    INPUT = "input parameter"
    OUTPUT = "output parameter"
    DUE = "due date"
    TIMER = "timer"
    KEY = "correlation key"
    FIELD = "form field"
    REQUIRED = "condition of a required field"
    ERROR = "error variable"
    PASSED = "value passed to the called process"
    RETURNED = "value taken from the called process"
    REPEATED = "multi-instance marker"
    ROUNDS = "condition of a repeated activity"
    DECISION = "decision table"
    RESULT = "result variable"


@dataclass(frozen=True, slots=True)
class Use:
    """One name at one place. `is_flow_node`: it names a user task, as in `completed_by('approve')`, not a data item."""

    name: str
    place: Place
    element: FlowNode | SequenceFlow
    position: Position
    writes: bool = False
    is_flow_node: bool = False


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A text that is not in the expression language, and why."""

    place: Place
    reason: ExpressionInvalid
    element: FlowNode | SequenceFlow
    position: Position


class Parsed(Protocol):
    """What a parsed condition, parameter or script tells about itself."""

    @property
    def flow_nodes(self) -> Iterable[str]:
        """The user tasks that it asks about."""
        ...

    def study(self, names: Mapping[str, Kinds]) -> Study:
        """What can be told of it without data."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A parsed text. `name` is the parameter's or the form field's, None elsewhere. `optional`: it may read what has no value."""

    place: Place
    parsed: Parsed
    element: FlowNode | SequenceFlow
    position: Position
    name: str | None = None
    optional: bool = False


_Found: TypeAlias = Iterator[Use | Unparsable | Text]


def collect_uses(process: Process) -> tuple[tuple[Use, ...], tuple[Unparsable, ...], tuple[Text, ...]]:
    """All uses, all texts that can't be parsed, and all that can, of a process in document order."""
    uses: list[Use] = []
    unparsable: list[Unparsable] = []
    texts: list[Text] = []
    for found in _all(process):
        match found:
            case Use():
                uses += [] if _is_local(process, found) else [found]
            case Unparsable():
                unparsable.append(found)
            case Text():
                texts.append(found)
    return tuple(uses), tuple(unparsable), tuple(texts)


def _all(process: Process) -> _Found:
    for flow in process.flows:
        yield from _condition(flow)
    for node in process.nodes.values():
        yield from _script(node)
        yield from _parameters(node)
        yield from _due(node)
        yield from _timer(node)
        yield from _key(node)
        yield from _fields(node)
        yield from _required(node)
        yield from _error_variables(node)
        yield from _repetition(node)
        yield from _decided(node)
        yield from _passed(node)


def _condition(flow: SequenceFlow) -> _Found:
    if flow.condition is not None:
        yield from _asked(flow.condition, Place.CONDITION, flow, flow.position)


def _required(node: FlowNode) -> _Found:
    for field in node.fields:
        if field.required_if is not None:
            yield from _asked(field.required_if, Place.REQUIRED, node, field.position)


def _asked(text: str, place: Place, element: FlowNode | SequenceFlow, position: Position, name: str | None = None) -> _Found:
    try:
        condition = parse_condition(text)
    except ExpressionInvalid as reason:
        yield Unparsable(place, reason, element, position)
        return
    yield Text(place, condition, element, position, name)
    yield from _reads(condition, condition.names, place, element, position)


def _script(node: FlowNode) -> _Found:
    if node.kind != "scriptTask" or node.script is None:
        return
    try:
        script = parse_script(node.script)
    except ExpressionInvalid as reason:
        yield Unparsable(Place.SCRIPT, reason, node, node.position)
        return
    yield Text(Place.SCRIPT, script, node, node.position)
    yield from _reads(script, script.reads, Place.SCRIPT, node, node.position)
    yield from (Use(name, Place.SCRIPT, node, node.position, writes=True) for name in sorted(script.writes))


def _parameters(node: FlowNode) -> _Found:
    for place, parameters in ((Place.INPUT, node.inputs), (Place.OUTPUT, node.outputs)):
        for parameter in parameters:
            yield from _text(parameter.text, place, node, parameter.position, parameter.name)
    yield from (Use(output.name, Place.OUTPUT, node, output.position, writes=True) for output in node.outputs)


def _due(node: FlowNode) -> _Found:
    if node.due:
        yield from _text(node.due, Place.DUE, node, node.position)


def _timer(node: FlowNode) -> _Found:
    for event in node.events:
        if event.kind == "timer" and event.text:
            yield from _text(event.text, Place.TIMER, node, event.position)


def _key(node: FlowNode) -> _Found:
    if node.correlation_key:
        yield from _text(node.correlation_key, Place.KEY, node, node.position)


def _text(text: str, place: Place, node: FlowNode, position: Position, name: str | None = None) -> _Found:
    try:
        parsed = parse_parameter(text)
    except ExpressionInvalid as reason:
        yield Unparsable(place, reason, node, position)
        return
    yield Text(place, parsed, node, position, name)
    yield from _reads(parsed, parsed.names, place, node, position)


def _fields(node: FlowNode) -> _Found:
    return (Use(field.name, Place.FIELD, node, field.position, writes=not field.readonly) for field in node.fields)


def _error_variables(node: FlowNode) -> _Found:
    for event in node.events:
        for name in (event.code_variable, event.message_variable):
            if name:
                yield Use(name, Place.ERROR, node, event.position, writes=True)


def _repetition(node: FlowNode) -> _Found:
    marker = node.repetition
    if marker is None:
        return
    for text in filter(None, (marker.cardinality, marker.collection)):
        yield from _evaluated(text, Place.REPEATED, node, marker.position)
    for text in filter(None, (marker.completion, marker.condition)):
        yield from _asked(text, Place.ROUNDS, node, marker.position)
    if marker.element:
        yield Use(marker.element, Place.REPEATED, node, marker.position)


def _passed(node: FlowNode) -> _Found:
    """What goes to a called process is read here; what comes from there is named there, and set here."""
    for passing in node.call.ins if node.call else ():
        yield from _text(passing.text, Place.PASSED, node, passing.position, passing.target)
    for passing in node.call.outs if node.call else ():
        try:
            parse_parameter(passing.text)
        except ExpressionInvalid as reason:
            yield Unparsable(Place.RETURNED, reason, node, passing.position)
        yield Use(passing.target, Place.RETURNED, node, passing.position, writes=True)


def _evaluated(text: str, place: Place, node: FlowNode, position: Position) -> _Found:
    try:
        parsed = parse_expression(text)
    except ExpressionInvalid as reason:
        yield Unparsable(place, reason, node, position)
        return
    yield Text(place, parsed, node, position)
    yield from _reads(parsed, parsed.names, place, node, position)


def _decided(node: FlowNode) -> _Found:
    if node.business_rule is not None and node.business_rule.item is not None:
        yield Use(node.business_rule.item, Place.RESULT, node, node.position, writes=True)


def _is_local(process: Process, use: Use) -> bool:
    """Whether a name stands for something that is counted where it is read, or for the value of one instance alone."""
    if use.is_flow_node or use.writes:
        return False
    element = use.element
    inside = list(around(process, element))
    if isinstance(element, FlowNode) and use.place is not Place.REPEATED:
        inside.append(element)
    return any(use.name in names_counted(each.repetition) for each in inside if each.repetition)


def _reads(parsed: Parsed, names: Iterable[str], place: Place, element: FlowNode | SequenceFlow, position: Position) -> _Found:
    yield from (Use(name, place, element, position) for name in sorted(names))
    yield from (Use(node, place, element, position, is_flow_node=True) for node in sorted(parsed.flow_nodes))
