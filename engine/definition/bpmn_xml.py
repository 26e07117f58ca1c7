"""The names of BPMN's XML, and how to look things up in it whatever prefixes a tool has chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from lxml.etree import _Element

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
CAMUNDA = "http://camunda.org/schema/1.0/bpmn"
MODELER = "http://camunda.org/schema/modeler/1.0"


def words(text: str) -> frozenset[str]:
    """The words of a text as a set: a list of element names that stays readable."""
    return frozenset(text.split())


DIALECTS = {
    CAMUNDA: "camunda",
    "http://camunda.org/schema/zeebe/1.0": "zeebe",
    "http://activiti.org/bpmn": "activiti",
    "http://flowable.org/bpmn": "flowable",
    "http://operaton.org/schema/1.0/bpmn": "operaton",
}
"""Namespaces whose elements and attributes tell an engine what to do. All others decorate: they are read past."""

ACTIVITIES = words(
    "task userTask manualTask serviceTask scriptTask sendTask receiveTask businessRuleTask callActivity subProcess "
    "adHocSubProcess transaction"
)
GATEWAYS = words("exclusiveGateway parallelGateway inclusiveGateway complexGateway eventBasedGateway")
EVENTS = words("startEvent endEvent intermediateThrowEvent intermediateCatchEvent boundaryEvent")
FLOW_NODES = ACTIVITIES | GATEWAYS | EVENTS
SUB_PROCESSES = frozenset({"subProcess", "adHocSubProcess", "transaction"})


def names(element: _Element) -> tuple[str, str]:
    """(namespace, local name) of an element; the namespace is '' where there is none."""
    return split(str(element.tag))


def split(name: str) -> tuple[str, str]:
    """(namespace, local name) of an lxml tag or attribute name."""
    if not name.startswith("{"):
        return "", name
    namespace, _, local = name[1:].partition("}")
    return namespace, local


def kind_of(element: _Element) -> str | None:
    """The local name of a BPMN element; None for an element of any other namespace."""
    namespace, local = names(element)
    return local if namespace == BPMN else None


def children(element: _Element, name: str, namespace: str = BPMN) -> Iterator[_Element]:
    """The child elements of that name, in document order."""
    return element.iterchildren(f"{{{namespace}}}{name}")


def first(element: _Element, name: str, namespace: str = BPMN) -> _Element | None:
    """The first child element of that name."""
    return next(children(element, name, namespace), None)


def elements(element: _Element) -> Iterator[_Element]:
    """All child elements."""
    return element.iterchildren(etree.Element)


def attribute(element: _Element, name: str, namespace: str = "") -> str | None:
    """The attribute without surrounding white space; None where it is absent or blank."""
    value = element.get(f"{{{namespace}}}{name}" if namespace else name)
    return (value.strip() or None) if value is not None else None


def is_true(element: _Element, name: str, default: bool = False) -> bool:
    """A boolean attribute, as XML Schema spells it."""
    value = attribute(element, name)
    return default if value is None else value in {"true", "1"}


def reference(element: _Element, name: str) -> str | None:
    """An attribute that points at another element. A prefix (`tns:Message_1`) is left out: ids are unique in the file."""
    value = attribute(element, name)
    return value.rpartition(":")[2] if value else None


def text_of(element: _Element | None) -> str | None:
    """The text in an element, CDATA included, without surrounding white space; None where absent or blank."""
    if element is None:
        return None
    return "".join(map(str, element.itertext())).strip() or None


def child_text(element: _Element, name: str) -> str | None:
    """The text of the first child element of that name."""
    return text_of(first(element, name))
