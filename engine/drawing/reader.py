"""Reads a file's interchange (BPMNDI: BPMN 2.0, chapter 12): which element is drawn where, in which colours.

What can't be drawn as the file has it is left out, or drawn otherwise, and noted: a picture is made of every BPMN file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import BPMN, FLOW_NODES, attribute, children, first, is_true, names, reference
from engine.definition.finding import Finding, Severity
from engine.definition.safe_xml import Document, read_document
from engine.drawing.colours import colour
from engine.drawing.element_reader import CONTAINERS, LONGEST_NAME, read_elements
from engine.drawing.layout import lay_out
from engine.drawing.picture import Box, Edge, Element, Label, Picture, Plane, Point, Shape
from engine.errors import DefinitionInvalid

if TYPE_CHECKING:
    from lxml.etree import _Element

DI = "http://www.omg.org/spec/BPMN/20100524/DI"
_BOUNDS = "http://www.omg.org/spec/DD/20100524/DC"
_WAYPOINTS = "http://www.omg.org/spec/DD/20100524/DI"
_BIOC = "http://bpmn.io/schema/bpmn/biocolor/1.0"
_COLOR = "http://www.omg.org/spec/BPMN/non-normative/color/1.0"
FARTHEST = 1_000_000
"""No place is farther from the origin than this; modelers' canvases end long before."""
MOST_ITEMS = 5_000
"""Shapes and lines of a file that are drawn; real diagrams have some hundred."""
MOST_LAID_OUT = 1_000
"""Elements of a file without places that are laid out."""
_MOST_NAMED = 10
_NO_LABEL = Label()


def read_picture(content: bytes, file: str) -> Picture:
    """What is drawn in a file. Raises DefinitionInvalid where it isn't BPMN 2.0, or is refused by safe_xml."""
    document = read_document(content, file)
    if names(document.root) != (BPMN, "definitions"):
        found = names(document.root)[1]
        finding = Finding(
            "not-a-diagram",
            Severity.ERROR,
            document.position(document.root),
            f"Expected a BPMN 2.0 <definitions> element, but the file begins with <{found[:100]}>. "
            "Do: save it as a BPMN 2.0 diagram.",
        )
        raise DefinitionInvalid(str(finding), (finding,))
    return _Reader(document).picture()


