"""An SVG document that grows: every element gets its group, primitives are added to it, and what is drawn where is remembered, so
that the view box holds all of it.

Text and attributes go through lxml, which escapes them. Numbers have two decimals at most, so that the same picture is the same
bytes everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from lxml import etree

from engine.drawing.colours import INK, PAPER, is_dark, readable_on
from engine.drawing.picture import Box, Point
from engine.drawing.text import LEADING, widest

if TYPE_CHECKING:
    from lxml.etree import _Element

SVG = "http://www.w3.org/2000/svg"
Attribute: TypeAlias = str | float | None
Look: TypeAlias = Mapping[str, Attribute]
_PLAIN: Look = MappingProxyType({})
_FORBIDDEN = re.compile("[^\t\n\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def number(value: float) -> str:
    """A coordinate as text, with two decimals at most."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def add(parent: _Element, tag: str, **attributes: Attribute) -> _Element:
    """A new child element. `stroke_width=2.0` is written `stroke-width="2"`; None is left out."""
    child = etree.SubElement(parent, f"{{{SVG}}}{tag}")
    set_attributes(child, **attributes)
    return child


def set_attributes(element: _Element, **attributes: Attribute) -> None:
    """Set attributes as `add` does."""
    for name, value in attributes.items():
        if value is not None:
            written = value if isinstance(value, str) else number(value)
            element.set(name.rstrip("_").replace("_", "-"), written)


def set_text(element: _Element, text: str) -> None:
    """Set an element's text. Characters that XML can't hold become spaces."""
    element.text = _FORBIDDEN.sub(" ", text)


def path_of(points: Sequence[Point]) -> str:
    """A line through points, as a path's `d`."""
    return "M" + " L".join(f"{number(p.x)} {number(p.y)}" for p in points)


@dataclass(frozen=True)
class Canvas:
    """What an element is drawn on: its group, its two colours, and the list of what has been drawn where.

    Lines have the colour `ink`, areas `paper`, unless a call says otherwise.
    """

    group: _Element
    ink: str = INK
    paper: str = PAPER
    drawn: list[Box] = field(default_factory=list)

    def within(self, ink: str | None, paper: str | None, **attributes: Attribute) -> Canvas:
        """A canvas on a new group within this one."""
        ink, paper = ink or self.ink, paper or self.paper
        group = add(self.group, "g", **attributes)
        set_attributes(group, stroke=ink, fill=paper, stroke_width=1.5)
        return Canvas(group, ink, paper, self.drawn)

    @property
    def writing(self) -> str:
        """The colour of what is written on the paper."""
        return readable_on(self.paper, self.ink)

    @property
    def light(self) -> str:
        """The paper's colour, or white where ink can't be told from it."""
        return PAPER if is_dark(self.paper) else self.paper

    def touch(self, box: Box) -> None:
        """Remember that something is drawn there."""
        self.drawn.append(box)

    def box(self, box: Box, radius: float = 0, **attributes: Attribute) -> None:
        """A rectangle."""
        self.touch(box)
        corner = radius or None
        add(self.group, "rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=corner, **attributes)

    def circle(self, centre: Point, radius: float, **attributes: Attribute) -> None:
        """A circle."""
        self.touch(Box(centre.x - radius, centre.y - radius, 2 * radius, 2 * radius))
        add(self.group, "circle", cx=centre.x, cy=centre.y, r=radius, **attributes)

    def lines(self, points: Sequence[Point], **attributes: Attribute) -> None:
        """A line through points."""
        self.touch_points(points)
        self.path(path_of(points), **{"fill": "none", **attributes})

    def area(self, points: Sequence[Point], **attributes: Attribute) -> None:
        """The area that points enclose."""
        self.touch_points(points)
        self.path(f"{path_of(points)} Z", **attributes)

    def path(self, d: str, **attributes: Attribute) -> None:
        """A path; whoever draws it outside a shape says with `touch` where."""
        add(self.group, "path", d=d, **attributes)

    def symbol(self, d: str, at: Point, scale: float = 1, **attributes: Attribute) -> None:
        """A path drawn around (or from) 0,0 at another place and size; its lines keep their width."""
        moved = f"translate({number(at.x)} {number(at.y)})"
        turned = f" scale({number(scale)})" if scale != 1 else ""
        width = attributes.pop("stroke_width", 1.2)
        thin = float(width) / scale if isinstance(width, int | float) else width
        self.path(d, transform=moved + turned, stroke_width=thin, **attributes)

    def touch_points(self, points: Iterable[Point]) -> None:
        """Remember that something is drawn at these points."""
        for point in points:
            self.touch(Box(point.x, point.y, 0, 0))

    def text(self, lines: tuple[str, ...], at: Point, size: float, look: Look = _PLAIN, *, anchor: str = "middle") -> None:
        """Lines of text, the first one's top at `at.y`; `at.x` is their middle, or their beginning with anchor `start`.

        `look`: attributes such as `fill` and `font_weight`. With `transform`, whoever calls says where it is drawn.
        """
        if not lines:
            return
        width = widest(lines, size, look.get("font_weight") == "bold")
        if "transform" not in look:
            left = at.x - (width / 2 if anchor == "middle" else 0)
            self.touch(Box(left, at.y, width, len(lines) * size * LEADING))
        painted: Look = {"fill": self.ink, "stroke": "none", **look}
        text = add(self.group, "text", font_size=size, text_anchor=anchor, **painted)
        for row, line in enumerate(lines):
            span = add(text, "tspan", x=at.x, y=at.y + size * (LEADING * row + 0.95))
            set_text(span, line)
