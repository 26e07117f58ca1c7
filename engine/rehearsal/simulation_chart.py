"""A simulation as a picture: where work waits day by day, how busy everybody is, and how customers stand at each month's end.

Everything is told by length and by figures, nothing by colour alone. The same report gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lxml import etree

from engine.drawing.canvas import SVG, add, number, set_text
from engine.drawing.text import FAMILY, wrap
from engine.rehearsal.simulation_report import PeriodReport, SimulationReport

if TYPE_CHECKING:
    from lxml.etree import _Element

_WIDTH, _LEFT, _RIGHT = 960.0, 210.0, 930.0
_ACROSS = _RIGHT - _LEFT
_PANEL, _BAR, _GAP = 74.0, 15.0, 26.0
_INK, _PALE, _LINE = "#222222", "#9db8d2", "#bbbbbb"
_MOST_TICKS = 24
_STYLE = "body { color: #222; background: #fff; margin: 1.5rem; } svg { max-width: 100%; height: auto; }"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def chart_svg(report: SimulationReport) -> bytes:
    """An SVG document in UTF-8."""
    drawn: bytes = etree.tostring(_drawn(report), encoding="utf-8")
    return drawn


def chart_page(report: SimulationReport) -> bytes:
    """An HTML page in UTF-8 around the same picture. It needs nothing from elsewhere and runs nothing."""
    page = etree.Element("html", lang="en")
    head = etree.SubElement(page, "head")
    etree.SubElement(head, "meta", charset="utf-8")
    etree.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    set_text(etree.SubElement(head, "title"), _title(report))
    set_text(etree.SubElement(head, "style"), _STYLE)
    etree.SubElement(page, "body").append(_drawn(report))
    written: bytes = etree.tostring(page, encoding="utf-8", method="html", doctype="<!DOCTYPE html>")
    return written


def _title(report: SimulationReport) -> str:
    return f"{report.process}: {report.customers} customers, {report.months} months simulated (seed {report.seed})"


def _drawn(report: SimulationReport) -> _Element:
    root = etree.Element(f"{{{SVG}}}svg", nsmap={None: SVG})  # type: ignore[dict-item]  # None is the default namespace
    root.set("font-family", FAMILY)
    root.set("role", "img")
    set_text(add(root, "title"), _title(report))
    add(root, "rect", x=0.0, y=0.0, width=_WIDTH, height="100%", fill="#ffffff")
    page = _Page(root)
    page.write(_title(report), 16, weight="bold")
    _draw_waiting(page, report)
    _draw_busy(page, report)
    _draw_periods(page, report.periods)
    root.set("viewBox", f"0 0 {number(_WIDTH)} {number(page.y + _GAP)}")
    root.set("width", number(_WIDTH))
    return root


@dataclass
class _Page:
    """What is drawn on, from top to bottom. `y` is how far it is full."""

    root: _Element
    y: float = 18.0

    def write(self, text: str, size: float = 13, weight: str | None = None) -> None:
        """A line of text across the page."""
        self.y += size * 0.8
        self.put(text, 14, self.y, size=size, weight=weight)
        self.y += size * 0.7

    def put(self, text: str, x: float, y: float, *, size: float = 11, anchor: str = "start", weight: str | None = None) -> None:
        """Text at a place."""
        element = add(self.root, "text", x=x, y=y, font_size=size, text_anchor=anchor, font_weight=weight, fill=_INK)
        set_text(element, text)

    def label(self, text: str, y: float) -> None:
        """The name of a row, to the left of it; what doesn't fit is cut off."""
        self.put(wrap(text, _LEFT - 60, 12, lines=1)[0] if text else "", 14, y, size=12)

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = _LINE) -> None:
        """A thin line."""
        add(self.root, "line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, stroke_width=1.0)

    def bar(self, x: float, y: float, width: float, height: float) -> None:
        """A filled rectangle with an outline, so that it is seen in any print."""
        add(self.root, "rect", x=x, y=y, width=width, height=height, fill=_PALE, stroke=_INK, stroke_width=0.8)


def _draw_waiting(page: _Page, report: SimulationReport) -> None:
    """For each group a line through the most tasks that waited on each day, all at one scale."""
    if not report.groups:
        return
    page.y += _GAP
    page.write("Tasks that wait for somebody, the most of each day", weight="bold")
    most = max(1, *(group.waiting.most for group in report.groups))
    for group in report.groups:
        top, bottom = page.y + 12, page.y + 12 + _PANEL
        page.label(group.group, top + 14)
        page.put(f"most {group.waiting.most}", 14, top + 30)
        page.put(str(most), _LEFT - 6, top + 8, anchor="end")
        page.put("0", _LEFT - 6, bottom, anchor="end")
        _steps(page, group.waiting.by_day, most, top, bottom)
        page.line(_LEFT, bottom, _RIGHT, bottom, _INK)
        page.y = bottom
    _ticks(page, report.begins, report.ends)


def _steps(page: _Page, days: Sequence[int], most: int, top: float, bottom: float) -> None:
    if not days:
        return
    across, scale = _ACROSS / len(days), (bottom - top) / most
    steps = [f"M{number(_LEFT)} {number(bottom)}"]
    for place, waiting in enumerate(days):
        y = number(bottom - waiting * scale)
        steps.append(f"L{number(_LEFT + place * across)} {y} L{number(_LEFT + (place + 1) * across)} {y}")
    steps.append(f"L{number(_RIGHT)} {number(bottom)} Z")
    add(page.root, "path", d=" ".join(steps), fill=_PALE, stroke=_INK, stroke_width=0.8)


def _ticks(page: _Page, begins: datetime, ends: datetime) -> None:
    """The first of each month, or of some of them where there are many."""
    firsts = list(_firsts(begins, ends))
    every = -(-len(firsts) // _MOST_TICKS)
    for at in firsts[::every]:
        x = _LEFT + _ACROSS * ((at - begins) / (ends - begins))
        page.line(x, page.y, x, page.y + 5, _INK)
        page.put(f"{at:%Y-%m}" if at is firsts[0] or at.month == 1 else f"{at:%m}", x, page.y + 16)
    page.y += 20


def _firsts(begins: datetime, ends: datetime) -> Iterator[datetime]:
    at = begins.replace(day=1)
    while at < ends:
        if at >= begins:
            yield at
        at = (at + timedelta(days=32)).replace(day=1)


def _draw_busy(page: _Page, report: SimulationReport) -> None:
    if not report.groups:
        return
    page.y += _GAP
    page.write("How busy people are, of their working time", weight="bold")
    for group in report.groups:
        page.y += 8
        page.label(f"{group.group} ({group.people})", page.y + 12)
        page.bar(_LEFT, page.y, _ACROSS * 0.8 * min(group.busy, 100) / 100, _BAR)
        page.line(_LEFT + _ACROSS * 0.8, page.y - 3, _LEFT + _ACROSS * 0.8, page.y + _BAR + 3, _INK)
        page.put(f"{group.busy} %", _LEFT + _ACROSS * 0.8 + 8, page.y + 12)
        page.y += _BAR


def _draw_periods(page: _Page, periods: Sequence[PeriodReport]) -> None:
    """A row for each state that anybody was in, a column for each period, the number in figures and as a bar."""
    if not periods:
        return
    page.y += _GAP
    page.write("Customers at each period's end", weight="bold")
    states = [state for state in periods[0].states if any(period.states[state] for period in periods)]
    most = max(max(period.states.values()) for period in periods) or 1
    across = _ACROSS / len(periods)
    page.y += 6
    for place, period in enumerate(periods):
        page.put(period.period, _LEFT + place * across, page.y + 10, size=min(11.0, across / 5))
    page.y += 16
    for state in states:
        page.label(state.replace("_", " "), page.y + 30)
        for place, period in enumerate(periods):
            count = period.states[state]
            x, height = _LEFT + place * across, 24.0 * count / most
            if count:
                page.bar(x, page.y + 34 - height, min(across * 0.7, 60.0), height)
                page.put(str(count), x, page.y + 31 - height, size=min(11.0, across / 5))
        page.line(_LEFT, page.y + 34, _RIGHT, page.y + 34)
        page.y += 40
