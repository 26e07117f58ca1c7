"""Moments as people write them: ISO 8601 dates with or without a time. Without a zone, they are in UTC.

Also how long it is from one to another, in words.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from engine.errors import DataRefused
from engine.model.text import shown

# The standard library also reads week dates, dates without hyphens and any separator, which nobody would mean.
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"  # a date alone is its midnight
    r"(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)

_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 date and time (2026-12-01T09:00:00Z, 2026-12-01T10:00+01:00) or date (2026-12-01: its midnight).

    The moment is aware, in UTC; where no zone is written, UTC is meant. White space around it is ignored. Raises DataRefused
    for anything else.
    """
    written = text.strip()
    if _MOMENT.fullmatch(written):
        try:
            read = datetime.fromisoformat(written)
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # the 31st of June, or a zone that leads out of the calendar: refused below like any other text
    raise DataRefused(
        f"Expected a date, or a date and time, as ISO 8601 writes them, but {shown(text)} is none. "
        "Do: write one as in 2026-12-01 or 2026-12-01T09:00:00Z (without a zone, UTC is meant)."
    )


def format_moment(moment: datetime) -> str:
    """An aware moment as programs read it: ISO 8601 in UTC, with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def length_in_words(length: timedelta) -> str:
    """A length of time in whole units of the largest that fits: `3 days`, `1 hour`, `12 minutes`, `less than a minute`."""
    for unit, word in _UNITS:
        number = length // unit
        if number:
            return f"1 {word}" if number == 1 else f"{number} {word}s"
    return "less than a minute"
