"""A plain layout for files without interchange: from left to right, lanes and pools below each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import (
    EVENTS,
    FLOW_NODES,
    GATEWAYS,
    SUB_PROCESSES,
    attribute,
    children,
    elements,
    kind_of,
    reference,
    text_of,
)
from engine.drawing.layering import columns_of, rows_of
from engine.drawing.picture import Box, Element, Plane, Shape
from engine.drawing.routing import route

if TYPE_CHECKING:
    from lxml.etree import _Element

    from engine.definition.safe_xml import Document

_BETWEEN_COLUMNS, _BETWEEN_ROWS, _AROUND = 60.0, 50.0, 30.0
_STRIP, _HEADING = 30.0, 20.0
_BETWEEN_POOLS = 50.0
_BLACK_BOX = 60.0
_EVENT, _GATEWAY = (36.0, 36.0), (50.0, 50.0)
_TASK, _DATA, _NOTE = (110.0, 80.0), (40.0, 50.0), (130.0, 60.0)
_BESIDE = frozenset({"dataObjectReference", "dataStoreReference", "textAnnotation"})


@dataclass
class _Room:
    """What has been placed within a process or sub-process; its boxes count from its own upper left corner."""

    boxes: dict[str, Box] = field(default_factory=dict)
    lanes: list[str] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    def take(self, other: _Room, right: float, down: float) -> None:
        self.boxes |= {key: box.moved(right, down) for key, box in other.boxes.items()}


def lay_out(document: Document, known: Mapping[str, Element]) -> Plane:
    """The elements of all processes and pools with places. What the standard draws otherwise (choreographies) is left out."""
    boxes: dict[str, Box] = {}
    top = 0.0
    for room in _Layout(known).rooms(document.root):
        boxes |= {key: box.moved(0, top) for key, box in room.boxes.items() if key in known}
        top += room.height + _BETWEEN_POOLS
    shapes = tuple(_shape(known[key], box) for key, box in boxes.items())
    return Plane("", shapes, tuple(route(known, boxes)))


def _shape(element: Element, box: Box) -> Shape:
    flags = {"horizontal", "marker"}
    flags |= {"expanded"} if element.kind in SUB_PROCESSES and box.width > _TASK[0] else set()
    return Shape(element, box, flags=frozenset(flags))


class _Layout:
    """Lays one file out."""

    def __init__(self, known: Mapping[str, Element]) -> None:
        self._known = known

    def rooms(self, root: _Element) -> Iterator[_Room]:
        """Each pool, and each process without one, in the file's order."""
        processes = {attribute(p, "id"): p for p in children(root, "process")}
        pools = [pool for c in children(root, "collaboration") for pool in children(c, "participant")]
        drawn = [
            (pool, self._process(process))
            for pool in pools
            if (process := processes.pop(reference(pool, "processRef"), None)) is not None
        ]
        widest = max((room.width for _, room in drawn), default=600.0)
        inner = dict(drawn)
        for pool in pools:
            yield self._pool(pool, inner.get(pool), widest)
        yield from (room for process in processes.values() if (room := self._process(process)).boxes)

    @staticmethod
    def _pool(pool: _Element, inner: _Room | None, widest: float) -> _Room:
        """A pool around what is in it, as wide as the widest; one without content is a low box."""
        width = widest + _STRIP
        height = inner.height if inner is not None and inner.boxes else _BLACK_BOX
        room = _Room({attribute(pool, "id") or "": Box(0, 0, width, height)}, [], width, height)
        if inner is not None:
            room.take(inner, _STRIP, 0)
            wider = ((lane, room.boxes[lane]) for lane in inner.lanes)
            room.boxes |= {lane: Box(box.x, box.y, widest, box.height) for lane, box in wider}
        return room

    # within a process or sub-process ................................................................................

    def _process(self, container: _Element) -> _Room:
        nodes = [xml for xml in elements(container) if kind_of(xml) in FLOW_NODES and attribute(xml, "id") in self._known]
        hosts = {key: host for xml in nodes if (key := attribute(xml, "id")) and (host := reference(xml, "attachedToRef"))}
        placed = {key: xml for xml in nodes if (key := attribute(xml, "id")) and key not in hosts}
        lanes = list(_lanes(container))
        sizes, inner = self._sizes(placed)
        room = self._grid(list(placed), self._arrows(container, hosts), sizes, lanes)
        for key, inside in inner.items():
            room.take(inside, room.boxes[key].x, room.boxes[key].y + _HEADING)
        self._attach(room, hosts)
        self._put_beside(room, container)
        return room

    def _sizes(self, placed: Mapping[str, _Element]) -> tuple[dict[str, tuple[float, float]], dict[str, _Room]]:
        sizes, inner = {}, {}
        for key, xml in placed.items():
            sizes[key] = _size(self._known[key].kind)
            if self._known[key].kind in SUB_PROCESSES and (inside := self._process(xml)).boxes:
                inner[key] = inside
                sizes[key] = (inside.width, inside.height + _HEADING)
        return sizes, inner

    @staticmethod
    def _arrows(container: _Element, hosts: Mapping[str, str]) -> list[tuple[str, str]]:
        """Sequence flows; those from boundary events as if from the activity."""
        found = []
        for flow in children(container, "sequenceFlow"):
            source, target = reference(flow, "sourceRef") or "", reference(flow, "targetRef") or ""
            found.append((hosts.get(source, source), target))
        return found

    def _grid(
        self,
        nodes: Sequence[str],
        arrows: Sequence[tuple[str, str]],
        sizes: Mapping[str, tuple[float, float]],
        lanes: Sequence[_Element],
    ) -> _Room:
        bands = {(text_of(ref) or ""): number for number, lane in enumerate(lanes) for ref in children(lane, "flowNodeRef")}
        columns = columns_of(nodes, arrows)
        rows = rows_of(columns, arrows, {node: bands.get(node, 0) for node in nodes})
        left = _starts(columns, {node: size[0] for node, size in sizes.items()}, _BETWEEN_COLUMNS)
        top = _starts(rows, {node: size[1] for node, size in sizes.items()}, _BETWEEN_ROWS)
        indent = _STRIP if lanes else 0.0
        room = _Room()
        for node in nodes:
            column, row, (width, height) = columns[node], rows[node], sizes[node]
            x = indent + _AROUND + (left[column] + left[column + 1] - _BETWEEN_COLUMNS - width) / 2
            y = _AROUND + (top[row] + top[row + 1] - _BETWEEN_ROWS - height) / 2
            room.boxes[node] = Box(x, y, width, height)
        if nodes or lanes:
            room.width = indent + left[-1] - _BETWEEN_COLUMNS + 2 * _AROUND
            room.height = max(top[-1] - _BETWEEN_ROWS, 0) + 2 * _AROUND + 20  # for names below the last row
        self._put_lanes(room, lanes, bands, rows, top)
        return room

    def _put_lanes(
        self, room: _Room, lanes: Sequence[_Element], bands: Mapping[str, int], rows: Mapping[str, int], top: Sequence[float]
    ) -> None:
        y = 0.0
        for number, lane in enumerate(lanes):
            last = max((row for node, row in rows.items() if bands.get(node, 0) <= number), default=-1)
            bottom = room.height if number == len(lanes) - 1 else max(top[last + 1] + _AROUND - _BETWEEN_ROWS / 2, y + _BLACK_BOX)
            key = attribute(lane, "id") or ""
            room.boxes[key] = Box(0, y, room.width, bottom - y)
            room.lanes.append(key)
            y = bottom

    @staticmethod
    def _attach(room: _Room, hosts: Mapping[str, str]) -> None:
        """Boundary events, side by side on the lower edge."""
        used: dict[str, int] = {}
        for key, host in hosts.items():
            box = room.boxes.get(host)
            if box is None:
                continue
            number = used[host] = used.get(host, 0) + 1
            room.boxes[key] = Box(box.right - number * (_EVENT[0] + 6), box.bottom - _EVENT[1] / 2, *_EVENT)

    def _put_beside(self, room: _Room, container: _Element) -> None:
        """Data and annotations, in a row below everything else."""
        x = _AROUND
        for xml in elements(container):
            key, kind = attribute(xml, "id"), kind_of(xml)
            if key is None or kind not in _BESIDE:
                continue
            width, height = _NOTE if kind == "textAnnotation" else _DATA
            room.boxes[key] = Box(x, room.height + 10, width, height)
            x += width + _BETWEEN_COLUMNS
        if x > _AROUND:
            room.width = max(room.width, x)
            room.height += _NOTE[1] + _BETWEEN_ROWS


def _size(kind: str) -> tuple[float, float]:
    if kind in EVENTS:
        return _EVENT
    return _GATEWAY if kind in GATEWAYS else _TASK


def _lanes(container: _Element) -> Iterator[_Element]:
    """The innermost lanes, which are what is drawn of them."""
    for lane_set in (*children(container, "laneSet"), *children(container, "childLaneSet")):
        for lane in children(lane_set, "lane"):
            inner = list(_lanes(lane))
            yield from inner or [lane]


def _starts(numbers: Mapping[str, int], lengths: Mapping[str, float], between: float) -> list[float]:
    """Where each column (or row) starts, and at the end where one more would."""
    longest = [0.0] * (max(numbers.values(), default=-1) + 1)
    for node, number in numbers.items():
        longest[number] = max(longest[number], lengths[node])
    starts = [0.0]
    for length in longest:
        starts.append(starts[-1] + length + between)
    return starts
