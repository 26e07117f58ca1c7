"""The standard's symbols as paths: what tasks, events, gateways and markers are told apart by (BPMN 2.0, chapters 7 and 13).

Task symbols are drawn from 0,0 to 18,18; event symbols around 0,0 within a circle of radius 18; markers from 0,0 to 14,14.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, pi, sin
from typing import NamedTuple


class Symbol(NamedTuple):
    """An outline, filled with paper (or ink, where an event throws), and lines over it. `solid` areas are filled with ink."""

    outline: str = ""
    lines: str = ""
    solid: str = ""


def _disc(x: float, y: float, radius: float) -> str:
    arc = f"a{radius:g} {radius:g} 0 1 0"
    return f"M{x - radius:.4g} {y:.4g} {arc} {2 * radius:g} 0 {arc} {-2 * radius:g} 0 Z"


def _gear(x: float, y: float, outer: float, teeth: int) -> str:
    """A wheel whose teeth are a quarter of its radius, with a hole."""
    inner, step = outer * 0.74, 2 * pi / teeth
    corners = []
    for tooth in range(teeth):
        for turn, radius in ((-0.30, inner), (-0.18, outer), (0.18, outer), (0.30, inner)):
            angle = (tooth + turn) * step
            corners.append(f"{x + radius * cos(angle):.2f} {y + radius * sin(angle):.2f}")
    return f"M{' L'.join(corners)} Z {_disc(x, y, outer * 0.36)}"


def _regular(corners: int, radius: float) -> str:
    """A regular polygon around 0,0 that stands on its side."""
    turns = (2 * pi * corner / corners - pi / 2 for corner in range(corners))
    return f"M{' L'.join(f'{radius * cos(turn):.2f} {radius * sin(turn):.2f}' for turn in turns)} Z"


def _ticks() -> str:
    turns = [(cos(hour * pi / 6), sin(hour * pi / 6)) for hour in range(12)]
    return " ".join(f"M{8.4 * x:.2f} {8.4 * y:.2f} L{10.5 * x:.2f} {10.5 * y:.2f}" for x, y in turns)


_ENVELOPE = Symbol("M1 3.5 H17 V14.5 H1 Z", "M1 3.5 L9 10 L17 3.5")
_PERSON = Symbol(
    "M2 17 V14.2 C2 11.6 4 10 6.8 9.3 C7.6 10.4 10.4 10.4 11.2 9.3 C14 10 16 11.6 16 14.2 V17 Z " + _disc(9, 5.2, 3.6),
    "M5.2 17 V14 M12.8 17 V14",
    "M5.4 5 C5.2 0.4 12.8 0.4 12.6 5 C11 5.2 10 4.4 9.4 3.6 C8.4 4.8 7 5.2 5.4 5 Z",
)

TASKS: Mapping[str, Symbol] = {
    "userTask": _PERSON,
    "serviceTask": Symbol(f"{_gear(7, 7, 6.8, 8)} {_gear(13.6, 13.4, 4.4, 8)}"),
    "scriptTask": Symbol(
        "M5.4 1 H16 C12.4 4.2 12.4 6.4 14.2 9 C16 11.6 16 13.8 12.6 17 H2 C5.4 13.8 5.4 11.6 3.6 9 C1.8 6.4 1.8 4.2 5.4 1 Z",
        "M5.2 4.2 H11.4 M5.2 7.4 H11 M6.8 10.6 H13 M6.8 13.8 H12.6",
    ),
    "businessRuleTask": Symbol("M1 2.5 H17 V15.5 H1 Z", "M1 11 H17 M6 6.5 V15.5 M1 6.5 H17", "M1 2.5 H17 V6.5 H1 Z"),
    "manualTask": Symbol(
        "M1.5 8.6 L7 3.2 C8.2 2.1 9.8 3.6 8.7 4.8 L7.2 6.4 H15 C16.6 6.4 16.6 8.6 15 8.6 H16 C17.5 8.6 17.5 10.8 16 10.8 H15.4 "
        "C16.8 10.8 16.8 12.9 15.4 12.9 H14.2 C15.4 12.9 15.4 15 14.2 15 H5.6 C3.2 15 1.5 13.6 1.5 11.4 Z",
        "M10 8.6 H15 M10 10.8 H15.4 M10 12.9 H14.2",
    ),
    "sendTask": _ENVELOPE,
    "receiveTask": _ENVELOPE,
}
"""The symbol in a task's upper left corner."""

