"""The one place that asks what time it is. Everything else is handed a Clock."""

from __future__ import annotations

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
