"""The one place that asks what time it is. Everything else is handed a Clock, or a Stopwatch to measure how long things take."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time as an aware UTC datetime."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)


class TurnedClock:
    """A clock that stands still until somebody turns it: for tests, the demo and simulation."""

    def __init__(self, at: datetime) -> None:
        """Stands at `at`, which must be aware."""
        if at.tzinfo is None:
            raise ValueError("Expected an aware datetime, but it has no time zone. Do: pass UTC.")
        self._now = at.astimezone(UTC)

    def now(self) -> datetime:
        """Where the clock stands."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Turn the clock forward."""
        self._now += by


class Stopwatch(Protocol):
    """Measures real time that passes, whatever the clocks say; it never goes back."""

    def seconds(self) -> float:
        """Seconds since a moment that stays the same for this process."""
        ...

    def wait_until(self, seconds: float) -> None:
        """Return once `seconds()` has come to that, at once where it has already."""
        ...


class SystemStopwatch:
    """The machine's stopwatch."""

    def seconds(self) -> float:
        """Seconds since a moment that stays the same for this process."""
        return time.monotonic()

    def wait_until(self, seconds: float) -> None:
        """Return once `seconds()` has come to that, at once where it has already."""
        left = seconds - time.monotonic()
        if left > 0:
            time.sleep(left)
