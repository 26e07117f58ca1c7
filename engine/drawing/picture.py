"""What is drawn, as plain frozen records: elements with their places, as the file's interchange has them.

Lengths are the file's own units (pixels of a modeler at 100 %), y grows downwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Point:
    """A place."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height

    @property
    def centre(self) -> Point:
        """The middle."""
        return Point(self.x + self.width / 2, self.y + self.height / 2)

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height

    def grown(self, by: float) -> Box:
        """The box with a margin of `by` on all sides; a negative one makes it smaller."""
        return Box(self.x - by, self.y - by, max(self.width + 2 * by, 0), max(self.height + 2 * by, 0))

    def moved(self, right: float, down: float) -> Box:
        """The box of the same size elsewhere."""
        return Box(self.x + right, self.y + down, self.width, self.height)

    def holds(self, other: Box) -> bool:
        """Whether `other` lies within, edges included."""
        across = self.x <= other.x and other.right <= self.right
        return across and self.y <= other.y and other.bottom <= self.bottom

    def has(self, point: Point) -> bool:
        """Whether a point lies within, off the edges."""
        return self.x < point.x < self.right and self.y < point.y < self.bottom

    @staticmethod
    def around(boxes: Iterable[Box]) -> Box | None:
        """The smallest box that holds all of them; None where there are none."""
        all_of = list(boxes)
        if not all_of:
            return None
        x, y = min(b.x for b in all_of), min(b.y for b in all_of)
        return Box(x, y, max(b.right for b in all_of) - x, max(b.bottom for b in all_of) - y)


@dataclass(frozen=True, slots=True)
class Element:
    """What a shape or edge stands for. `kind` is the standard's element name, `""` where the file doesn't have the element.

    `name` is what is written beside or in it: a name, an annotation's text, a data object's name with its state.
    `events` are the kinds of its event definitions (`message`, `timer`, ...). `flags` are the standard's yes-or-no properties
    that show, by names of our own (engine/drawing/element_reader.py). `parent` is the id of the sub-process it stands in,
    `process` that of the process (of a participant: the one it runs); `source` and `target` are what a line connects.
    """

    id: str
    kind: str
    name: str = ""
    events: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()
    parent: str | None = None
    process: str | None = None
    attached_to: str | None = None
    source: str | None = None
    target: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Label:
    """Where and how a name is written. `box` is None where the file leaves the place to the reader. `size` is in pixels."""

    box: Box | None = None
    size: float | None = None
    bold: bool = False
    italic: bool = False
    colour: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """An element with a box. `flags`: `horizontal`, `expanded` or `collapsed`, `marker`, `message`, `lanes` (a pool has some),
    and a participant band's kind.
    """

    element: Element
    box: Box
    label: Label = Label()
    flags: frozenset[str] = frozenset()
    stroke: str | None = None
    fill: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """An element with a line, of two points or more. `message`: `initiating` or `non_initiating` where an envelope is shown."""

    element: Element
    points: tuple[Point, ...]
    label: Label = Label()
    message: str | None = None
    stroke: str | None = None


@dataclass(frozen=True, slots=True)
class Plane:
    """One diagram of a file: a collapsed sub-process may have one of its own. `name` is what stands above it, if anything."""

    name: str
    shapes: tuple[Shape, ...]
    edges: tuple[Edge, ...]

    @property
    def items(self) -> tuple[Shape | Edge, ...]:
        """All that is drawn: shapes, then lines."""
        return (*self.shapes, *self.edges)


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole file. `notes` say what isn't drawn as the file has it, and why, in sentences for people."""

    title: str
    planes: tuple[Plane, ...]
    elements: Mapping[str, Element] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
