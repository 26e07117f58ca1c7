"""Periods on the clock: when one begins, and which there are in a span of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from engine.model.period import next_period


def begin_of(period: str) -> datetime:
    """The first moment of a month or date."""
    day = date.fromisoformat(f"{period}-01" if len(period) < len("2026-10-31") else period)
    return datetime.combine(day, time(), UTC)


def periods_until(first: str, every: str, end: datetime) -> Iterator[tuple[str, datetime]]:
    """The periods from the first one on that are over at `end`, each with when it is."""
    period = first
    while (ends := begin_of(next_period(period, every))) <= end:
        yield period, ends
        period = next_period(period, every)
