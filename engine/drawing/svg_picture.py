"""A picture as an SVG document: every element in its layer, every mark on its element, the view box around all of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from lxml import etree

from engine.definition.bpmn_xml import ACTIVITIES, EVENTS, GATEWAYS
from engine.drawing.activities import draw_activity
from engine.drawing.artifacts import (
    draw_annotation,
    draw_data_object,
    draw_data_store,
    draw_group,
    draw_message,
    draw_unknown,
)
from engine.drawing.badges import draw_legend, ink_of, outline_edge, outline_shape, put_badges
from engine.drawing.canvas import SVG, Canvas, add, number, set_attributes, set_text
from engine.drawing.choreography import draw_band, draw_choreography, draw_conversation
from engine.drawing.colours import PAPER
from engine.drawing.docking import docked
from engine.drawing.edges import draw_edge
from engine.drawing.element_reader import CHOREOGRAPHIES, CONVERSATIONS
from engine.drawing.events import draw_event, draw_gateway
from engine.drawing.labels import write_along
from engine.drawing.marks import Mark, Marking, Marks, in_words, markings_of
from engine.drawing.picture import Box, Edge, Element, Picture, Plane, Point, Shape
from engine.drawing.pools import draw_lane, draw_pool
from engine.drawing.text import FAMILY

_MARGIN = 12.0
_BETWEEN_PLANES = 40.0
_HEADING = 16.0
_LONGEST_TITLE = 300
_LEAST_WIDTH = 240.0

_DRAWERS: Mapping[str, Callable[[Canvas, Shape], None]] = {
    **dict.fromkeys(ACTIVITIES, draw_activity),
    **dict.fromkeys((*EVENTS, "event", "implicitThrowEvent"), draw_event),
    **dict.fromkeys(GATEWAYS, draw_gateway),
    **dict.fromkeys(CHOREOGRAPHIES, draw_choreography),
    **dict.fromkeys(CONVERSATIONS, draw_conversation),
    **dict.fromkeys(("dataObject", "dataObjectReference", "dataInput", "dataOutput"), draw_data_object),
    **dict.fromkeys(("dataStore", "dataStoreReference"), draw_data_store),
    "participant": draw_pool,
    "lane": draw_lane,
    "textAnnotation": draw_annotation,
    "group": draw_group,
    "message": draw_message,
}
_LAYERS: Mapping[str, int] = {"participant": 0, "lane": 1, "boundaryEvent": 6, "group": 7}
_EXPANDED, _LINES, _SHAPES, _BANDS, _MESSAGES = 2, 3, 4, 5, 8


def draw_picture(picture: Picture, marks: Marks | None = None, *, legend: bool = True) -> bytes:
    """The picture as an SVG document in UTF-8, with elements marked. Raises ValueError for a mark that isn't one."""
    markings = markings_of(marks)
    root = etree.fromstring(f'<svg xmlns="{SVG}"/>')  # as the default namespace, so that nothing has a prefix
    set_attributes(root, class_="bpmn-picture", role="img", font_family=FAMILY, stroke_linecap="butt")
    set_text(add(root, "title"), picture.title[:_LONGEST_TITLE])
    set_text(add(root, "desc"), _description(picture, markings))
    ground = add(root, "rect", class_="ground", fill=PAPER)
    canvas = Canvas(root)
    below = 0.0
    for plane in picture.planes:
        below = _draw_plane(canvas, plane, markings, below) + _BETWEEN_PLANES
    _draw_foot(canvas, picture, markings, legend=legend)
    _set_size(root, ground, Box.around(canvas.drawn) or Box(0, 0, _LEAST_WIDTH, 40))
    return etree.tostring(root, encoding="utf-8", xml_declaration=False)


def _set_size(root: etree._Element, ground: etree._Element, drawn: Box) -> None:
    whole = drawn.grown(_MARGIN)
    box = " ".join(number(each) for each in (whole.x, whole.y, whole.width, whole.height))
    set_attributes(root, viewBox=box, width=whole.width, height=whole.height)
    set_attributes(ground, x=whole.x, y=whole.y, width=whole.width, height=whole.height)


def _description(picture: Picture, markings: Mapping[str, Sequence[Marking]]) -> str:
    shapes = sum(len(plane.shapes) for plane in picture.planes)
    edges = sum(len(plane.edges) for plane in picture.planes)
    marked = sum(1 for key in markings if key in picture.elements)
    said = [f"A BPMN diagram with {shapes} shapes and {edges} lines."]
    said += [f"{marked} of its elements are marked."] if marked else []
    return " ".join((*said, *picture.notes))


# --- a plane --------------------------------------------------------------------------------------------------------


def _draw_plane(canvas: Canvas, plane: Plane, markings: Mapping[str, Sequence[Marking]], below: float) -> float:
    """Draw one diagram of the file, below what has been drawn if that is anything; its lower edge."""
    if not plane.name:
        _draw_elements(canvas, plane, markings)
        return _lower_edge(canvas)
    around = Box.around([*(s.box for s in plane.shapes), *(Box(p.x, p.y, 0, 0) for e in plane.edges for p in e.points)])
    assert around is not None
    heading = Point(around.x, below)
    canvas.text((plane.name[:_LONGEST_TITLE],), heading, _HEADING, {"font_weight": "bold"}, anchor="start")
    moved = _moved(plane, below + 2 * _HEADING - around.y)
    _draw_elements(canvas, moved, markings)
    return _lower_edge(canvas)


