"""Times that repeat: ISO 8601 repeating intervals, `R3/PT1H` (three times, an hour apart) and `R/P1D` (every day)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from engine.errors import DataRefused
from engine.model.moment import parse_moment
from engine.model.period import add_duration, parse_duration
from engine.model.text import shown

_TIMES = re.compile(r"R([0-9]{0,6})")


@dataclass(frozen=True, slots=True)
class Cycle:
    """`every` is an ISO 8601 duration, `times` how often it is due, None without end. `start` is when it is due first; where
    that is None, it is one `every` after it was begun.
    """

    every: str
    times: int | None = None
    start: datetime | None = None

    def due_at(self, begun_at: datetime, number: int) -> datetime | None:
        """When it is due for the first (1), second (2), ... time, in UTC; None after the last. Each is counted from the
        beginning, so that months which begin on the 31st don't drift. Raises DataRefused for a time beyond the year 9999.
        """
        if self.times is not None and number > self.times:
            return None
        if self.start is None:
            return add_duration(begun_at, self.every, number)
        return self.start if number == 1 else add_duration(self.start, self.every, number - 1)


def parse_cycle(text: str) -> Cycle:
    """Read `R3/PT1H`, `R/P1D`, or with the first time in the middle `R3/2027-01-01T09:00:00Z/P1D`; white space around it is
    ignored. Raises DataRefused for anything else, and for a cycle that is never due.
    """
    times, *rest = text.strip().split("/")
    found = _TIMES.fullmatch(times)
    if found is None or not 1 <= len(rest) <= 2 or (found[1] and int(found[1]) == 0):
        raise _not_a_cycle(text)
    try:
        parse_duration(rest[-1])
        start = parse_moment(rest[0]) if len(rest) > 1 else None
    except DataRefused as refused:
        raise _not_a_cycle(text) from refused
    return Cycle(rest[-1].strip(), int(found[1]) if found[1] else None, start)


def _not_a_cycle(text: str) -> DataRefused:
    return DataRefused(
        f"Expected a time that repeats, as in R3/PT1H (three times, an hour apart) or R/P1D (every day), but {shown(text)} is "
        "none. Do: write one."
    )
