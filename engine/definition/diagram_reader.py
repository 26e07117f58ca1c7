"""Reads a BPMN 2.0 file into our own model. Any file that is BPMN gives a model, also where it can't be executed: what
is wrong with it is for `check` to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import (
    BPMN,
    DIALECTS,
    FLOW_NODES,
    MODELER,
    SUB_PROCESSES,
    attribute,
    child_text,
    children,
    elements,
    first,
    is_true,
    kind_of,
    names,
    split,
    text_of,
    words,
)
from engine.definition.collaboration_reader import read_collaboration
from engine.definition.diagram import Diagram, FlowNode, Lane, Process, SequenceFlow
from engine.definition.event_reader import Declarations
from engine.definition.extension_reader import settings_without_effect, unsupported_extensions
from engine.definition.finding import Finding, Position, Severity
from engine.definition.node_reader import read_node
from engine.definition.safe_xml import Document, read_document
from engine.definition.silence_reader import read_silences
from engine.errors import DefinitionInvalid

if TYPE_CHECKING:
    from lxml.etree import _Element

_TOP_LEVEL_READ_PAST = words(
    # declarations that matter only where something refers to them, and drawings
    "process collaboration message error signal escalation itemDefinition category dataStore resource import interface "
    "endPoint relationship correlationProperty partnerEntity partnerRole globalConversation cancelEventDefinition "
    "compensateEventDefinition conditionalEventDefinition errorEventDefinition escalationEventDefinition "
    "linkEventDefinition messageEventDefinition signalEventDefinition terminateEventDefinition timerEventDefinition "
    "documentation extensionElements extension"
)
_DATA = ("dataObject", "dataObjectReference", "dataStoreReference")
_IN_PROCESS_READ_PAST = words(
    "sequenceFlow laneSet textAnnotation association group documentation extensionElements property ioSpecification "
    "auditing monitoring supports"
) | frozenset(_DATA)
_OUR_LANGUAGES = frozenset({"python", "expression"})


def read_diagram(content: bytes, file: str) -> Diagram:
    """The model of a whole file. `file` is the name that positions carry.

    Raises DefinitionInvalid, with one finding, where the file isn't well-formed XML, isn't BPMN 2.0, or is refused by
    engine/definition/safe_xml.py.
    """
    document = read_document(content, file)
    if names(document.root) != (BPMN, "definitions"):
        finding = Finding(
            "not-a-diagram",
            Severity.ERROR,
            document.position(document.root),
            f"Expected a BPMN 2.0 <definitions> element, but the file begins with <{names(document.root)[1]}>. "
            "Do: save it as a BPMN 2.0 diagram.",
        )
        raise DefinitionInvalid(str(finding), (finding,))
    return _Reader(document).diagram()


class _Reader:
    """Reads one file: its declarations and its ids are looked up from everywhere in it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._root = document.root
        self._declarations = Declarations.read(document.root)
        self._duplicates: list[tuple[str, Position]] = []
        self._ids = self._collect_ids()
        self._made_up: dict[_Element, str] = {}
        self._numbers: dict[str, count[int]] = {}

    def diagram(self) -> Diagram:
        processes = tuple(self._process(each) for each in children(self._root, "process"))
        return Diagram(
            self._document.file,
            processes,
            tuple(self._duplicates),
            tuple(self._other_elements()),
            read_collaboration(self._document),
            tuple(read_silences(self._document, self._name_of)),
            tuple(self._without_effect()),
        )

    # ids ............................................................................................................

    def _collect_ids(self) -> set[str]:
        seen: set[str] = set()
        for element in self._root.iter(f"{{{BPMN}}}*"):
            if (key := attribute(element, "id")) is None:
                continue
            if key in seen:
                self._duplicates.append((key, self._document.position(element)))
            seen.add(key)
        return seen

    def _id(self, element: _Element, prefix: str) -> str:
        """The element's id; one is made up where it has none, as the standard allows."""
        if key := attribute(element, "id"):
            return key
        if element not in self._made_up:
            numbered = (f"{prefix}_{number}" for number in self._numbers.setdefault(prefix, count(1)))
            self._made_up[element] = next(name for name in numbered if name not in self._ids)
        return self._made_up[element]

    def _name_of(self, element: _Element) -> str:
        """The id by which findings name an element."""
        kind = kind_of(element) or "element"
        return self._id(element, {"sequenceFlow": "flow"}.get(kind, kind))

    # a process ......................................................................................................

    def _process(self, element: _Element) -> Process:
        lanes = tuple(self._lanes(element))
        lane_of = {node: lane.name for lane in lanes for node in lane.nodes}  # inner lanes come later and win
        nodes = {node.id: node for node in self._nodes(element, None, lane_of)}
        return Process(
            id=self._id(element, "process"),
            position=self._document.position(element),
            name=attribute(element, "name"),
            executable=is_true(element, "isExecutable", default=True),
            nodes=nodes,
            flows=tuple(self._flows(element, None)),
            lanes=lanes,
            data_objects=tuple(self._id(each, "data") for each in element.iter(*(f"{{{BPMN}}}{name}" for name in _DATA))),
            documentation=child_text(element, "documentation"),
        )

    def _nodes(self, container: _Element, scope: str | None, lane_of: Mapping[str, str | None]) -> Iterator[FlowNode]:
        around = lane_of.get(scope) if scope else None
        for element in elements(container):
            kind = kind_of(element)
            if kind not in FLOW_NODES:
                continue
            key = self._id(element, kind)
            lane = lane_of.get(key, around)
            yield read_node(element, key, document=self._document, declarations=self._declarations, scope=scope, lane=lane)
            if kind in SUB_PROCESSES:
                yield from self._nodes(element, key, {**lane_of, **_lanes_in(self._lanes(element)), key: lane})

    def _flows(self, container: _Element, scope: str | None) -> Iterator[SequenceFlow]:
        for element in elements(container):
            kind = kind_of(element)
            if kind == "sequenceFlow":
                yield self._flow(element, scope)
            elif kind in SUB_PROCESSES:
                yield from self._flows(element, self._id(element, kind))

    def _flow(self, element: _Element, scope: str | None) -> SequenceFlow:
        return SequenceFlow(
            id=self._id(element, "flow"),
            source=attribute(element, "sourceRef") or "",
            target=attribute(element, "targetRef") or "",
            position=self._document.position(element),
            name=attribute(element, "name"),
            condition=child_text(element, "conditionExpression"),
            scope=scope,
        )

    def _lanes(self, container: _Element, parent: str | None = None) -> Iterator[Lane]:
        for lane_set in (*children(container, "laneSet"), *children(container, "childLaneSet")):
            for element in children(lane_set, "lane"):
                key = self._id(element, "lane")
                listed = tuple(text_of(each) or "" for each in children(element, "flowNodeRef"))
                yield Lane(key, attribute(element, "name"), listed, self._document.position(element), parent)
                yield from self._lanes(element, key)

    # what isn't modelled and changes meaning ........................................................................

    def _other_elements(self) -> Iterator[tuple[str, Position]]:
        for name, element in self._other():
            yield name, self._document.position(element)

    def _without_effect(self) -> Iterator[tuple[str, Position]]:
        for element in self._root.iter(f"{{{BPMN}}}*"):
            yield from ((name, self._document.position(element)) for name in settings_without_effect(element))

    def _other(self) -> Iterator[tuple[str, _Element]]:
        root = self._root
        if attribute(root, "executionPlatform", MODELER) == "Camunda Cloud":
            yield "zeebe:executionPlatform", root
        for each in elements(root):
            kind = kind_of(each)
            if kind and (kind not in _TOP_LEVEL_READ_PAST or is_true(each, "mustUnderstand")):
                yield kind, each
        for process in children(root, "process"):
            yield from ((name, process) for name in unsupported_extensions(process, "process"))
            yield from self._other_in(process)
        for flow in root.iter(f"{{{BPMN}}}sequenceFlow"):
            yield from ((name, flow) for name in unsupported_extensions(flow, "sequenceFlow"))
            yield from _other_in_condition(flow)

    def _other_in(self, process: _Element) -> Iterator[tuple[str, _Element]]:
        for each in elements(process):
            kind = kind_of(each)
            if kind and kind not in FLOW_NODES and kind not in _IN_PROCESS_READ_PAST:
                yield kind, each


def _lanes_in(lanes: Iterator[Lane]) -> dict[str, str | None]:
    return {node: lane.name for lane in lanes for node in lane.nodes}


def _other_in_condition(flow: _Element) -> Iterator[tuple[str, _Element]]:
    condition = first(flow, "conditionExpression")
    if condition is None:
        return
    language = attribute(condition, "language")
    if text_of(condition) and language and language.lower() not in _OUR_LANGUAGES:
        yield "conditionExpression language", condition
    for name in condition.attrib:
        namespace, local = split(str(name))
        if namespace in DIALECTS:
            yield f"{DIALECTS[namespace]}:{local}", condition
