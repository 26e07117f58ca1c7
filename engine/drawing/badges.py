"""How marks are drawn: an outline around a shape or along a line, a badge on it, and the legend below the picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.drawing.canvas import Attribute, Canvas
from engine.drawing.colours import PAPER
from engine.drawing.edges import rounded
from engine.drawing.labels import longest_part
from engine.drawing.marks import LOOKS, Look, Mark, Marking
from engine.drawing.picture import Box, Edge, Point, Shape
from engine.drawing.text import width_of

_GAP = 4.0  # pixels between a shape and its outline, and between outlines
_RADIUS = 9.0
_SIGNS: Mapping[str, str] = {
    "cross": "M-4 -4 L4 4 M-4 4 L4 -4",
    "plus": "M0 -5 V5 M-5 0 H5",
    "minus": "M-5 0 H5",
    "unequal": "M-4 -2 H4 M-4 2 H4 M-2 4.5 L2 -4.5",
    "arrow": "M-5 0 H4 M1 -3.5 L4.5 0 L1 3.5",
    "exclamation": "M0 -4 V2 M0 4.4 V5.6",
    "dot": "M-1 0 A1 1 0 1 1 1 0 A1 1 0 1 1 -1 0 Z",
}
_BADGE_TEXT = 12  # characters
_LEGEND_STEP = 24.0


def outline_shape(canvas: Canvas, shape: Shape, markings: Sequence[Marking]) -> None:
    """Outlines around a shape, one around the other."""
    place = 0
    for marking in markings:
        look = LOOKS[Mark(marking.mark)]
        if look.width:
            place += 1
            canvas.box(shape.box.grown(_GAP * place), 8, fill="none", **_stroke(look))


def outline_edge(canvas: Canvas, edge: Edge, markings: Sequence[Marking]) -> None:
    """Broad lines along an edge, which is drawn over them."""
    for marking in markings:
        look = LOOKS[Mark(marking.mark)]
        if look.width:
            canvas.path(rounded(edge.points), fill="none", **_stroke(look, wider=1.5))


def ink_of(markings: Sequence[Marking]) -> str | None:
    """The colour that a marked line has itself."""
    return next((look.colour for m in markings if (look := LOOKS[Mark(m.mark)]).width), None)


def put_badges(canvas: Canvas, item: Shape | Edge, markings: Sequence[Marking]) -> None:
    """Badges at a shape's upper right corner, or in the longest part of a line, beside its name."""
    if isinstance(item, Shape):
        _draw_badges(canvas, Point(item.box.right + _GAP, item.box.y - _GAP), markings)
        return
    start, end = longest_part(item.points)
    way = 0.25 if item.element.name else 0.5
    _draw_badges(canvas, Point(start.x + way * (end.x - start.x), start.y + way * (end.y - start.y)), markings)


def _stroke(look: Look, wider: float = 0) -> dict[str, Attribute]:
    return {"stroke": look.colour, "stroke_width": look.width + wider, "stroke_dasharray": look.dashes or None}


def _draw_badges(canvas: Canvas, at: Point, markings: Iterable[Marking]) -> None:
    """Side by side, to the left of each other, so that they stay near the corner."""
    right = at.x
    for marking in markings:
        look = LOOKS[Mark(marking.mark)]
        text = marking.badge.strip()[:_BADGE_TEXT]
        if look.badge == "none" and not text:
            continue
        half = max(_RADIUS, width_of(text, 11, bold=True) / 2 + 4)
        draw_badge(canvas, Point(right, at.y), look, text, half)
        right -= half + _RADIUS + 3


def draw_badge(canvas: Canvas, at: Point, look: Look, text: str, half: float) -> None:
    """A badge with a sign or a short text in it."""
    paint: dict[str, Attribute] = {"fill": look.colour, "stroke": PAPER, "stroke_width": 1.5}
    if text:
        canvas.box(Box(at.x - half, at.y - _RADIUS, 2 * half, 2 * _RADIUS), 3 if look.badge == "square" else _RADIUS, **paint)
        canvas.text((text,), Point(at.x, at.y - 6.8), 11, {"fill": PAPER, "font_weight": "bold"})
        return
    _draw_badge_outline(canvas, at, look.badge, paint)
    sign = _SIGNS.get(look.sign)
    if sign:
        canvas.symbol(sign, at, fill="none", stroke=PAPER, stroke_width=2.2, stroke_linecap="round")


def _draw_badge_outline(canvas: Canvas, at: Point, outline: str, paint: dict[str, Attribute]) -> None:
    r = _RADIUS
    if outline == "square":
        canvas.box(Box(at.x - r, at.y - r, 2 * r, 2 * r), 3, **paint)
    elif outline == "disc":
        canvas.circle(at, r, **paint)
    elif outline == "diamond":
        corners = [Point(at.x, at.y - 12), Point(at.x + 12, at.y), Point(at.x, at.y + 12), Point(at.x - 12, at.y)]
        canvas.area(corners, **paint)
    elif outline == "triangle":
        corners = [Point(at.x, at.y - 13), Point(at.x + 12.5, at.y + 9), Point(at.x - 12.5, at.y + 9)]
        canvas.area(corners, stroke_linejoin="round", **paint)


def draw_legend(canvas: Canvas, used: Sequence[Mark], at: Point, width: float) -> None:
    """A line for each kind of mark, in rows no wider than `width`."""
    x, y = at.x, at.y
    group = canvas.within(None, None, class_="legend")
    for mark in used:
        look = LOOKS[mark]
        step = 46 + width_of(look.says, 12) + 22
        if x > at.x and x + step > at.x + width:
            x, y = at.x, y + _LEGEND_STEP
        _draw_legend_entry(group, Point(x, y), look)
        x += step


def _draw_legend_entry(canvas: Canvas, at: Point, look: Look) -> None:
    middle = at.y + 12
    line = (Point(at.x, middle), Point(at.x + 38, middle))
    if look.width:
        canvas.lines(line, **_stroke(look, wider=0.5))
    canvas.touch(Box(at.x, at.y, 38, 24))
    if look.badge != "none":
        draw_badge(canvas, Point(at.x + 19, middle), look, "", _RADIUS)
    canvas.text((look.says,), Point(at.x + 46, middle - 7), 12, anchor="start")
