"""Periods (a month or a date that a bill is for), and ISO 8601 durations.

The period after a period follows from the period alone, never from a clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import isodate

from engine.errors import DataRefused
from engine.model.text import shown

_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# ISO 8601's forms with designators; the library also reads dates as durations (P0003-06-04), which nobody would mean.
_DURATION = re.compile(r"P[0-9YMWDTHS.,]*[YMWDHS]")
_LONGEST_DURATION = 40  # characters
_LAST_DAY_IN_EVERY_MONTH = 28


@dataclass(frozen=True, slots=True)
class Duration:
    """A positive length of time: whole calendar months (years are twelve), and a fixed time."""

    months: int
    rest: timedelta


def parse_duration(text: str) -> Duration:
    """Read an ISO 8601 duration with designators: P1M, P30D, PT30S. White space around it is ignored.

    Raises DataRefused for anything else, for zero and negative durations, and for fractions of months or years.
    """
    written = text.strip()
    if len(written) > _LONGEST_DURATION or not _DURATION.fullmatch(written):
        raise _not_a_duration(text)
    try:
        read = isodate.parse_duration(written, as_timedelta_if_possible=False)
    except (ValueError, OverflowError) as error:  # ISO8601Error is a ValueError
        raise _not_a_duration(text) from error
    months = 12 * read.years + read.months
    if months != int(months) or not (months or read.tdelta):
        raise _not_a_duration(text)
    return Duration(int(months), read.tdelta)


def add_duration(at: datetime, text: str, times: int = 1) -> datetime:
    """The moment an ISO 8601 duration after `at`, or several `times` as long, in UTC. `at` must be aware.

    A month later is the same day of the next month, or that month's last day where it has no such day. Raises DataRefused
    for a text that is no duration, or leads beyond the year 9999.
    """
    if at.tzinfo is None:
        raise ValueError("Expected an aware datetime, but it has no time zone. Do: pass UTC.")
    length = parse_duration(text)
    return _after(at.astimezone(UTC), Duration(length.months * times, length.rest * times), text)


def parse_period(text: str, kind: str) -> str:
    """Read a period of the kind `month` (2026-10) or `date` (2026-10-31); white space around it is ignored.

    Raises DataRefused for any other text.
    """
    written = text.strip()
    is_month = kind == "month"
    if (_MONTH if is_month else _DATE).fullmatch(written):
        try:
            date.fromisoformat(f"{written}-01" if is_month else written)
        except ValueError:
            pass  # the thirteenth month, the 31st of June: refused below like any other text
        else:
            return written
    raise DataRefused(
        f"Expected a {kind} of the calendar, but {shown(text)} is none. "
        f"Do: write it as in {'2026-10' if is_month else '2026-10-31'}."
    )


def period_of_any_kind(text: str) -> str:
    """The same for a text that may be either: a month or a date."""
    return parse_period(text, "date" if text.count("-") > 1 else "month")


def check_every(every: str, kind: str) -> None:
    """Raise DataRefused unless periods of `kind` (`month` or `date`) can follow each other at the distance `every`.

    Months take whole months or years (P1M, P1Y). Dates take whole days or weeks (P1D, P2W), or whole months or years.
    """
    duration = parse_duration(every)
    only_months = duration.months and not duration.rest
    only_days = not duration.months and duration.rest % timedelta(days=1) == timedelta(0)
    if only_months or (kind == "date" and only_days):
        return
    fitting = "whole months or years, as in P1M" if kind == "month" else "whole days, weeks, months or years, as in P2W"
    raise DataRefused(
        f"Expected a distance between periods of the type {kind}, in {fitting}, but {shown(every)} is none. Do: write one."
    )


def next_period(value: str, every: str) -> str:
    """The period that follows `value` at the distance `every`: 2026-12 and P1M give 2027-01.

    Raises DataRefused where `value` is no period, `every` does not fit it, the calendar ends (year 9999), or a date after
    the 28th would have to repeat monthly: shorter months have no such day, and the date would drift.
    """
    written = value.strip()
    is_month = len(written) < len("2026-10-31")
    parse_period(written, "month" if is_month else "date")
    check_every(every, "month" if is_month else "date")
    duration = parse_duration(every)
    day = date.fromisoformat(f"{written}-01" if is_month else written)
    if duration.months and day.day > _LAST_DAY_IN_EVERY_MONTH:
        raise DataRefused(
            f"Expected a date up to the 28th to repeat every {every}, but {written} is later in its month, and shorter months "
            "have no such day. Do: choose a day up to the 28th, or use periods of the type month."
        )
    following = _after(datetime(day.year, day.month, day.day, tzinfo=UTC), duration, every)
    return following.date().isoformat()[: len(written)]


def _after(at: datetime, duration: Duration, text: str) -> datetime:
    try:
        later: datetime = at + isodate.Duration(months=duration.months) + duration.rest
    except (ValueError, OverflowError) as error:
        raise DataRefused(
            f"Expected a duration that stays within the calendar, but {shown(text)} after {at.date().isoformat()} is beyond "
            "the year 9999. Do: use a shorter one."
        ) from error
    return later


def _not_a_duration(text: str) -> DataRefused:
    return DataRefused(
        f"Expected a positive ISO 8601 duration, but {shown(text)} is none. "
        "Do: write one as in P1M (a month), P30D (days) or PT30S (seconds)."
    )
