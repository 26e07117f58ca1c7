"""Events and gateways."""

from __future__ import annotations

from engine.drawing.activities import draw_symbol
from engine.drawing.canvas import Attribute, Canvas
from engine.drawing.labels import write_beside
from engine.drawing.picture import Point, Shape
from engine.drawing.symbols import CROSS, EVENTS, PENTAGON, PLUS, STAR, Symbol

_DOUBLE = frozenset({"intermediateCatchEvent", "intermediateThrowEvent", "implicitThrowEvent", "boundaryEvent", "event"})
_THROWING = frozenset({"intermediateThrowEvent", "implicitThrowEvent", "endEvent"})


def draw_event(canvas: Canvas, shape: Shape) -> None:
    """An event: one thin line starts, two are intermediate, a thick one ends; dashed ones don't interrupt."""
    element, box = shape.element, shape.box
    radius = min(box.width, box.height) / 2
    dashes = "5 3" if "non_interrupting" in element.flags else None
    width = min(3.5, radius / 4) if element.kind == "endEvent" else 1.5
    canvas.circle(box.centre, max(radius - width / 2, 0), stroke_width=width, stroke_dasharray=dashes)
    if element.kind in _DOUBLE:
        canvas.circle(box.centre, max(radius * 0.8 - width / 2, 0), stroke_dasharray=dashes)
    if symbol := _symbol(element.events, "parallel_multiple" in element.flags):
        throwing = element.kind in _THROWING or element.events == ("terminate",)
        inner = 1.02 if element.kind in _DOUBLE else 1.15
        draw_symbol(canvas, symbol, box.centre, scale=radius / 18 * inner, throwing=throwing)
    write_beside(canvas, shape)


def _symbol(events: tuple[str, ...], all_of_them: bool) -> Symbol | None:
    if len(events) > 1:
        return EVENTS["parallel_multiple" if all_of_them else "multiple"]
    return EVENTS.get(events[0]) if events else None


def draw_gateway(canvas: Canvas, shape: Shape) -> None:
    """A gateway: the sign in its diamond says how it splits and joins."""
    box, centre = shape.box, shape.box.centre
    corners = (Point(centre.x, box.y), Point(box.right, centre.y), Point(centre.x, box.bottom), Point(box.x, centre.y))
    canvas.area(corners)
    scale = min(box.width, box.height) / 50
    _draw_sign(canvas, shape, scale * 1.25)
    write_beside(canvas, shape)


def _draw_sign(canvas: Canvas, shape: Shape, scale: float) -> None:
    centre, kind = shape.box.centre, shape.element.kind
    solid: dict[str, Attribute] = {"fill": canvas.writing, "stroke": "none"}
    if kind == "exclusiveGateway" and "marker" in shape.flags:
        canvas.symbol(CROSS, centre, scale, **solid)
    elif kind == "parallelGateway":
        canvas.symbol(PLUS, centre, scale, **solid)
    elif kind == "complexGateway":
        canvas.symbol(STAR, centre, scale, stroke_width=3, stroke=canvas.writing)
    elif kind == "inclusiveGateway":
        canvas.circle(centre, 8.5 * scale, stroke_width=2.5, fill="none", stroke=canvas.writing)
    elif kind == "eventBasedGateway":
        _draw_event_sign(canvas, shape, scale)


def _draw_event_sign(canvas: Canvas, shape: Shape, scale: float) -> None:
    """A circle around a pentagon, or around a plus where all events must come; two circles where it doesn't start an instance."""
    centre, flags = shape.box.centre, shape.element.flags
    canvas.circle(centre, 11.5 * scale, fill="none", stroke_width=1.2)
    if "instantiates" not in flags:
        canvas.circle(centre, 9.2 * scale, fill="none", stroke_width=1.2)
    if "parallel_events" in flags:
        canvas.symbol(EVENTS["parallel_multiple"].outline, centre, scale * 0.65)
    else:
        canvas.symbol(PENTAGON, centre, scale * 0.9, fill="none")
