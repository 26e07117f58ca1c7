"""What Camunda 7's extension elements and attributes on a flow node say.

Whatever is neither read nor known to change nothing is collected by name, so that `check` can refuse it: nothing is read
past silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import (
    CAMUNDA,
    DIALECTS,
    attribute,
    children,
    elements,
    first,
    is_true,
    names,
    split,
    text_of,
    words,
)
from engine.definition.call_reader import why_unsupported
from engine.definition.diagram import FormField, Parameter

if TYPE_CHECKING:
    from lxml.etree import _Element

    from engine.definition.safe_xml import Document

_HARMLESS_ATTRIBUTES = words(
    # where transactions end and in which order jobs run is this program's own business; the rest labels and decorates
    "async asyncBefore asyncAfter exclusive jobPriority taskPriority historyTimeToLive versionTag isStartableInTasklist "
    "modelerTemplate modelerTemplateVersion modelerTemplateIcon diagramRelationId"
)
_ASYNCHRONOUS = ("async", "asyncBefore", "asyncAfter")
_ORDER = ("jobPriority", "taskPriority")
_HARMLESS_ELEMENTS = frozenset({"properties", "property"})
_READ_ATTRIBUTES = {
    "userTask": frozenset({"candidateGroups", "dueDate"}),
    "serviceTask": frozenset({"type", "topic"}),
    "sendTask": frozenset({"type", "topic"}),
    "businessRuleTask": frozenset({"decisionRef", "decisionRefBinding", "mapDecisionResult", "resultVariable"}),
    "errorEventDefinition": frozenset({"errorCodeVariable", "errorMessageVariable"}),
    "escalationEventDefinition": frozenset({"escalationCodeVariable"}),
    "multiInstanceLoopCharacteristics": frozenset({"collection", "elementVariable"}),
    "callActivity": frozenset({"calledElementBinding", "calledElementVersion"}),
}
_READ_ELEMENTS = {
    "userTask": frozenset({"formData"}),
    "callActivity": frozenset({"in", "out"}),
    # what a job is given and gives, what goes along with a message, and where it goes to
    **dict.fromkeys(
        words(
            "serviceTask sendTask receiveTask businessRuleTask startEvent intermediateCatchEvent intermediateThrowEvent "
            "boundaryEvent endEvent"
        ),
        frozenset({"inputOutput"}),
    ),
}
_READ_CONSTRAINTS = frozenset({"required", "readonly"})


def unsupported_extensions(element: _Element, kind: str) -> Iterator[str]:
    """The names of extension attributes and elements of a BPMN element that are not executed."""
    yield from _unsupported_attributes(element, kind)
    extensions = first(element, "extensionElements")
    for child in elements(extensions) if extensions is not None else ():
        yield from _unsupported_element(child, kind)


def _unsupported_attributes(element: _Element, kind: str) -> Iterator[str]:
    for name in element.attrib:
        namespace, local = split(str(name))
        if namespace not in DIALECTS or (namespace == CAMUNDA and local in _HARMLESS_ATTRIBUTES):
            continue
        if namespace != CAMUNDA or local not in _READ_ATTRIBUTES.get(kind, ()):
            yield f"{DIALECTS[namespace]}:{local}"


def _unsupported_element(element: _Element, kind: str) -> Iterator[str]:
    namespace, local = names(element)
    if namespace not in DIALECTS or (namespace == CAMUNDA and local in _HARMLESS_ELEMENTS):
        return
    if namespace != CAMUNDA or local not in _READ_ELEMENTS.get(kind, ()):
        yield f"{DIALECTS[namespace]}:{local}"
    elif local == "formData":
        yield from _unsupported_in_form(element)
    elif local in ("in", "out"):
        if (setting := why_unsupported(element)) is not None:
            yield f"camunda:{local} {setting}"
    else:
        yield from _unsupported_in_parameters(element)


def _unsupported_in_form(form: _Element) -> Iterator[str]:
    if attribute(form, "businessKey"):
        yield "camunda:formData businessKey"
    for field in elements(form):
        if names(field) != (CAMUNDA, "formField"):
            yield f"camunda:{names(field)[1]}"
            continue
        if attribute(field, "defaultValue"):
            yield "camunda:formField defaultValue"
        for constraint in _constraints(field):
            if attribute(constraint, "name") not in _READ_CONSTRAINTS:
                yield f"camunda:constraint {attribute(constraint, 'name') or 'without a name'}"


def _unsupported_in_parameters(parameters: _Element) -> Iterator[str]:
    for parameter in elements(parameters):
        for inner in elements(parameter):
            yield f"camunda:{names(inner)[1]}"


def settings_without_effect(element: _Element) -> Iterator[str]:
    """Settings of an element that an author may rely on and that do nothing here, by their names. What modelers write by
    themselves isn't among them.
    """
    yield from (f"camunda:{name}" for name in _ASYNCHRONOUS if attribute(element, name, CAMUNDA) == "true")
    yield from (f"camunda:{name}" for name in _ORDER if attribute(element, name, CAMUNDA))
    if attribute(element, "exclusive", CAMUNDA) == "false":
        yield "camunda:exclusive"


def read_form(element: _Element, document: Document) -> tuple[FormField, ...]:
    """The form fields of a user task, in the order in which they are drawn."""
    form = _extension(element, "formData")
    if form is None:
        return ()
    return tuple(_read_field(field, document) for field in children(form, "formField", CAMUNDA))


def _read_field(field: _Element, document: Document) -> FormField:
    name = attribute(field, "id") or ""
    values = children(field, "value", CAMUNDA)
    return FormField(
        name=name,
        label=attribute(field, "label") or name,
        type=attribute(field, "type") or "",
        required=_has_constraint(field, "required"),
        readonly=_has_constraint(field, "readonly"),
        position=document.position(field),
        required_if=_condition_of(field, "required"),
        choices=tuple((attribute(v, "id") or "", attribute(v, "name") or attribute(v, "id") or "") for v in values),
    )


def _constraints(field: _Element) -> Iterator[_Element]:
    validation = first(field, "validation", CAMUNDA)
    return children(validation, "constraint", CAMUNDA) if validation is not None else iter(())


def _has_constraint(field: _Element, name: str) -> bool:
    return any(attribute(each, "name") == name and is_true(each, "config", default=True) for each in _constraints(field))


def _condition_of(field: _Element, name: str) -> str | None:
    configs = (attribute(each, "config") for each in _constraints(field) if attribute(each, "name") == name)
    return next((config for config in configs if config and "${" in config), None)


def read_inputs(element: _Element, document: Document) -> tuple[Parameter, ...]:
    """`camunda:inputParameter`s in order. An empty one gives nothing, as in Camunda 7, where it is null: that is how the modeler
    writes what an element template leaves open.
    """
    return tuple(each for each in _parameters(element, "inputParameter", document) if each.text)


def read_outputs(element: _Element, document: Document) -> tuple[Parameter, ...]:
    """`camunda:outputParameter`s in order."""
    return _parameters(element, "outputParameter", document)


def _parameters(element: _Element, name: str, document: Document) -> tuple[Parameter, ...]:
    block = _extension(element, "inputOutput")
    if block is None:
        return ()
    return tuple(
        Parameter(attribute(each, "name") or "", text_of(each) or "", document.position(each))
        for each in children(block, name, CAMUNDA)
    )


def read_property(element: _Element, name: str) -> str | None:
    """The value of a `camunda:property`, which modelers let people add to any element; None where there is none."""
    block = _extension(element, "properties")
    found = children(block, "property", CAMUNDA) if block is not None else iter(())
    return next((attribute(each, "value") or "" for each in found if attribute(each, "name") == name), None)


def _extension(element: _Element, name: str) -> _Element | None:
    extensions = first(element, "extensionElements")
    return first(extensions, name, CAMUNDA) if extensions is not None else None
