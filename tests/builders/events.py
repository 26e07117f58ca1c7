"""Gateways and events that wait for something, drawn in text."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from tests.builders.drawing import element


def inclusive(key: str, default: str | None = None) -> str:
    return element("inclusiveGateway", key, "", f'default="{default}"' if default else "")


def event_gateway(key: str, attributes: str = "") -> str:
    return element("eventBasedGateway", key, "", attributes)


def extensions(inputs: Mapping[str, str] | None = None, outputs: Mapping[str, str] | None = None, key: str | None = None) -> str:
    """What goes along with a message, where what it brings goes to, and its correlation key."""
    drawn = [f'<camunda:inputParameter name="{n}">{escape(t)}</camunda:inputParameter>' for n, t in (inputs or {}).items()]
    drawn += [f'<camunda:outputParameter name="{n}">{escape(t)}</camunda:outputParameter>' for n, t in (outputs or {}).items()]
    properties = f'<camunda:properties><camunda:property name="correlation_key" value="{key}"/></camunda:properties>'
    inside = f"<camunda:inputOutput>{''.join(drawn)}</camunda:inputOutput>" if drawn else ""
    inside += properties if key is not None else ""
    return f"<extensionElements>{inside}</extensionElements>" if inside else ""


def message(reference: str) -> str:
    return f'<messageEventDefinition messageRef="{reference}"/>'


def signal(reference: str = "s_alarm") -> str:
    return f'<signalEventDefinition signalRef="{reference}"/>'


def catch(key: str, reference: str = "m_paid", outputs: Mapping[str, str] | None = None, by: str | None = None) -> str:
    return element("intermediateCatchEvent", key, extensions(None, outputs, by) + message(reference))


def catch_signal(key: str, reference: str = "s_alarm") -> str:
    return element("intermediateCatchEvent", key, signal(reference))


def throw_message(key: str, reference: str = "m_paid", inputs: Mapping[str, str] | None = None, by: str | None = None) -> str:
    return element("intermediateThrowEvent", key, extensions(inputs, None, by) + message(reference))


def throw_signal(key: str, reference: str = "s_alarm") -> str:
    return element("intermediateThrowEvent", key, signal(reference))


def receive(key: str, reference: str | None = "m_paid", outputs: Mapping[str, str] | None = None, by: str | None = None) -> str:
    refers = f'messageRef="{reference}"' if reference else ""
    return element("receiveTask", key, extensions(None, outputs, by), refers)


def send(key: str, reference: str | None = "m_paid", inputs: Mapping[str, str] | None = None, by: str | None = None) -> str:
    refers = f'messageRef="{reference}"' if reference else ""
    return element("sendTask", key, extensions(inputs, None, by), refers)


def on_message(
    key: str, host: str, reference: str = "m_paid", outputs: Mapping[str, str] | None = None, *, interrupting: bool = True
) -> str:
    attributes = f'attachedToRef="{host}" cancelActivity="{"true" if interrupting else "false"}"'
    return element("boundaryEvent", key, extensions(None, outputs) + message(reference), attributes)


def on_signal(key: str, host: str, reference: str = "s_alarm", *, interrupting: bool = True) -> str:
    attributes = f'attachedToRef="{host}" cancelActivity="{"true" if interrupting else "false"}"'
    return element("boundaryEvent", key, signal(reference), attributes)
