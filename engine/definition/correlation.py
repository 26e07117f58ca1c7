"""Correlation: which of the instances that wait for a message is meant. A message says its key, and so does who waits for it."""

from __future__ import annotations

from engine.definition.carry_over import CarryOverMap
from engine.definition.diagram import EventDefinition, FlowNode, Process

LONGEST_KEY = 255
CATCHING = ("intermediateCatchEvent", "boundaryEvent", "receiveTask")
THROWING = ("intermediateThrowEvent", "endEvent", "sendTask")


def awaited_by(node: FlowNode) -> EventDefinition | None:
    """The message or signal that is waited for at a node, also at the start of an event sub-process; None where something else is
    waited for, or nothing.
    """
    inside = node.kind == "startEvent" and node.scope is not None
    return _message_or_signal(node) if node.kind in CATCHING or inside else None


def thrown_by(node: FlowNode) -> EventDefinition | None:
    """The message or signal that a node throws; None for every other node. A send task with a topic is a job instead."""
    return _message_or_signal(node) if node.kind in THROWING and node.topic is None else None


def started_by(node: FlowNode) -> EventDefinition | None:
    """The message that starts an instance at a node; None for every other node."""
    event = _message_or_signal(node) if node.kind == "startEvent" and node.scope is None else None
    return event if event is not None and event.kind == "message" else None


def _message_or_signal(node: FlowNode) -> EventDefinition | None:
    return next((event for event in node.events if event.kind in ("message", "signal")), None)


def key_of(node: FlowNode, carry_over: CarryOverMap) -> str | None:
    """The text that gives a node's correlation key: its extension property `correlation_key`, else the bill's customer. None
    where the author has to say it.
    """
    if node.correlation_key is not None:
        return node.correlation_key or None
    return f"${{{carry_over.bill.customer}}}" if carry_over.bill else None


def is_key(key: object) -> bool:
    """Whether something is fit to be a correlation key: a text of 1 to 255 printable characters, without spaces around it."""
    return isinstance(key, str) and 0 < len(key) <= LONGEST_KEY and key.isprintable() and key == key.strip()


def is_hand_over(event: EventDefinition, carry_over: CarryOverMap) -> bool:
    """Whether an event is about the message that starts the next instance."""
    return event.kind == "message" and event.name is not None and event.name == carry_over.message


def message_starts(process: Process, carry_over: CarryOverMap) -> dict[str, FlowNode]:
    """Message -> the start event that it starts an instance at, but for the hand-over."""
    events = ((started_by(node), node) for node in process.of_kind("startEvent"))
    return {event.name: node for event, node in events if event and event.name and not is_hand_over(event, carry_over)}