def _lower_edge(canvas: Canvas) -> float:
    drawn = Box.around(canvas.drawn)
    return drawn.bottom if drawn else 0.0


def _moved(plane: Plane, down: float) -> Plane:
    def box(each: Box | None) -> Box | None:
        return each.moved(0, down) if each else None

    shapes = (replace(s, box=s.box.moved(0, down), label=replace(s.label, box=box(s.label.box))) for s in plane.shapes)
    edges = (
        replace(
            e,
            points=tuple(Point(p.x, p.y + down) for p in e.points),
            label=replace(e.label, box=box(e.label.box)),
        )
        for e in plane.edges
    )
    return Plane(plane.name, tuple(shapes), tuple(edges))


def _draw_elements(canvas: Canvas, plane: Plane, markings: Mapping[str, Sequence[Marking]]) -> None:
    layers: dict[int, list[Shape]] = defaultdict(list)
    for shape in plane.shapes:
        layers[_layer(shape)].append(shape)
    by_id = {shape.element.id: shape for shape in reversed(plane.shapes)}
    for layer in range(_MESSAGES + 1):
        for edge in plane.edges:
            if layer == (_MESSAGES if edge.element.kind == "messageFlow" else _LINES):
                _draw_marked_edge(canvas, edge, by_id, markings.get(edge.element.id, ()))
        for shape in sorted(layers[layer], key=lambda s: -s.box.area):  # the smaller lies on the larger
            _draw_marked_shape(canvas, shape, markings.get(shape.element.id, ()))
    for edge in plane.edges:
        if edge.element.name:
            write_along(canvas.within(edge.stroke, None, class_="label", data_label_of=edge.element.id), edge)
    for item in plane.items:
        if item.element.id in markings:
            put_badges(
                canvas.within(None, None, class_="badges", data_badges_of=item.element.id), item, markings[item.element.id]
            )


def _layer(shape: Shape) -> int:
    if _is_band(shape):
        return _BANDS
    if "expanded" in shape.flags:
        return _EXPANDED
    return _LAYERS.get(shape.element.kind, _SHAPES)


def _is_band(shape: Shape) -> bool:
    return any(flag.startswith("band_") for flag in shape.flags)


def _draw_marked_shape(canvas: Canvas, shape: Shape, markings: Sequence[Marking]) -> None:
    group = _group(canvas, shape.element, markings, shape.stroke, shape.fill)
    draw = draw_band if _is_band(shape) else _DRAWERS.get(shape.element.kind, draw_unknown)
    draw(group, shape)
    outline_shape(group, shape, markings)


def _draw_marked_edge(canvas: Canvas, edge: Edge, shapes: Mapping[str, Shape], markings: Sequence[Marking]) -> None:
    group = _group(canvas, edge.element, markings, ink_of(markings) or edge.stroke, None)
    source, target = shapes.get(edge.element.source or ""), shapes.get(edge.element.target or "")
    cut = replace(edge, points=docked(edge.points, source, target))
    outline_edge(group, cut, markings)
    draw_edge(group, cut)


def _group(canvas: Canvas, element: Element, markings: Sequence[Marking], ink: str | None, paper: str | None) -> Canvas:
    """The group of an element, named for programs, for people who point at it, and for those who don't see it."""
    classes = [f"bpmn-{element.kind or 'unknown'}", *(f"marked-{Mark(m.mark)}" for m in markings)]
    group = canvas.within(ink, paper, class_=" ".join(classes), data_element_id=element.id or None)
    said = [element.name or element.id, in_plain_words(element.kind), *map(in_words, markings)]
    set_text(add(group.group, "title"), ", ".join(" ".join(each.split()) for each in said if each)[:_LONGEST_TITLE])
    return group


def in_plain_words(kind: str) -> str:
    """`userTask` as `user task`."""
    return re.sub(r"([A-Z])", lambda letter: f" {letter[1].lower()}", kind)


# --- below the picture ----------------------------------------------------------------------------------------------


def _draw_foot(canvas: Canvas, picture: Picture, markings: Mapping[str, Sequence[Marking]], *, legend: bool) -> None:
    if not picture.planes:
        canvas.text(("Nothing in this file can be drawn.",), Point(0, 0), 14, anchor="start")
        return
    used = list(_used(picture, markings))
    drawn = Box.around(canvas.drawn)
    if legend and used and drawn:
        draw_legend(canvas, used, Point(drawn.x, drawn.bottom + 20), max(drawn.width, _LEAST_WIDTH))


def _used(picture: Picture, markings: Mapping[str, Sequence[Marking]]) -> Iterator[Mark]:
    """The kinds of marks that are seen, in their order."""
    drawn = {each.element.id for plane in picture.planes for each in plane.items}
    seen = {Mark(marking.mark) for key, each in markings.items() if key in drawn for marking in each}
    return (mark for mark in Mark if mark in seen and mark is not Mark.NOTED)
