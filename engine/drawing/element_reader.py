"""What the shapes and lines of a file stand for: every BPMN element that can be drawn, with what shows of it.

Element.flags are: `loop`, `parallel`, `sequential` (multi-instance), `compensation`, `ad_hoc`, `event_sub_process`,
`non_interrupting`, `parallel_multiple`, `instantiates`, `parallel_events` (event-based gateway), `default`, `conditional`,
`one_way`, `both_ways` (associations), `collection`, `black_box` and `multiple` (participants), `calls_KIND` (a call activity
whose global task is of that kind).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import (
    ACTIVITIES,
    BPMN,
    FLOW_NODES,
    attribute,
    child_text,
    children,
    elements,
    first,
    is_true,
    kind_of,
    reference,
    words,
)
from engine.drawing.picture import Element

if TYPE_CHECKING:
    from lxml.etree import _Element

    from engine.definition.safe_xml import Document

CHOREOGRAPHIES = words("choreographyTask subChoreography callChoreography")
CONVERSATIONS = words("conversation subConversation callConversation")
DATA = words("dataObject dataObjectReference dataInput dataOutput dataStore dataStoreReference")
FLOWS = words("sequenceFlow messageFlow association dataInputAssociation dataOutputAssociation conversationLink")
DRAWN = (
    FLOW_NODES
    | CHOREOGRAPHIES
    | CONVERSATIONS
    | DATA
    | FLOWS
    | words("participant lane group textAnnotation message implicitThrowEvent event")
)
CONTAINERS = words(
    "subProcess adHocSubProcess transaction callActivity subChoreography callChoreography subConversation callConversation"
)
LONGEST_NAME = 500
"""Characters of a name that are looked at; no box has room for as many."""

_LOOPS = {"standardLoopCharacteristics": "loop", "multiInstanceLoopCharacteristics": "parallel"}


def read_elements(document: Document) -> dict[str, Element]:
    """By id, every element of the file that can be drawn, in document order. The first of an id counts."""
    reader = _Reader(document)
    found: dict[str, Element] = {}
    for xml in document.root.iter(f"{{{BPMN}}}*"):
        key, kind = attribute(xml, "id"), kind_of(xml)
        if key and kind in DRAWN and key not in found:
            found[key] = reader.element(xml, key, kind or "")
    return found


class _Reader:
    """Reads one file's elements; what they refer to is looked up in all of it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._by_id: dict[str, _Element] = {}
        for xml in document.root.iter(f"{{{BPMN}}}*"):
            if key := attribute(xml, "id"):
                self._by_id.setdefault(key, xml)
        self._defaults = {d for xml in self._by_id.values() if (d := reference(xml, "default"))}

    def element(self, xml: _Element, key: str, kind: str) -> Element:
        source, target = self._ends(xml, kind)
        return Element(
            id=key,
            kind=kind,
            name=self._name(xml, kind)[:LONGEST_NAME],
            events=tuple(self._events(xml)) if kind not in ACTIVITIES or is_true(xml, "triggeredByEvent") else (),
            flags=frozenset(self._flags(xml, key, kind)),
            parent=self._above(xml, CONTAINERS),
            process=reference(xml, "processRef") if kind == "participant" else self._above(xml, frozenset({"process"})),
            attached_to=reference(xml, "attachedToRef"),
            source=source,
            target=target,
            line=self._document.position(xml).line,
        )

    @staticmethod
    def _above(xml: _Element, kinds: frozenset[str]) -> str | None:
        """The id of the nearest element of these kinds that holds this one."""
        above = next((a for a in xml.iterancestors(f"{{{BPMN}}}*") if kind_of(a) in kinds), None)
        return attribute(above, "id") if above is not None else None

    # names ..........................................................................................................

    def _name(self, xml: _Element, kind: str) -> str:
        if kind == "textAnnotation":
            return child_text(xml, "text") or ""
        if kind == "group":
            value = self._by_id.get(reference(xml, "categoryValueRef") or "")
            return (attribute(value, "value") or "") if value is not None else ""
        name = attribute(xml, "name") or ""
        if kind in DATA:
            return self._data_name(xml, name)
        return name

    def _data_name(self, xml: _Element, name: str) -> str:
        """With the state in brackets below it (BPMN 2.0, 10.3.1)."""
        held = self._by_id.get(reference(xml, "dataObjectRef") or reference(xml, "dataStoreRef") or "")
        if not name and held is not None:
            name = attribute(held, "name") or ""
        state = first(xml, "dataState")
        state_name = attribute(state, "name") if state is not None else None
        return f"{name}\n[{state_name.strip('[]')}]" if state_name else name

    # what shows .....................................................................................................

    def _events(self, xml: _Element) -> Iterator[str]:
        """The kinds of an event's definitions; of an event sub-process, those of its start event, shown while it is collapsed."""
        if is_true(xml, "triggeredByEvent"):
            start = first(xml, "startEvent")
            if start is not None:
                yield from self._events(start)
            return
        for child in elements(xml):
            kind = kind_of(child)
            if kind == "eventDefinitionRef":
                referred = self._by_id.get((child.text or "").strip().rpartition(":")[2])
                kind = kind_of(referred) if referred is not None else None
            if kind and kind.endswith("EventDefinition"):
                yield kind.removesuffix("EventDefinition")

    def _flags(self, xml: _Element, key: str, kind: str) -> Iterator[str]:
        yield from self._loop_flags(xml)
        yield from (flag for name, flag in _ATTRIBUTES.items() if is_true(xml, name))
        yield from (flag for (name, value), flag in _VALUES.items() if attribute(xml, name) == value)
        if kind == "adHocSubProcess":
            yield "ad_hoc"
        if kind == "sequenceFlow":
            yield from self._flow_flags(xml, key)
        if kind == "participant":
            yield from self._participant_flags(xml)
        if kind == "dataObjectReference":
            yield from self._collection(xml)
        if kind == "callActivity":
            yield from self._called(xml)

    @staticmethod
    def _loop_flags(xml: _Element) -> Iterator[str]:
        for name, flag in _LOOPS.items():
            loop = first(xml, name)
            if loop is not None:
                yield "sequential" if is_true(loop, "isSequential") else flag
        if loop_type := attribute(xml, "loopType"):  # choreographies
            kinds = {"Standard": "loop", "MultiInstanceSequential": "sequential", "MultiInstanceParallel": "parallel"}
            yield kinds.get(loop_type, "none")

    def _flow_flags(self, xml: _Element, key: str) -> Iterator[str]:
        if key in self._defaults:
            yield "default"
        source = self._by_id.get(reference(xml, "sourceRef") or "")
        if first(xml, "conditionExpression") is not None and source is not None and kind_of(source) in ACTIVITIES:
            yield "conditional"

    @staticmethod
    def _participant_flags(xml: _Element) -> Iterator[str]:
        if reference(xml, "processRef") is None:
            yield "black_box"
        many = first(xml, "participantMultiplicity")
        if many is not None and attribute(many, "maximum") not in {"0", "1"}:
            yield "multiple"

    def _collection(self, xml: _Element) -> Iterator[str]:
        held = self._by_id.get(reference(xml, "dataObjectRef") or "")
        if held is not None and is_true(held, "isCollection"):
            yield "collection"

    def _called(self, xml: _Element) -> Iterator[str]:
        called = self._by_id.get(reference(xml, "calledElement") or "")
        kind = kind_of(called) if called is not None else None
        if kind and kind.startswith("global"):
            task = kind.removeprefix("global")
            yield f"calls_{task[0].lower()}{task[1:]}"

    def _ends(self, xml: _Element, kind: str) -> tuple[str | None, str | None]:
        """What a line connects. A data association ends at the activity that it is written in."""
        if kind in {"dataInputAssociation", "dataOutputAssociation"}:
            above = xml.getparent()
            holder = attribute(above, "id") if above is not None else None
            inwards = kind == "dataInputAssociation"
            other = next((child.text for child in children(xml, "sourceRef" if inwards else "targetRef")), None)
            return (other, holder) if inwards else (holder, other)
        return reference(xml, "sourceRef"), reference(xml, "targetRef")


_ATTRIBUTES: Mapping[str, str] = {
    "isForCompensation": "compensation",
    "triggeredByEvent": "event_sub_process",
    "parallelMultiple": "parallel_multiple",
    "instantiate": "instantiates",
    "isCollection": "collection",
}
_VALUES: Mapping[tuple[str, str], str] = {
    ("cancelActivity", "false"): "non_interrupting",
    ("isInterrupting", "false"): "non_interrupting",
    ("eventGatewayType", "Parallel"): "parallel_events",
    ("associationDirection", "One"): "one_way",
    ("associationDirection", "Both"): "both_ways",
}
