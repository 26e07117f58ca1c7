"""Small diagrams and maps for tests, drawn in text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pydantic import BaseModel, Field

from engine.connector import Completed, Connector, Connectors
from engine.definition.check import check
from engine.definition.finding import Finding

NAME = "billing"
HEAD = (
    '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" '
    'xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:activiti="http://activiti.org/bpmn">'
)
DECLARATIONS = (
    '<message id="m_next" name="next"/><message id="m_other" name="other"/><message id="m_nameless"/>'
    '<message id="m_paid" name="paid"/><signal id="s_alarm" name="alarm"/><signal id="s_calm" name="calm"/>'
    '<error id="e_declined" name="Declined" errorCode="declined"/><error id="e_odd" name="Odd" errorCode="odd"/>'
    '<error id="e_script" name="Script" errorCode="script_failed"/>'
    '<escalation id="x_late" name="Late" escalationCode="late"/><escalation id="x_other" name="Other" escalationCode="other"/>'
)


# --- elements -------------------------------------------------------------------------------------------------------


def element(kind: str, key: str, inside: str = "", attributes: str = "") -> str:
    return f'<{kind} id="{key}" name="{key.replace("_", " ").capitalize()}" {attributes}>{inside}</{kind}>'


def start(key: str = "start", message: str | None = None) -> str:
    return element("startEvent", key, _message(message))


def end(key: str = "end", message: str | None = None, inside: str = "") -> str:
    return element("endEvent", key, _message(message) + inside)


def throw(key: str, message: str | None = "m_next") -> str:
    return element("intermediateThrowEvent", key, _message(message))


def user(key: str, fields: str = "", attributes: str = 'camunda:candidateGroups="Sales"') -> str:
    inside = f"<extensionElements><camunda:formData>{fields}</camunda:formData></extensionElements>" if fields else ""
    return element("userTask", key, inside, attributes)


def form_field(key: str, type: str = "string", inside: str = "") -> str:  # noqa: A002 - the modeler's word
    return f'<camunda:formField id="{key}" label="{key}" type="{type}">{inside}</camunda:formField>'


def service(key: str, inputs: Mapping[str, str], outputs: Mapping[str, str], topic: str = "pay") -> str:
    parameters = [f'<camunda:inputParameter name="{n}">{escape(t)}</camunda:inputParameter>' for n, t in inputs.items()]
    parameters += [f'<camunda:outputParameter name="{n}">{escape(t)}</camunda:outputParameter>' for n, t in outputs.items()]
    inside = f"<extensionElements><camunda:inputOutput>{''.join(parameters)}</camunda:inputOutput></extensionElements>"
    return element("serviceTask", key, inside, f'camunda:type="external" camunda:topic="{topic}"')


def script(key: str, text: str) -> str:
    return element("scriptTask", key, f"<script>{escape(text)}</script>", 'scriptFormat="python"')


def exclusive(key: str, default: str | None = None) -> str:
    return element("exclusiveGateway", key, "", f'default="{default}"' if default else "")


def parallel(key: str) -> str:
    return element("parallelGateway", key)


def boundary(key: str, host: str, error: str | None = "e_declined", attributes: str = "") -> str:
    definition = f"<errorEventDefinition {f'errorRef={quoteattr(error)}' if error else ''} {attributes}/>"
    return element("boundaryEvent", key, definition, f'attachedToRef="{host}"')


def timer(text: str, kind: str = "timeDuration") -> str:
    return f"<timerEventDefinition><{kind}>{escape(text)}</{kind}></timerEventDefinition>"


def wait(key: str, text: str = "P3D", kind: str = "timeDuration") -> str:
    return element("intermediateCatchEvent", key, timer(text, kind))


def boundary_timer(
    key: str, host: str, text: str = "P3D", kind: str = "timeDuration", *, interrupting: bool = True, unless_claimed: str = ""
) -> str:
    attributes = f'attachedToRef="{host}"' if interrupting else f'cancelActivity="false" attachedToRef="{host}"'
    given = f'<camunda:properties><camunda:property name="unless_claimed" value="{unless_claimed}"/></camunda:properties>'
    extensions = f"<extensionElements>{given}</extensionElements>" if unless_claimed else ""
    return element("boundaryEvent", key, extensions + timer(text, kind), attributes)


def _message(message: str | None) -> str:
    return f'<messageEventDefinition messageRef="{message}"/>' if message else ""


def flows(*ways: str) -> str:
    """`a -> b -> c` draws flows with the ids `a-b` and `b-c`; `a -> b if ${x}` puts a condition on its last flow."""
    drawn = []
    for way in ways:
        path, _, condition = way.partition(" if ")
        stops = [stop.strip() for stop in path.split("->")]
        for source, target in pairwise(stops):
            text = f"<conditionExpression>{escape(condition)}</conditionExpression>" if condition and target == stops[-1] else ""
            drawn.append(f'<sequenceFlow id="{source}-{target}" sourceRef="{source}" targetRef="{target}">{text}</sequenceFlow>')
    return "\n".join(drawn)


def diagram(*parts: str, key: str = NAME, attributes: str = 'isExecutable="true"', beside: str = "") -> bytes:
    inside = "\n".join(parts)
    return f'{HEAD}\n{DECLARATIONS}{beside}\n<process id="{key}" {attributes}>\n{inside}\n</process>\n</definitions>'.encode()


# --- maps and connectors --------------------------------------------------------------------------------------------

ITEMS = {
    "customer": "{type: string, carry: copy}",
    "month": "{type: month, carry: next}",
    "amount": "{type: integer, carry: drop}",
    "approved": "{type: boolean, carry: drop}",
    "receipt": "{type: string, carry: drop}",
}
REPEATS = "message: next\nbill: {customer: customer, period: month, every: P1M}\n"


def carry_over(
    items: Mapping[str, str] = ITEMS, *, controls: Sequence[str] = (), repeats: str = REPEATS, key: str = NAME
) -> bytes:
    listed = "".join(f"  {name}: {what}\n" for name, what in items.items())
    proved = "controls:\n" + "".join(f"  - {control}\n" for control in controls) if controls else ""
    return f"process: {key}\n{repeats}data:\n{listed}{proved}".encode()


class Payment(BaseModel):
    amount: int
    purpose: str = Field(default="", max_length=10)
    template: str | None = None


@dataclass
class FakeConnector:
    topic: str = "pay"
    parameters: type[BaseModel] = Payment
    outputs: Mapping[str, str] = field(default_factory=lambda: {"payment_id": "Its number."})
    errors: Mapping[str, str] = field(default_factory=lambda: {"declined": "The card is declined."})

    def run(self, request: Any, context: Any) -> Completed:
        raise AssertionError("check never runs a connector")

    def check_parameters(
        self, literals: Mapping[str, str], names: frozenset[str], resources: Mapping[str, bytes]
    ) -> Sequence[str]:
        name = literals.get("template")
        missing = name is not None and f"mail/{name}.txt" not in resources
        return [f"Expected the template mail/{name}.txt, but there is none. Do: write it."] if missing else []


def connectors(*added: Connector) -> Connectors:
    return {connector.topic: connector for connector in (FakeConnector(), *added)}


# --- a process with nothing to complain about -----------------------------------------------------------------------

NODES = {
    "start": start(),
    "again": start("again", "m_next"),
    "enter": user("enter", form_field("amount", "long")),
    "approve": user("approve", form_field("approved", "boolean")),
    "decision": exclusive("decision", "decision-enter"),
    "charge": service("charge", {"amount": "${amount}", "purpose": "Bill"}, {"receipt": "${payment_id}"}),
    "declined": boundary("declined", "charge"),
    "call": user("call", form_field("customer")),
    "next": throw("next"),
    "end": end(),
    "stopped": end("stopped"),
}
WAYS = {
    "start": "start -> enter -> approve -> decision",
    "again": "again -> enter",
    "yes": "decision -> charge if ${approved and amount > 0}",
    "no": "decision -> enter",
    "stop": "decision -> stopped if ${amount == 0}",
    "charge": "charge -> next -> end",
    "declined": "declined -> call -> charge",
}


def billing(nodes: Mapping[str, str] | None = None, ways: Mapping[str, str] | None = None, **others: Any) -> bytes:
    """The process with some of its nodes and ways replaced, added, or (with an empty text) taken away."""
    drawn = [way for way in {**WAYS, **(ways or {})}.values() if way]
    return diagram(*{**NODES, **(nodes or {})}.values(), flows(*drawn), **others)


def files(bpmn: bytes | None = None, map_: bytes | None = None, **resources: bytes) -> dict[str, bytes]:
    named = {f"{NAME}.{name.replace('__', '/').replace('_txt', '.txt')}": content for name, content in resources.items()}
    return {f"{NAME}.bpmn": bpmn or billing(), f"{NAME}.carry-over.yaml": map_ or carry_over(), **named}


def found(given: Mapping[str, bytes]) -> tuple[Finding, ...]:
    return check(given, connectors())


def verdicts(given: Mapping[str, bytes]) -> set[str]:
    return {finding.rule for finding in found(given)}
