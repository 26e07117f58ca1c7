"""Pools and lanes, lying and standing."""

from __future__ import annotations

from engine.drawing.activities import draw_markers
from engine.drawing.canvas import Canvas
from engine.drawing.labels import write_inside, write_upright
from engine.drawing.picture import Box, Point, Shape

_STRIP = 30.0
"""Pixels of a pool or lane that hold its name."""


def draw_pool(canvas: Canvas, shape: Shape) -> None:
    """A participant: its name in a strip, or in the middle where its process isn't known."""
    canvas.box(shape.box)
    if "multiple" in shape.element.flags:
        draw_markers(canvas, ["parallel"], shape.box)
    if "black_box" not in shape.element.flags:
        _draw_strip(canvas, shape, divided="lanes" not in shape.flags)
    elif shape.element.name:
        write_inside(canvas, shape.element.name, shape.box.grown(-4), shape.label)


def draw_lane(canvas: Canvas, shape: Shape) -> None:
    """A lane: its name at its beginning."""
    canvas.box(shape.box, stroke_width=1)
    _draw_strip(canvas, shape, divided=False)


def _draw_strip(canvas: Canvas, shape: Shape, *, divided: bool) -> None:
    box, name, label = shape.box, shape.element.name, shape.label
    if "horizontal" in shape.flags:
        strip = Box(box.x, box.y, min(_STRIP, box.width), box.height)
        if divided:
            canvas.lines((Point(strip.right, box.y), Point(strip.right, box.bottom)))
        if name:
            write_upright(canvas, name, Box(strip.x, strip.y + 3, strip.width, max(strip.height - 6, 1)), label)
        return
    strip = Box(box.x, box.y, box.width, min(_STRIP, box.height))
    if divided:
        canvas.lines((Point(box.x, strip.bottom), Point(box.right, strip.bottom)))
    if name:
        write_inside(canvas, name, Box(strip.x + 3, strip.y, max(strip.width - 6, 1), strip.height), label)
