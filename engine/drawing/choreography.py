"""Choreography activities with their bands of participants, and conversations."""

from __future__ import annotations

from engine.drawing.activities import draw_markers
from engine.drawing.artifacts import draw_envelope
from engine.drawing.canvas import Canvas
from engine.drawing.labels import write_at_top, write_beside, write_inside
from engine.drawing.picture import Box, Point, Shape

_CORNER = 10.0
_BAND = 22.0
_SHADE = "#d9d9d9"


def draw_choreography(canvas: Canvas, shape: Shape) -> None:
    """A choreography activity; its participants' bands are shapes of their own, drawn over it."""
    element, box = shape.element, shape.box
    canvas.box(box, _CORNER, stroke_width=4.0 if element.kind == "callChoreography" else 1.5)
    markers: list[str] = [name for name in ("loop", "parallel", "sequential") if name in element.flags]
    expanded = "expanded" in shape.flags
    if element.kind != "choreographyTask" and not expanded:
        markers.append("collapsed")
    middle = Box(box.x, box.y + _BAND, box.width, max(box.height - 2 * _BAND, 1))
    draw_markers(canvas, markers, middle)
    if not element.name:
        return
    if expanded:
        write_at_top(canvas, element.name, middle.grown(-4), shape.label)
    else:
        write_inside(canvas, element.name, middle.grown(-4), shape.label)


def draw_band(canvas: Canvas, shape: Shape) -> None:
    """A participant of a choreography activity: white when it begins, shaded when it answers, with its message."""
    kind = next(flag.removeprefix("band_") for flag in shape.flags if flag.startswith("band_"))
    box, begins, top = shape.box, kind.endswith("initiating") and "non_" not in kind, kind.startswith("top")
    canvas.box(box, 0 if kind.startswith("middle") else 6, fill=None if begins or shape.fill else _SHADE)
    if shape.element.name:
        write_inside(canvas, shape.element.name, box.grown(-3), shape.label)
    if "multiple" in shape.element.flags:
        draw_markers(canvas, ["parallel"], Box(box.right - 22, box.y, 18, box.height))
    if "message" in shape.flags:
        _draw_message(canvas, box, top=top, shaded=not begins)


def _draw_message(canvas: Canvas, box: Box, *, top: bool, shaded: bool) -> None:
    """An envelope above or below a band, tied to it."""
    near = box.y if top else box.bottom
    far = near - 20 if top else near + 20
    canvas.lines((Point(box.centre.x, near), Point(box.centre.x, far)), stroke_dasharray="1 3", stroke_linecap="round")
    draw_envelope(canvas, Box(box.centre.x - 15, far - 20 if top else far, 30, 20), shaded=shaded)


def draw_conversation(canvas: Canvas, shape: Shape) -> None:
    """A hexagon."""
    box, kind = shape.box, shape.element.kind
    slant = box.width / 4
    corners = (
        Point(box.x, box.centre.y),
        Point(box.x + slant, box.y),
        Point(box.right - slant, box.y),
        Point(box.right, box.centre.y),
        Point(box.right - slant, box.bottom),
        Point(box.x + slant, box.bottom),
    )
    canvas.area(corners, stroke_width=4.0 if kind == "callConversation" else 1.5)
    if kind == "subConversation":
        draw_markers(canvas, ["collapsed"], box)
    write_beside(canvas, shape)