class _Reader:
    """Reads one file, and collects what there is to note."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._elements = read_elements(document)
        self._unusable: list[str] = []
        self._unknown: list[str] = []
        self._styles: dict[str, Label] = {}
        self._read = 0

    def picture(self) -> Picture:
        planes = tuple(plane for plane in self._planes() if plane.shapes or plane.edges)
        title = self._title()
        if not any(plane.shapes for plane in planes):
            laid_out = lay_out(self._document, dict(islice(self._elements.items(), MOST_LAID_OUT)))
            notes = ["The file has no places for its elements, so they are laid out from left to right."]
            if len(self._elements) > MOST_LAID_OUT:
                notes.append(f"Only the first {MOST_LAID_OUT:,} of {len(self._elements):,} elements are laid out.")
            return Picture(title, (laid_out,) if laid_out.shapes else (), self._elements, tuple(notes))
        return Picture(title, planes, self._elements, tuple(self._notes(planes)))

    def _title(self) -> str:
        root = self._document.root
        named = [*children(root, "collaboration"), *children(root, "process"), *children(root, "choreography")]
        pools = [pool for each in children(root, "collaboration") for pool in children(each, "participant")]
        found = (attribute(each, "name") for each in (*named, *pools, root))
        return next((name for name in found if name), self._document.file)[:LONGEST_NAME]

    # planes .........................................................................................................

    def _planes(self) -> Iterator[Plane]:
        diagrams = list(children(self._document.root, "BPMNDiagram", DI))
        for number, diagram in enumerate(diagrams, start=1):
            self._styles = dict(_label_styles(diagram))
            plane = first(diagram, "BPMNPlane", DI)
            if plane is None:
                continue
            name = self._plane_name(diagram, plane, number) if len(diagrams) > 1 else ""
            shapes = tuple(s for xml in self._at_most(children(plane, "BPMNShape", DI)) if (s := self._shape(xml)))
            boxes = {shape.element.id: shape.box for shape in reversed(shapes)}
            edges = tuple(e for xml in self._at_most(children(plane, "BPMNEdge", DI)) if (e := self._edge(xml, boxes)))
            yield Plane(name, tuple(_completed(shapes)), edges)

    def _at_most(self, items: Iterator[_Element]) -> Iterator[_Element]:
        """The items, as long as there are not too many in the file."""
        for item in items:
            self._read += 1
            if self._read <= MOST_ITEMS:
                yield item

    def _plane_name(self, diagram: _Element, plane: _Element, number: int) -> str:
        shown = self._elements.get(reference(plane, "bpmnElement") or "")
        of_element = shown.name if shown is not None else None
        return (attribute(diagram, "name") or of_element or f"Diagram {number}")[:LONGEST_NAME]

    def _element(self, xml: _Element) -> Element:
        key = reference(xml, "bpmnElement") or ""
        known = self._elements.get(key)
        if known is None:
            self._unknown.append(key or "(nothing)")
            line = self._document.position(xml).line
            return Element(key, "", key[:LONGEST_NAME], line=line)
        return known

    def _shape(self, xml: _Element) -> Shape | None:
        element = self._element(xml)
        box = _box(first(xml, "Bounds", _BOUNDS))
        if box is None:
            self._unusable.append(element.id or "(nothing)")
            return None
        stroke = colour(attribute(xml, "border-color", _COLOR) or attribute(xml, "stroke", _BIOC))
        fill = colour(attribute(xml, "background-color", _COLOR) or attribute(xml, "fill", _BIOC))
        return Shape(element, box, self._label(xml), frozenset(_shape_flags(xml)), stroke, fill)

    def _edge(self, xml: _Element, boxes: Mapping[str, Box]) -> Edge | None:
        element = self._element(xml)
        points = tuple(p for each in children(xml, "waypoint", _WAYPOINTS) if (p := _point(each)))
        if len(points) < 2:
            source, target = boxes.get(element.source or ""), boxes.get(element.target or "")
            self._unusable.append(element.id or "(nothing)")
            if source is None or target is None:
                return None
            points = (source.centre, target.centre)
        stroke = colour(attribute(xml, "border-color", _COLOR) or attribute(xml, "stroke", _BIOC))
        message = attribute(xml, "messageVisibleKind")
        shown = message if message in {"initiating", "non_initiating"} else None
        return Edge(element, points, self._label(xml), shown, stroke)

    def _label(self, xml: _Element) -> Label:
        label = first(xml, "BPMNLabel", DI)
        if label is None:
            return _NO_LABEL
        style = self._styles.get(reference(label, "labelStyle") or "", _NO_LABEL)
        box = _box(first(label, "Bounds", _BOUNDS))
        return Label(box, style.size, style.bold, style.italic, colour(attribute(label, "color", _COLOR)))

    # notes ..........................................................................................................

    def _notes(self, planes: tuple[Plane, ...]) -> Iterator[str]:
        if self._read > MOST_ITEMS:
            yield f"Only the first {MOST_ITEMS:,} of {self._read:,} shapes and lines are drawn."
        if self._unusable:
            what = _listed(self._unusable)
            yield f"These have no usable place in the file, so they are left out, or drawn as a straight line: {what}."
        if self._unknown:
            yield f"These places are for elements that the file does not have: {_listed(self._unknown)}."
        if missing := list(self._without_place(planes)):
            yield f"These elements have no place in the file, so they are left out: {_listed(missing)}."

    def _without_place(self, planes: tuple[Plane, ...]) -> Iterator[str]:
        """Flow nodes and sequence flows that should be seen: those in what is collapsed, or not drawn at all, need not."""
        drawn = {each.element.id for plane in planes for each in plane.items} | set(self._unusable)
        shapes = [shape for plane in planes for shape in plane.shapes]
        shown = {s.element.id for s in shapes if "expanded" in s.flags} | {s.element.process for s in shapes} - {None}
        for key, element in self._elements.items():
            visible = (element.parent or element.process) in shown
            if visible and key not in drawn and (element.kind in FLOW_NODES or element.kind == "sequenceFlow"):
                yield key


def _listed(ids: list[str]) -> str:
    shown = ", ".join(each[:80] for each in ids[:_MOST_NAMED])
    more = len(ids) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _label_styles(diagram: _Element) -> Iterator[tuple[str, Label]]:
    for style in children(diagram, "BPMNLabelStyle", DI):
        font, key = first(style, "Font", _BOUNDS), attribute(style, "id")
        if font is None or key is None:
            continue
        size = _number(font, "size")
        usable = size if size is not None and 5 <= size <= 48 else None
        yield key, Label(size=usable, bold=is_true(font, "isBold"), italic=is_true(font, "isItalic"))


def _shape_flags(xml: _Element) -> Iterator[str]:
    if is_true(xml, "isHorizontal", default=True):
        yield "horizontal"
    expanded = attribute(xml, "isExpanded")
    if expanded is not None:
        yield "expanded" if is_true(xml, "isExpanded") else "collapsed"
    if is_true(xml, "isMarkerVisible"):
        yield "marker"
    if is_true(xml, "isMessageVisible"):
        yield "message"
    if band := attribute(xml, "participantBandKind"):
        yield f"band_{band[:40]}"


def _completed(shapes: tuple[Shape, ...]) -> Iterator[Shape]:
    """With what follows from the others: what has content is expanded unless the file says otherwise; pools may have lanes."""
    parents = {shape.element.parent for shape in shapes}
    with_lanes = {shape.element.process for shape in shapes if shape.element.kind == "lane"}
    for shape in shapes:
        element, more = shape.element, set()
        if element.kind in CONTAINERS and element.id in parents and not shape.flags & {"expanded", "collapsed"}:
            more.add("expanded")
        if element.kind == "participant" and element.process in with_lanes:
            more.add("lanes")
        yield replace(shape, flags=shape.flags | more)


def _box(xml: _Element | None) -> Box | None:
    """The bounds, None where they can't be drawn."""
    if xml is None:
        return None
    x, y, width, height = (_number(xml, name) for name in ("x", "y", "width", "height"))
    if x is None or y is None or width is None or height is None or width < 0 or height < 0:
        return None
    return Box(x, y, width, height)


def _point(xml: _Element) -> Point | None:
    x, y = _number(xml, "x"), _number(xml, "y")
    return Point(x, y) if x is not None and y is not None else None


def _number(xml: _Element, name: str) -> float | None:
    """A number that is one, and no farther than FARTHEST."""
    try:
        value = float(attribute(xml, name) or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= FARTHEST else None
