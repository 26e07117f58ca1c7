"""Data, annotations, groups, messages, and what has no shape of its own in the standard."""

from __future__ import annotations

from engine.drawing.activities import draw_symbol
from engine.drawing.canvas import Canvas, number
from engine.drawing.labels import write_beside, write_inside, write_note
from engine.drawing.picture import Box, Point, Shape
from engine.drawing.symbols import DATA_ARROW, MARKERS


def draw_data_object(canvas: Canvas, shape: Shape) -> None:
    """A page with a folded corner; bars for a collection, an arrow for an input or output."""
    box = shape.box
    fold = min(box.width, box.height) * 0.3
    corner = Point(box.right - fold, box.y)
    outline = (
        Point(box.x, box.y),
        corner,
        Point(box.right, box.y + fold),
        Point(box.right, box.bottom),
        Point(box.x, box.bottom),
    )
    canvas.area(outline)
    canvas.lines((corner, Point(corner.x, box.y + fold), Point(box.right, box.y + fold)))
    kind = shape.element.kind
    if kind in {"dataInput", "dataOutput"}:
        canvas.symbol(DATA_ARROW, Point(box.x + 4, box.y + 3), fill=canvas.ink if kind == "dataOutput" else None)
    if "collection" in shape.element.flags:
        draw_symbol(canvas, MARKERS["parallel"], Point(box.centre.x - 7, box.bottom - 16))
    write_beside(canvas, shape)


def draw_data_store(canvas: Canvas, shape: Shape) -> None:
    """A drum."""
    box, rise = shape.box, min(shape.box.height / 7, shape.box.width / 5)
    canvas.touch(box)
    left, half, width = number(box.x), f"{number(box.width / 2)} {number(rise)}", number(box.width)
    top, bottom = box.y + rise, number(box.bottom - rise)
    canvas.path(f"M{left} {number(top)} a{half} 0 0 1 {width} 0 V{bottom} a{half} 0 0 1 -{width} 0 Z")
    rings = (f"M{left} {number(top + step)} a{half} 0 0 0 {width} 0" for step in (0, rise, 2 * rise))
    canvas.path(" ".join(rings), fill="none")
    write_beside(canvas, shape)


def draw_annotation(canvas: Canvas, shape: Shape) -> None:
    """A bracket at the left of a text."""
    box = shape.box
    reach = min(10.0, box.width)
    bracket = (Point(box.x + reach, box.y), Point(box.x, box.y), Point(box.x, box.bottom), Point(box.x + reach, box.bottom))
    canvas.box(box, stroke="none", fill=None if shape.fill else "none")
    canvas.lines(bracket)
    write_note(canvas, shape)


def draw_group(canvas: Canvas, shape: Shape) -> None:
    """A frame of dashes and dots around what belongs together; nothing beneath it is hidden."""
    canvas.box(shape.box, 10, fill="none", stroke_dasharray="10 6 1 6", stroke_linecap="round")
    box = shape.box
    if shape.label.box is not None:
        write_beside(canvas, shape)
    elif shape.element.name:
        write_inside(canvas, shape.element.name, Box(box.x + 8, box.y + 4, max(box.width - 16, 1), 16), shape.label)


def draw_message(canvas: Canvas, shape: Shape) -> None:
    """An envelope."""
    draw_envelope(canvas, shape.box)
    write_beside(canvas, shape)


def draw_envelope(canvas: Canvas, box: Box, *, shaded: bool = False) -> None:
    """An envelope that fills a box; a shaded one is an answer."""
    canvas.box(box, fill="#cccccc" if shaded else None)
    flap = (Point(box.x, box.y), Point(box.centre.x, box.y + box.height * 0.6), Point(box.right, box.y))
    canvas.lines(flap)


def draw_unknown(canvas: Canvas, shape: Shape) -> None:
    """What the file does not have, or the standard has no shape for: a dashed box with its name, so that it isn't overlooked."""
    canvas.box(shape.box, stroke_dasharray="4 4")
    if shape.element.name:
        write_inside(canvas, shape.element.name, shape.box.grown(-4), shape.label)
