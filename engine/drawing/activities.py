"""Tasks, sub-processes and call activities."""

from __future__ import annotations

from collections.abc import Iterator

from engine.drawing.canvas import Canvas
from engine.drawing.labels import write_at_top, write_inside
from engine.drawing.picture import Box, Point, Shape
from engine.drawing.symbols import EVENTS, MARKERS, TASKS, Symbol

_CORNER = 10.0
_SYMBOL = 18.0
_MARKER = 14.0
_BELOW_SYMBOL = 22.0
_COLLAPSIBLE = frozenset({"subProcess", "adHocSubProcess", "transaction"})


def draw_activity(canvas: Canvas, shape: Shape) -> None:
    """An activity with its symbol, its markers and its name."""
    element, box = shape.element, shape.box
    corner = min(_CORNER, box.width / 4, box.height / 4)
    _draw_frame(canvas, shape, corner)
    symbol = _draw_symbol(canvas, shape)
    markers = list(_markers(shape))
    draw_markers(canvas, markers, box)
    if not element.name:
        return
    if _expanded(shape):
        write_at_top(canvas, element.name, Box(box.x + 8, box.y + 5, max(box.width - 16, 1), box.height), shape.label)
        return
    room = box.height - 6 - (_MARKER + 2 if markers else 0)
    inner = Box(box.x + 4, box.y + 3, max(box.width - 8, 1), max(room, 1))
    write_inside(canvas, element.name, inner, shape.label, below=_BELOW_SYMBOL if symbol else 0)


def _expanded(shape: Shape) -> bool:
    return "expanded" in shape.flags


def _draw_frame(canvas: Canvas, shape: Shape, corner: float) -> None:
    kind, flags = shape.element.kind, shape.element.flags
    dashes = "1 4" if "event_sub_process" in flags else None
    width = 4.0 if kind == "callActivity" else 1.5
    canvas.box(shape.box, corner, stroke_width=width, stroke_dasharray=dashes, stroke_linecap="round" if dashes else None)
    if kind == "transaction":
        canvas.box(shape.box.grown(-3), max(corner - 3, 0), fill="none")


def _draw_symbol(canvas: Canvas, shape: Shape) -> bool:
    """The symbol in the upper left corner; whether there is one."""
    element, corner = shape.element, Point(shape.box.x + 4, shape.box.y + 4)
    called = next((flag.removeprefix("calls_") for flag in sorted(element.flags) if flag.startswith("calls_")), "")
    kind = called or element.kind
    if symbol := TASKS.get(kind):
        draw_symbol(canvas, symbol, corner, throwing=kind == "sendTask")
        if "instantiates" in element.flags:
            canvas.circle(Point(corner.x + 9, corner.y + 9), 11, fill="none", stroke_width=1)
        return True
    if "event_sub_process" in element.flags and not _expanded(shape):
        middle = Point(corner.x + _SYMBOL / 2, corner.y + _SYMBOL / 2)
        canvas.circle(middle, _SYMBOL / 2, stroke_width=1)
        for event in element.events[:1]:
            draw_symbol(canvas, EVENTS.get(event, Symbol()), middle, scale=_SYMBOL / 36)
        return True
    return False


def draw_symbol(canvas: Canvas, symbol: Symbol, at: Point, *, scale: float = 1, throwing: bool = False) -> None:
    """A symbol; one that throws is filled."""
    if symbol.outline:
        fill = canvas.ink if throwing else canvas.light
        canvas.symbol(symbol.outline, at, scale, fill=fill, fill_rule="evenodd", stroke_linejoin="round")
    if symbol.solid:
        canvas.symbol(symbol.solid, at, scale, fill=canvas.ink if symbol.outline else canvas.writing, stroke="none")
    if symbol.lines:
        line = canvas.light if throwing else canvas.ink if symbol.outline else canvas.writing
        canvas.symbol(symbol.lines, at, scale, fill="none", stroke=line)


def _markers(shape: Shape) -> Iterator[str]:
    element = shape.element
    yield from (name for name in ("loop", "parallel", "sequential", "compensation") if name in element.flags)
    calls_task = any(flag.startswith("calls_") for flag in element.flags)
    collapsible = element.kind in _COLLAPSIBLE or (element.kind == "callActivity" and not calls_task)
    if collapsible and not _expanded(shape):
        yield "collapsed"
    if "ad_hoc" in element.flags:
        yield "ad_hoc"


def draw_markers(canvas: Canvas, names: list[str], box: Box) -> None:
    """Markers side by side in the middle of the lower edge."""
    step = _MARKER + 4
    left = box.centre.x - (len(names) * step - 4) / 2
    for number, name in enumerate(names):
        draw_symbol(canvas, MARKERS[name], Point(left + number * step, box.bottom - _MARKER - 3))
