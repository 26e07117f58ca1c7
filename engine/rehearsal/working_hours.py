"""When people work: on which days of the week, from which hour to which, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """`days` are numbers of weekdays from 0 (Monday), one at least; `opens` and `closes` are times since midnight, the one
    before the other.
    """

    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    opens: timedelta = timedelta(hours=9)
    closes: timedelta = timedelta(hours=17)

    def next_open(self, at: datetime) -> datetime:
        """`at` itself while people work, else when they begin again."""
        midnight = _midnight(at)
        if at.weekday() in self.days and at < midnight + self.closes:
            return max(at, midnight + self.opens)
        return self.next_day(at)

    def next_day(self, at: datetime) -> datetime:
        """When people begin on the next working day after that of `at`."""
        midnight = _midnight(at) + _DAY
        while midnight.weekday() not in self.days:
            midnight += _DAY
        return midnight + self.opens

    def after(self, at: datetime, length: timedelta) -> datetime:
        """When work of this length is done that begins at `at`: it rests while people don't work."""
        at = self.next_open(at)
        while (left := _midnight(at) + self.closes - at) < length:
            length -= left
            at = self.next_day(at)
        return at + length

    def between(self, begin: datetime, end: datetime) -> timedelta:
        """How much working time there is from `begin` to `end`."""
        total, midnight = timedelta(), _midnight(begin)
        while midnight < end:
            if midnight.weekday() in self.days:
                total += max(min(midnight + self.closes, end) - max(midnight + self.opens, begin), timedelta())
            midnight += _DAY
        return total


ALWAYS = WorkingHours(tuple(range(7)), timedelta(), _DAY)
"""Day and night."""


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)
