"""Sub-processes, and what throws, catches and repeats around them, drawn in text."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from tests.builders.drawing import element, timer

TERMINATE = "<terminateEventDefinition/>"


def sub(key: str, *inside: str, attributes: str = "") -> str:
    """An embedded sub-process with what is drawn inside it, markers included."""
    return element("subProcess", key, "\n".join(inside), attributes)


def handler(key: str, *inside: str) -> str:
    """An event sub-process."""
    return sub(key, *inside, attributes='triggeredByEvent="true"')


def event_start(key: str, definition: str, *, interrupting: bool = True) -> str:
    """The start event of an event sub-process."""
    return element("startEvent", key, definition, "" if interrupting else 'isInterrupting="false"')


def error(reference: str | None = "e_declined", attributes: str = "") -> str:
    refers = f'errorRef="{reference}"' if reference else ""
    return f"<errorEventDefinition {refers} {attributes}/>"


def escalation(reference: str | None = "x_late", attributes: str = "") -> str:
    refers = f'escalationRef="{reference}"' if reference else ""
    return f"<escalationEventDefinition {refers} {attributes}/>"


def on_edge(key: str, host: str, definition: str, *, interrupting: bool = True) -> str:
    """A boundary event of any kind."""
    attributes = f'attachedToRef="{host}"' if interrupting else f'cancelActivity="false" attachedToRef="{host}"'
    return element("boundaryEvent", key, definition, attributes)


def error_end(key: str, reference: str = "e_declined") -> str:
    return element("endEvent", key, error(reference))


def escalation_end(key: str, reference: str = "x_late") -> str:
    return element("endEvent", key, escalation(reference))


def escalate(key: str, reference: str = "x_late") -> str:
    return element("intermediateThrowEvent", key, escalation(reference))


def terminate(key: str) -> str:
    return element("endEvent", key, TERMINATE)


def after(text: str = "P3D") -> str:
    """A timer event definition."""
    return timer(text)


def link(key: str, name: str, *, throws: bool) -> str:
    kind = "intermediateThrowEvent" if throws else "intermediateCatchEvent"
    return element(kind, key, f'<linkEventDefinition name="{name}"/>')


def repeated(drawn: str, marker: str) -> str:
    """An activity with a marker."""
    start = drawn.index(">") + 1
    return f"{drawn[:start]}{marker}{drawn[start:]}"


def instances(
    cardinality: str | None = None,
    *,
    collection: str | None = None,
    each: str | None = None,
    until: str | None = None,
    sequential: bool = False,
) -> str:
    """A multi-instance marker."""
    attributes = f'isSequential="{"true" if sequential else "false"}"'
    attributes += f" camunda:collection={quoteattr(collection)}" if collection else ""
    attributes += f' camunda:elementVariable="{each}"' if each else ""
    inside = f"<loopCardinality>{cardinality}</loopCardinality>" if cardinality else ""
    inside += f"<completionCondition>{escape(until)}</completionCondition>" if until else ""
    return f"<multiInstanceLoopCharacteristics {attributes}>{inside}</multiInstanceLoopCharacteristics>"


def rounds(condition: str | None = None, *, before: bool = False, most: int | None = None) -> str:
    """A standard loop marker."""
    attributes = ('testBefore="true" ' if before else "") + (f'loopMaximum="{most}"' if most is not None else "")
    inside = f"<loopCondition>{escape(condition)}</loopCondition>" if condition else ""
    return f"<standardLoopCharacteristics {attributes}>{inside}</standardLoopCharacteristics>"
