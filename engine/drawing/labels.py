"""Names: in their shape, beside it, or where the file puts them."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from engine.drawing.canvas import Attribute, Canvas
from engine.drawing.colours import PAPER
from engine.drawing.picture import Box, Edge, Label, Point, Shape
from engine.drawing.text import LEADING, widest, width_of, wrap

INSIDE = 12.0
"""Pixels: the size of names within shapes, where the file says nothing else."""
OUTSIDE = 11.0
_SMALLEST = 8.0
_BESIDE = 90.0
"""Pixels: the width of names beside shapes, as modelers break them."""
_WIDEST_WORD = 150.0
_MOST_LINES = 12
_FROM_LINE = 4.0
_HALO: dict[str, Attribute] = {
    # lines that run behind a name leave it readable
    "stroke": PAPER,
    "stroke_width": 3,
    "stroke_linejoin": "round",
    "paint_order": "stroke",
}


class _Fitted(NamedTuple):
    lines: tuple[str, ...]
    size: float

    @property
    def height(self) -> float:
        return len(self.lines) * self.size * LEADING


def _look(label: Label, ink: str) -> dict[str, Attribute]:
    return {
        "fill": label.colour or ink,
        "font_weight": "bold" if label.bold else None,
        "font_style": "italic" if label.italic else None,
    }


def _fit(text: str, width: float, height: float, label: Label) -> _Fitted:
    """The text as large as it fits, in whole words if possible."""
    size = label.size or INSIDE
    wanted = text.split()
    length = width_of(text, 1, label.bold)
    while size > _SMALLEST:
        if length * size > width * max(height / (size * LEADING), 1):  # not even without gaps
            size -= 1
            continue
        lines = wrap(text, width, size, lines=max(int(height / (size * LEADING)), 1), bold=label.bold)
        if len("".join(lines).replace(" ", "")) == sum(map(len, wanted)) and _whole(wanted, width, size, label.bold):
            return _Fitted(lines, size)
        size -= 1
    return _Fitted(wrap(text, width, _SMALLEST, lines=max(int(height / (_SMALLEST * LEADING)), 1), bold=label.bold), _SMALLEST)


def _whole(parts: list[str], width: float, size: float, bold: bool) -> bool:
    longest = tuple(part for word in parts for part in word.split("-"))
    return widest(longest, size, bold) <= width


def write_inside(canvas: Canvas, text: str, box: Box, label: Label, *, below: float = 0) -> None:
    """A name in the middle of a box; what stands in the `below` pixels of its upper left corner is kept clear."""
    fitted = _fit(text, box.width, box.height, label)
    top = box.y + (box.height - fitted.height) / 2
    left = box.centre.x - widest(fitted.lines, fitted.size, label.bold) / 2
    if top < box.y + below and left < box.x + below:
        top = min(box.y + below, max(box.bottom - fitted.height, box.y))
    canvas.text(fitted.lines, Point(box.centre.x, top), fitted.size, _look(label, canvas.writing))


def write_at_top(canvas: Canvas, text: str, box: Box, label: Label) -> None:
    """A name at the upper edge of a box."""
    size = label.size or INSIDE
    lines = wrap(text, box.width, size, lines=2, bold=label.bold)
    canvas.text(lines, Point(box.centre.x, box.y), size, _look(label, canvas.writing))


def write_upright(canvas: Canvas, text: str, box: Box, label: Label) -> None:
    """A name that is read from below, in the middle of a box."""
    size = label.size or INSIDE
    most = max(int(box.width / (size * LEADING)), 1)
    lines = wrap(text, box.height, size, lines=most, bold=label.bold)
    height, centre = len(lines) * size * LEADING, box.centre
    turned = f"translate({centre.x:.2f} {centre.y:.2f}) rotate(-90)"
    canvas.text(lines, Point(0, -height / 2), size, {"transform": turned, **_look(label, canvas.writing)})


def write_beside(canvas: Canvas, shape: Shape) -> None:
    """The name of a shape that has no room for it: where the file puts it, else below the shape."""
    name, label = shape.element.name, shape.label
    if not name:
        return
    if label.box is not None:
        _write_in(canvas, name, label, label.box, above=label.box.centre.y < shape.box.y)
        return
    size = label.size or OUTSIDE
    lines = wrap(name, max(_width_beside(name, size, label.bold), shape.box.width), size, lines=_MOST_LINES, bold=label.bold)
    canvas.text(lines, Point(shape.box.centre.x, shape.box.bottom + _FROM_LINE), size, _HALO | _look(label, canvas.ink))


def _width_beside(name: str, size: float, bold: bool) -> float:
    """As wide as modelers make it, or as the longest word, within reason."""
    return max(_BESIDE, min(widest(tuple(name.split()), size, bold), _WIDEST_WORD))


def write_along(canvas: Canvas, edge: Edge) -> None:
    """The name of a line: where the file puts it, else at the longest part of the line."""
    name, label = edge.element.name, edge.label
    if not name:
        return
    if label.box is not None:
        _write_in(canvas, name, label, label.box, above=False)
        return
    size = label.size or OUTSIDE
    lines = wrap(name, _width_beside(name, size, label.bold), size, lines=_MOST_LINES, bold=label.bold)
    height, width = len(lines) * size * LEADING, widest(lines, size, label.bold)
    start, end = longest_part(edge.points)
    middle = Point((start.x + end.x) / 2, (start.y + end.y) / 2)
    level = abs(end.x - start.x) >= abs(end.y - start.y)
    at = (
        Point(middle.x, middle.y - height - _FROM_LINE)
        if level
        else Point(middle.x + width / 2 + _FROM_LINE, middle.y - height / 2)
    )
    canvas.text(lines, at, size, _HALO | _look(label, canvas.ink))


def longest_part(points: tuple[Point, ...]) -> tuple[Point, Point]:
    """The ends of the longest straight part of a line."""
    return max(pairwise(points), key=lambda part: abs(part[0].x - part[1].x) + abs(part[0].y - part[1].y))


def middle_of(points: tuple[Point, ...]) -> Point:
    """The middle of the middle part of a line."""
    part = (len(points) - 1) // 2
    start, end = points[part], points[part + 1]
    return Point((start.x + end.x) / 2, (start.y + end.y) / 2)


def _write_in(canvas: Canvas, name: str, label: Label, box: Box, *, above: bool) -> None:
    """Within the file's box for the name. Tools measure text otherwise, and some give a box without a size."""
    size = label.size or OUTSIDE
    width = box.width * 1.06 + 4 if box.width >= size * 2 else _BESIDE
    if widest(tuple(name.split()), size, label.bold) > width:
        width = max(width, _width_beside(name, size, label.bold))
    lines = wrap(name, width, size, lines=_MOST_LINES, bold=label.bold)
    height = len(lines) * size * LEADING
    if height <= box.height + size or box.height == 0:
        top = box.y + max(box.height - height, 0) / 2
    else:
        top = box.bottom - height if above else box.y
    canvas.text(lines, Point(box.centre.x, top), size, _HALO | _look(label, canvas.ink))


def write_note(canvas: Canvas, shape: Shape) -> None:
    """An annotation's text, from its upper left corner."""
    size = shape.label.size or INSIDE
    box = shape.box
    room = max(int((box.height - 4) / (size * LEADING)), 1)
    lines = wrap(shape.element.name, max(box.width - 10, size * 4), size, lines=max(room, _MOST_LINES), bold=shape.label.bold)
    canvas.text(lines, Point(box.x + 6, box.y + 4), size, _look(shape.label, canvas.writing), anchor="start")
