"""Boundary timers that repeat: what one remembers from one time to the next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from engine.connector import Value
from engine.model.cycle import parse_cycle
from engine.model.moment import format_moment, parse_moment


def begun(text: str, now: datetime) -> dict[str, Value]:
    """What a timer remembers that begins now."""
    return {"cycle": text, "begun_at": format_moment(now), "number": 1}


def next_time(memory: Mapping[str, Value]) -> dict[str, Value]:
    """What it remembers for the time after this one."""
    number = memory["number"]
    assert isinstance(number, int)
    return {**memory, "number": number + 1}


def due_at(memory: Mapping[str, Value]) -> datetime | None:
    """When it is due, in UTC; None after the last time. Raises DataRefused for a text that says no time that repeats."""
    number = memory["number"]
    assert isinstance(number, int)
    return parse_cycle(str(memory["cycle"])).due_at(parse_moment(str(memory["begun_at"])), number)
