"""One flow node: an activity, event or gateway as it is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import (
    CAMUNDA,
    FLOW_NODES,
    SUB_PROCESSES,
    attribute,
    child_text,
    children,
    elements,
    is_true,
    kind_of,
    reference,
    text_of,
    words,
)
from engine.definition.call_reader import read_call
from engine.definition.decisions.business_rule import read_business_rule
from engine.definition.diagram import FlowNode
from engine.definition.event_reader import Declarations, read_events, unsupported_in_events
from engine.definition.extension_reader import read_form, read_inputs, read_outputs, read_property, unsupported_extensions
from engine.definition.repetition_reader import MARKERS, read_repetition

if TYPE_CHECKING:
    from lxml.etree import _Element

    from engine.definition.safe_xml import Document

_READ_CHILDREN = frozenset({"incoming", "outgoing", "documentation", "extensionElements", "script"})
_DRAWING_ONLY = words(
    # how tools record that a data object is connected, and what management software may read
    "property ioSpecification dataInputAssociation dataOutputAssociation dataInput dataOutput inputSet outputSet "
    "auditing monitoring categoryValueRef"
)
_INSIDE_SUB_PROCESS = FLOW_NODES | words(
    "sequenceFlow laneSet dataObject dataObjectReference dataStoreReference textAnnotation association group"
)


def read_node(
    element: _Element,
    node_id: str,
    *,
    document: Document,
    declarations: Declarations,
    scope: str | None,
    lane: str | None,
) -> FlowNode:
    """The flow node that `element` draws. `scope` and `lane` are what surrounds it."""
    kind = kind_of(element) or ""
    return FlowNode(
        id=node_id,
        kind=kind,
        position=document.position(element),
        name=attribute(element, "name"),
        scope=scope,
        lane=lane,
        group=attribute(element, "candidateGroups", CAMUNDA) or lane,
        incoming=tuple(text_of(each) or "" for each in children(element, "incoming")),
        outgoing=tuple(text_of(each) or "" for each in children(element, "outgoing")),
        default=attribute(element, "default"),
        events=read_events(element, document, declarations),
        attached_to=reference(element, "attachedToRef"),
        interrupting=is_true(element, "isInterrupting" if kind == "startEvent" else "cancelActivity", default=True),
        unless_claimed=read_property(element, "unless_claimed"),
        correlation_key=read_property(element, "correlation_key"),
        due=attribute(element, "dueDate", CAMUNDA),
        fields=read_form(element, document),
        service_type=attribute(element, "type", CAMUNDA),
        topic=attribute(element, "topic", CAMUNDA),
        inputs=read_inputs(element, document),
        outputs=read_outputs(element, document),
        script=child_text(element, "script"),
        script_format=attribute(element, "scriptFormat"),
        call=read_call(element, document) if kind == "callActivity" else None,
        triggered_by_event=is_true(element, "triggeredByEvent"),
        business_rule=read_business_rule(element, kind),
        repetition=read_repetition(element, document),
        documentation=child_text(element, "documentation"),
        unsupported=tuple(dict.fromkeys(_unsupported(element, kind))),
    )


def _unsupported(element: _Element, kind: str) -> Iterator[str]:
    yield from _unsupported_attributes(element, kind)
    known = _READ_CHILDREN | _DRAWING_ONLY | MARKERS | (_INSIDE_SUB_PROCESS if kind in SUB_PROCESSES else frozenset())
    for child in elements(element):
        local = kind_of(child)
        if local and local not in known and not local.endswith("EventDefinition"):
            yield local
    yield from unsupported_extensions(element, kind)
    yield from unsupported_in_events(element)


def _unsupported_attributes(element: _Element, kind: str) -> Iterator[str]:
    for name in ("startQuantity", "completionQuantity"):
        if (attribute(element, name) or "1") != "1":
            yield name
    for name in ("isForCompensation", "parallelMultiple", "instantiate"):
        if is_true(element, name):
            yield name
    if attribute(element, "eventGatewayType") == "Parallel":
        yield "eventGatewayType"
    groups = attribute(element, "candidateGroups", CAMUNDA) or ""
    if "," in groups or "${" in groups:
        yield "camunda:candidateGroups"
