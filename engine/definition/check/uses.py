"""Every name that a diagram reads or writes, and every text in it that can't be parsed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from engine.definition.diagram import FlowNode, Process, SequenceFlow
from engine.definition.finding import Position
from engine.errors import ExpressionInvalid
from engine.expressions import parse_condition, parse_parameter, parse_script


class Place(StrEnum):
    """Where in a diagram a name can stand, as messages say it."""

    CONDITION = "condition"
    SCRIPT = "script"
    INPUT = "input parameter"
    OUTPUT = "output parameter"
    DUE = "due date"
    TIMER = "timer"
    FIELD = "form field"
    REQUIRED = "condition of a required field"
    ERROR = "error variable"


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


class _Parsed(Protocol):
    """What a parsed condition, parameter or script tells about itself."""

    @property
    def flow_nodes(self) -> Iterable[str]: ...


_Found: TypeAlias = Iterator[Use | Unparsable]


def collect_uses(process: Process) -> tuple[tuple[Use, ...], tuple[Unparsable, ...]]:
    """All uses, and all unparsable texts, of a process in document order."""
    uses: list[Use] = []
    unparsable: list[Unparsable] = []
    for found in _all(process):
        if isinstance(found, Use):
            uses.append(found)
        else:
            unparsable.append(found)
    return tuple(uses), tuple(unparsable)


def _all(process: Process) -> _Found:
    for flow in process.flows:
        yield from _condition(flow)
    for node in process.nodes.values():
        yield from _script(node)
        yield from _parameters(node)
        yield from _due(node)
        yield from _timer(node)
        yield from _fields(node)
        yield from _required(node)
        yield from _error_variables(node)


def _condition(flow: SequenceFlow) -> _Found:
    if flow.condition is not None:
        yield from _asked(flow.condition, Place.CONDITION, flow, flow.position)


def _required(node: FlowNode) -> _Found:
    for field in node.fields:
        if field.required_if is not None:
            yield from _asked(field.required_if, Place.REQUIRED, node, field.position)


def _asked(text: str, place: Place, element: FlowNode | SequenceFlow, position: Position) -> _Found:
    try:
        condition = parse_condition(text)
    except ExpressionInvalid as reason:
        yield Unparsable(place, reason, element, position)
        return
    yield from _reads(condition, condition.names, place, element, position)


def _script(node: FlowNode) -> _Found:
    if node.kind != "scriptTask" or node.script is None:
        return
    try:
        script = parse_script(node.script)
    except ExpressionInvalid as reason:
        yield Unparsable(Place.SCRIPT, reason, node, node.position)
        return
    yield from _reads(script, script.reads, Place.SCRIPT, node, node.position)
    yield from (Use(name, Place.SCRIPT, node, node.position, writes=True) for name in sorted(script.writes))


def _parameters(node: FlowNode) -> _Found:
    for place, parameters in ((Place.INPUT, node.inputs), (Place.OUTPUT, node.outputs)):
        for parameter in parameters:
            yield from _text(parameter.text, place, node, parameter.position)
    yield from (Use(output.name, Place.OUTPUT, node, output.position, writes=True) for output in node.outputs)


def _due(node: FlowNode) -> _Found:
    if node.due:
        yield from _text(node.due, Place.DUE, node, node.position)


def _timer(node: FlowNode) -> _Found:
    for event in node.events:
        if event.kind == "timer" and event.text:
            yield from _text(event.text, Place.TIMER, node, event.position)


def _text(text: str, place: Place, node: FlowNode, position: Position) -> _Found:
    try:
        parsed = parse_parameter(text)
    except ExpressionInvalid as reason:
        yield Unparsable(place, reason, node, position)
        return
    yield from _reads(parsed, parsed.names, place, node, position)


def _fields(node: FlowNode) -> _Found:
    return (Use(field.name, Place.FIELD, node, field.position, writes=not field.readonly) for field in node.fields)


def _error_variables(node: FlowNode) -> _Found:
    for event in node.events:
        for name in (event.code_variable, event.message_variable):
            if name:
                yield Use(name, Place.ERROR, node, event.position, writes=True)


def _reads(parsed: _Parsed, names: Iterable[str], place: Place, element: FlowNode | SequenceFlow, position: Position) -> _Found:
    yield from (Use(name, place, element, position) for name in sorted(names))
    yield from (Use(node, place, element, position, is_flow_node=True) for node in sorted(parsed.flow_nodes))
