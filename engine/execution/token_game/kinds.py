"""Which part of a tree a flow node is, by its kind and what its event is."""

from __future__ import annotations

from typing import Any

from SpiffWorkflow.bpmn.specs.defaults import ExclusiveGateway, StartEvent, UserTask
from SpiffWorkflow.bpmn.specs.event_definitions import NoneEventDefinition

from engine.definition.diagram import FlowNode
from engine.execution.token_game.catching import Boundary
from engine.execution.token_game.inclusive import InclusiveGateway
from engine.execution.token_game.parts import (
    ErrorEnd,
    EscalationThrow,
    ParallelGateway,
    Passed,
    ScriptTask,
    ServiceTask,
    TerminateEnd,
    ThrowEvent,
    TimerCatch,
)
from engine.execution.token_game.waiting import Catch, EventGateway, SignalThrow

_TOLD = ("message", "signal")


def part_of(tree: Any, node: FlowNode) -> Any:
    """A new part of `tree`; None for a kind that has none here."""
    make = _PARTS.get(node.kind)
    return make(tree, node) if make else None


def _kind(node: FlowNode) -> str | None:
    return node.events[0].kind if node.events else None


def _throwing(tree: Any, node: FlowNode) -> Any:
    match _kind(node):
        case "message":
            return ThrowEvent(tree, node.id)
        case "signal":
            return SignalThrow(tree, node.id, node.events[0].name)
        case "escalation":
            return EscalationThrow(tree, node.id, _code(node), _words(node))
        case "error":
            return ErrorEnd(tree, node.id, _code(node), _words(node))
        case "terminate":
            return TerminateEnd(tree, node.id)
    return Passed(tree, node.id)


def _code(node: FlowNode) -> str:
    return node.events[0].code or node.events[0].name or ""


def _words(node: FlowNode) -> str:
    return node.events[0].name or node.name or node.id


def _catching(tree: Any, node: FlowNode) -> Any:
    kind = _kind(node)
    if kind == "link":
        return Passed(tree, node.id)
    if kind == "signal":
        return Catch(tree, node.id, node.events[0].name)
    return (Catch if kind in _TOLD else TimerCatch)(tree, node.id)


def _send_task(tree: Any, node: FlowNode) -> Any:
    return (ThrowEvent if _kind(node) in _TOLD else ServiceTask)(tree, node.id)


_PARTS: dict[str, Any] = {
    "startEvent": lambda tree, node: StartEvent(tree, node.id, NoneEventDefinition()),
    "userTask": lambda tree, node: UserTask(tree, node.id),
    "serviceTask": lambda tree, node: ServiceTask(tree, node.id),
    "callActivity": lambda tree, node: ServiceTask(tree, node.id),  # it waits in the same way
    "sendTask": _send_task,
    "receiveTask": lambda tree, node: Catch(tree, node.id),
    "scriptTask": lambda tree, node: ScriptTask(tree, node.id),
    "businessRuleTask": lambda tree, node: ScriptTask(tree, node.id),
    "exclusiveGateway": lambda tree, node: ExclusiveGateway(tree, node.id),
    "parallelGateway": lambda tree, node: ParallelGateway(tree, node.id),
    "inclusiveGateway": lambda tree, node: InclusiveGateway(tree, node.id),
    "eventBasedGateway": lambda tree, node: EventGateway(tree, node.id),
    "intermediateThrowEvent": _throwing,
    "intermediateCatchEvent": _catching,
    "boundaryEvent": lambda tree, node: Boundary(tree, node.id, node.events[0], node.interrupting),
    "endEvent": _throwing,
}