EVENTS: Mapping[str, Symbol] = {
    "message": Symbol("M-8.5 -6 H8.5 V6 H-8.5 Z", "M-8.5 -6 L0 1 L8.5 -6"),
    "timer": Symbol(_disc(0, 0, 10.5), f"{_ticks()} M0 0 L1.6 -7 M0 0 L5.2 1.6"),
    "signal": Symbol("M0 -9.5 L9.4 6.6 H-9.4 Z"),
    "error": Symbol("M-8 9 L-4.6 -8 L2.4 -0.8 L8 -9 L5 8 L-2.2 1 Z"),
    "escalation": Symbol("M0 -10 L7.2 8 L0 1.2 L-7.2 8 Z"),
    "conditional": Symbol("M-6.8 -8.6 H6.8 V8.6 H-6.8 Z", "M-4.6 -5.4 H4.6 M-4.6 -1.8 H4.6 M-4.6 1.8 H4.6 M-4.6 5.4 H4.6"),
    "link": Symbol("M-9.5 -3.8 H1.6 V-8.2 L10 0 L1.6 8.2 V3.8 H-9.5 Z"),
    "cancel": Symbol(
        "M-8.4 -5.2 L-5.2 -8.4 L0 -3.2 L5.2 -8.4 L8.4 -5.2 L3.2 0 L8.4 5.2 L5.2 8.4 L0 3.2 L-5.2 8.4 L-8.4 5.2 L-3.2 0 Z"
    ),
    "compensate": Symbol("M0 -6.8 V6.8 L-9 0 Z M9 -6.8 V6.8 L0 0 Z"),
    "terminate": Symbol(_disc(0, 0, 8.5)),
    "multiple": Symbol(_regular(5, 10.5)),
    "parallel_multiple": Symbol("M-2.8 -9.5 H2.8 V-2.8 H9.5 V2.8 H2.8 V9.5 H-2.8 V2.8 H-9.5 V-2.8 H-2.8 Z"),
}
"""The symbol in the middle of an event, by what it waits for or throws."""

MARKERS: Mapping[str, Symbol] = {
    "loop": Symbol(lines="M5 12.6 A5.6 5.6 0 1 1 9.4 12.4 M1.6 12.9 H5.4 V9.2"),
    "parallel": Symbol(solid="M1.5 1 H3.9 V13 H1.5 Z M5.8 1 H8.2 V13 H5.8 Z M10.1 1 H12.5 V13 H10.1 Z"),
    "sequential": Symbol(solid="M1 1.5 H13 V3.9 H1 Z M1 5.8 H13 V8.2 H1 Z M1 10.1 H13 V12.5 H1 Z"),
    "compensation": Symbol("M6.8 2 V12 L0.6 7 Z M13 2 V12 L6.8 7 Z"),
    "collapsed": Symbol("M0 0 H14 V14 H0 Z", "M7 2.6 V11.4 M2.6 7 H11.4"),
    "ad_hoc": Symbol(
        solid="M0.6 9.6 C1.4 5.6 4.4 3.4 7.2 5.8 C9.4 7.6 11.4 7.4 13.4 4.6 C12.6 8.8 9.6 10.8 6.8 8.4 C4.6 6.6 2.6 6.8 0.6 9.6 Z"
    ),
}
"""What stands at the lower edge of an activity, in this order from left to right."""

CROSS = "M-7 -5 L-5 -7 L0 -2 L5 -7 L7 -5 L2 0 L7 5 L5 7 L0 2 L-5 7 L-7 5 L-2 0 Z"
PLUS = "M-1.6 -8.5 H1.6 V-1.6 H8.5 V1.6 H1.6 V8.5 H-1.6 V1.6 H-8.5 V-1.6 H-1.6 Z"
STAR = "M0 -9 V9 M-9 0 H9 M-6.4 -6.4 L6.4 6.4 M-6.4 6.4 L6.4 -6.4"
PENTAGON = _regular(5, 7)
DATA_ARROW = "M0 4.5 H8 V1.5 L14 7 L8 12.5 V9.5 H0 Z"
