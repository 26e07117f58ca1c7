"""Where a line meets the outline of what it connects: some tools let lines end in the middle of shapes."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from engine.definition.bpmn_xml import EVENTS, GATEWAYS
from engine.drawing.picture import Point, Shape

_STEPS = 24  # halvings: finer than a thousandth of a pixel on any canvas
_NEAR = 1.0


def docked(points: Sequence[Point], source: Shape | None, target: Shape | None) -> tuple[Point, ...]:
    """The line without what lies within the shapes that it connects."""
    cut = _cut(list(points), source)
    return tuple(reversed(_cut(list(reversed(cut)), target)))


def _cut(points: list[Point], shape: Shape | None) -> list[Point]:
    """Without the beginning that lies well within `shape`; unchanged where all of it does."""
    if shape is None or not _inside(shape, points[0], _NEAR):
        return points
    outside = next((n for n, point in enumerate(points) if not _inside(shape, point, 0)), None)
    if outside is None:
        return points
    return [_crossing(shape, points[outside - 1], points[outside]), *points[outside:]]


def _crossing(shape: Shape, inside: Point, outside: Point) -> Point:
    for _ in range(_STEPS):
        middle = Point((inside.x + outside.x) / 2, (inside.y + outside.y) / 2)
        if _inside(shape, middle, 0):
            inside = middle
        else:
            outside = middle
    return Point(round(outside.x, 2), round(outside.y, 2))


def _inside(shape: Shape, point: Point, margin: float) -> bool:
    box = shape.box.grown(-margin)
    if not box.has(point):
        return False
    across = abs(point.x - box.centre.x) / (box.width / 2)
    down = abs(point.y - box.centre.y) / (box.height / 2)
    if shape.element.kind in GATEWAYS:
        return across + down < 1
    return hypot(across, down) < 1 if shape.element.kind in EVENTS else True
