"""Lines between elements, with what stands at their ends (BPMN 2.0, 7.3)."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from engine.drawing.artifacts import draw_envelope
from engine.drawing.canvas import Canvas, number
from engine.drawing.labels import middle_of
from engine.drawing.picture import Box, Edge, Point

_TURN = 6.0  # pixels: how round corners are
_DOTTED = "1 4"
_DASHED = "7 5"
_ASSOCIATIONS = frozenset({"association", "dataInputAssociation", "dataOutputAssociation"})


def draw_edge(canvas: Canvas, edge: Edge) -> None:
    """A line with its ends and its envelope; names come over all lines and shapes (engine/drawing/labels.py)."""
    kind = edge.element.kind
    canvas.touch_points(edge.points)
    if kind == "messageFlow":
        _draw_message_flow(canvas, edge)
    elif kind in _ASSOCIATIONS:
        _draw_association(canvas, edge)
    elif kind == "conversationLink":
        _draw_link(canvas, edge)
    else:
        _draw_sequence_flow(canvas, edge, known=kind == "sequenceFlow")


def _draw_sequence_flow(canvas: Canvas, edge: Edge, *, known: bool) -> None:
    points, flags = edge.points, edge.element.flags
    shaft = (*points[:-1], _back(points, 5))
    canvas.path(rounded(shaft), fill="none", stroke_dasharray=None if known else "4 4")
    canvas.area(_head(points, 10, 4.5), fill=canvas.ink, stroke_linejoin="round", stroke_width=0.5)
    start = points[0]
    if "conditional" in flags:
        right, down = _direction(points[0], points[1])
        diamond = [
            Point(start.x + a * right - b * down, start.y + a * down + b * right) for a, b in ((0, 0), (8, 5), (16, 0), (8, -5))
        ]
        canvas.area(diamond)
    if "default" in flags:
        right, down = _direction(points[0], points[1])
        slash = [Point(start.x + a * right - b * down, start.y + a * down + b * right) for a, b in ((6, -5), (12, 5))]
        canvas.lines(slash)


def _draw_message_flow(canvas: Canvas, edge: Edge) -> None:
    canvas.path(rounded(edge.points), fill="none", stroke_dasharray=_DASHED)
    canvas.circle(edge.points[0], 3.5)
    canvas.area(_head(edge.points, 10, 5), stroke_linejoin="round")
    if edge.message:
        middle = middle_of(edge.points)
        draw_envelope(canvas, Box(middle.x - 12, middle.y - 8, 24, 16), shaded=edge.message == "non_initiating")


def _draw_association(canvas: Canvas, edge: Edge) -> None:
    canvas.path(rounded(edge.points), fill="none", stroke_dasharray=_DOTTED, stroke_linecap="round")
    directed = edge.element.kind != "association" or edge.element.flags & {"one_way", "both_ways"}
    if directed:
        canvas.lines(_open_head(edge.points))
    if "both_ways" in edge.element.flags:
        canvas.lines(_open_head(tuple(reversed(edge.points))))


def _draw_link(canvas: Canvas, edge: Edge) -> None:
    """Two lines: a wide one with a narrower one of paper on it."""
    canvas.path(rounded(edge.points), fill="none", stroke_width=5)
    canvas.path(rounded(edge.points), fill="none", stroke=canvas.paper, stroke_width=2)


# --- geometry -------------------------------------------------------------------------------------------------------


def rounded(points: Sequence[Point]) -> str:
    """A line with round corners as a path's `d`."""
    steps = [f"M{number(points[0].x)} {number(points[0].y)}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        turn = min(_TURN, _length(before, corner) / 2, _length(corner, after) / 2)
        begin, end = _towards(corner, before, turn), _towards(corner, after, turn)
        steps.append(f"L{number(begin.x)} {number(begin.y)}")
        steps.append(f"Q{number(corner.x)} {number(corner.y)} {number(end.x)} {number(end.y)}")
    steps.append(f"L{number(points[-1].x)} {number(points[-1].y)}")
    return " ".join(steps)


def _length(start: Point, end: Point) -> float:
    return hypot(end.x - start.x, end.y - start.y)


def _direction(start: Point, end: Point) -> tuple[float, float]:
    """A step of one pixel from start to end; to the right where they are one point."""
    length = _length(start, end)
    return ((end.x - start.x) / length, (end.y - start.y) / length) if length else (1.0, 0.0)


def _towards(start: Point, end: Point, by: float) -> Point:
    right, down = _direction(start, end)
    return Point(start.x + by * right, start.y + by * down)


def _back(points: Sequence[Point], by: float) -> Point:
    """The line's end, drawn back, so that the shaft doesn't stick out of the head."""
    return _towards(points[-1], points[-2], min(by, _length(points[-1], points[-2])))


def _head(points: Sequence[Point], length: float, half: float) -> tuple[Point, ...]:
    """A triangle with its tip at the line's end."""
    tip = points[-1]
    right, down = _direction(_before_end(points), tip)
    foot = Point(tip.x - length * right, tip.y - length * down)
    return (tip, Point(foot.x - half * down, foot.y + half * right), Point(foot.x + half * down, foot.y - half * right))


def _before_end(points: Sequence[Point]) -> Point:
    """The last point that isn't the end itself."""
    return next((point for point in reversed(points) if point != points[-1]), points[0])


def _open_head(points: Sequence[Point]) -> tuple[Point, ...]:
    tip, left, right = _head(points, 8, 5)
    return (left, tip, right)
