"""Lines for elements that were laid out: from the right side of one to the left side of the other, around what is between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, pairwise

from engine.drawing.element_reader import FLOWS
from engine.drawing.picture import Box, Edge, Element, Point

_STUB = 20.0
_TRACK = 8.0


def route(known: Mapping[str, Element], boxes: Mapping[str, Box]) -> Iterator[Edge]:
    """A line for everything that connects two elements that have boxes."""
    tracks = count(1)
    for element in known.values():
        source, target = boxes.get(element.source or ""), boxes.get(element.target or "")
        if element.kind not in FLOWS or source is None or target is None:
            continue
        if element.kind == "sequenceFlow":
            hosted = known[element.source or ""].kind == "boundaryEvent"
            others = list(_obstacles(known, boxes, element))
            yield Edge(element, _sequence_flow(source, target, others, tracks, from_below=hosted))
        elif element.kind == "messageFlow":
            yield Edge(element, _up_or_down(source, target))
        else:
            yield Edge(element, (source.centre, target.centre))


def _obstacles(known: Mapping[str, Element], boxes: Mapping[str, Box], flow: Element) -> Iterator[Box]:
    """What a line must not run through: all that stands in the same sub-process, or the same process, as the line."""
    for key, box in boxes.items():
        other = known[key]
        beside = other.process == flow.process and other.parent == flow.parent and other.kind not in {"participant", "lane"}
        if beside and key not in {flow.source, flow.target}:
            yield box


def _sequence_flow(source: Box, target: Box, others: list[Box], tracks: count[int], *, from_below: bool) -> tuple[Point, ...]:
    start, end = Point(source.right, source.centre.y), Point(target.x, target.centre.y)
    lines: list[tuple[Point, ...]] = []
    if from_below:
        below = Point(source.centre.x, source.bottom)
        lines += [(below, Point(below.x, end.y), end)] if end.x > below.x and end.y > below.y else []
    elif end.x > start.x:
        early, late = start.x + _STUB, end.x - _STUB
        lines += [(start, end)] if start.y == end.y else []
        lines += [(start, Point(x, start.y), Point(x, end.y), end) for x in (late, early)]
    free = next((line for line in lines if not any(_meets(line, box) for box in others)), None)
    return free or _around(source, target, others, tracks, from_below=from_below)


def _around(source: Box, target: Box, others: list[Box], tracks: count[int], *, from_below: bool) -> tuple[Point, ...]:
    """Below everything that is between, each such line on a track of its own."""
    left, right = min(source.x, target.x) - _STUB, max(source.right, target.right) + _STUB
    between = [box.bottom for box in (*others, source, target) if box.right > left and box.x < right]
    level = max(between) + 22 + _TRACK * (next(tracks) % 12)
    if from_below:
        out: tuple[Point, ...] = (Point(source.centre.x, source.bottom), Point(source.centre.x, level))
    else:
        aside = source.right + _STUB / 2
        out = (Point(source.right, source.centre.y), Point(aside, source.centre.y), Point(aside, level))
    end = Point(target.x + min(target.width * 0.3, 20), target.bottom)
    upright = (Point(end.x, level), end)
    if not any(_meets(upright, box) for box in others):
        return (*out, *upright)
    gap = target.x - _STUB  # between the columns
    return (*out, Point(gap, level), Point(gap, target.centre.y), Point(target.x, target.centre.y))


def _meets(line: tuple[Point, ...], box: Box) -> bool:
    """Whether a line of level and upright parts runs through a box."""
    return any(
        min(a.x, b.x) < box.right and box.x < max(a.x, b.x) + 0.1 and min(a.y, b.y) < box.bottom and box.y < max(a.y, b.y) + 0.1
        for a, b in pairwise(line)
    )


def _up_or_down(source: Box, target: Box) -> tuple[Point, ...]:
    """From one pool to another: upright, with a step halfway."""
    down = source.centre.y < target.centre.y
    start = Point(source.centre.x, source.bottom if down else source.y)
    end = Point(target.centre.x, target.y if down else target.bottom)
    if abs(start.x - end.x) < 1:
        return (start, end)
    middle = (start.y + end.y) / 2
    return (start, Point(start.x, middle), Point(end.x, middle), end)
