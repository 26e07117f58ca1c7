"""Call activities, drawn in text, and processes that call each other, deployed together."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from engine.services import deploying
from engine.services.calling import return_next
from engine.services.runtime import Runtime
from engine.store.calls import CallRow
from tests.builders.company import Company
from tests.builders.drawing import boundary, carry_over, diagram, element, end, flows, form_field, start, user

ITEMS = {
    "order": "{type: string, carry: drop}",
    "amount": "{type: integer, carry: drop}",
    "approved": "{type: boolean, carry: drop}",
    "note": "{type: text, carry: drop}",
}


def call(
    key: str,
    process: str | None = "checking",
    ins: Mapping[str, str] | None = None,
    outs: Mapping[str, str] | None = None,
    attributes: str = "",
    inside: str = "",
) -> str:
    """`ins` and `outs` are targets with their sources; one that holds `${` is an expression."""
    passed = "".join(_passing("in", *each) for each in (ins or {}).items()) + "".join(
        _passing("out", *each) for each in (outs or {}).items()
    )
    extensions = f"<extensionElements>{passed}</extensionElements>" if passed else ""
    named = f"calledElement={quoteattr(process)} " if process is not None else ""
    return element("callActivity", key, extensions + inside, named + attributes)


def _passing(way: str, target: str, source: str) -> str:
    kind = "sourceExpression" if "${" in source else "source"
    return f"<camunda:{way} {kind}={quoteattr(source)} target={quoteattr(target)}/>"


def binding(kind: str, version: int | None = None) -> str:
    number = f' camunda:calledElementVersion="{version}"' if version is not None else ""
    return f'camunda:calledElementBinding="{kind}"{number}'


def error_end(key: str, error: str = "e_declined") -> str:
    return element("endEvent", key, f'<errorEventDefinition errorRef="{error}"/>')


ORDER = (
    start(),
    call("check", ins={"order": "order", "amount": "amount"}, outs={"approved": "approved", "note": "note"}),
    boundary("declined", "check"),
    user("ship", form_field("approved", "boolean") + form_field("note")),
    user("tell"),
    end(),
    flows("start -> check -> ship -> end", "declined -> tell -> end"),
)
"""An order is checked by another process."""

CHECKING = (
    start(),
    user("look", form_field("order") + form_field("amount", "long") + form_field("approved", "boolean") + form_field("note")),
    element("exclusiveGateway", "decision", "", 'default="decision-end"'),
    end(),
    error_end("bad"),
    flows("start -> look -> decision", "decision -> end", "decision -> bad if ${approved is not None and not approved}"),
)
"""Somebody looks; what they don't approve ends in the error `declined`."""


def process(key: str, *parts: str, items: Mapping[str, str] = ITEMS, repeats: str = "") -> dict[str, bytes]:
    return {f"{key}.bpmn": diagram(*parts, key=key), f"{key}.carry-over.yaml": carry_over(items, repeats=repeats, key=key)}


def deployed(runtime: Runtime, *given: dict[str, bytes]) -> Company:
    """Processes deployed together; the company is at work on the first."""
    done = deploying.deploy_together(runtime, list(given), "ada")
    return Company(runtime, done[0].deployment.process)


def return_all(runtime: Runtime) -> list[CallRow]:
    """Hand back what called instances have ended with, as a worker does."""
    returned = []
    while (call_row := return_next(runtime, "worker w1")) is not None:
        returned.append(call_row)
    return returned
