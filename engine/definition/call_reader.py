"""A call activity's settings, as Camunda 7 writes them: attributes, and `camunda:in` and `camunda:out` elements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import CAMUNDA, attribute, children, first
from engine.definition.call import LATEST, Call, Passing

if TYPE_CHECKING:
    from lxml.etree import _Element

    from engine.definition.safe_xml import Document


def read_call(element: _Element, document: Document) -> Call:
    """What a `callActivity` says."""
    return Call(
        attribute(element, "calledElement"),
        attribute(element, "calledElementBinding", CAMUNDA) or LATEST,
        attribute(element, "calledElementVersion", CAMUNDA),
        tuple(_passings(element, "in", document)),
        tuple(_passings(element, "out", document)),
    )


def _passings(element: _Element, name: str, document: Document) -> Iterator[Passing]:
    extensions = first(element, "extensionElements")
    for each in children(extensions, name, CAMUNDA) if extensions is not None else ():
        if why_unsupported(each) is not None:
            continue
        source = attribute(each, "source")
        text = f"${{{source}}}" if source is not None else attribute(each, "sourceExpression") or ""
        yield Passing(attribute(each, "target") or "", text, source, document.position(each))


def why_unsupported(passing: _Element) -> str | None:
    """The setting of a `camunda:in` or `camunda:out` that isn't executed; None where all are."""
    return next((name for name in ("variables", "businessKey", "local") if attribute(passing, name)), None)
