"""How many requests arrive in a second, and how many of them there may be (https://docs.stripe.com/rate-limits)."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final

_SECOND: Final = timedelta(seconds=1)


class Traffic:
    """The requests of the last second. Not thread-safe: its owner holds a lock."""

    def __init__(self, limit: int | None = None) -> None:
        """`limit` is how many requests may be admitted in any second; None: any number."""
        self._usual = limit
        self.limit = limit
        self.clear()

    def clear(self) -> None:
        """Forget what was seen; the limit is the first one again."""
        self.limit = self._usual
        self.busiest_second = 0
        self.refused = 0
        self._arrived: deque[datetime] = deque()
        self._admitted: deque[datetime] = deque()

    def arrive(self, now: datetime) -> None:
        """Count a request, whatever becomes of it."""
        self._arrived.append(now)
        _forget(self._arrived, now)
        self.busiest_second = max(self.busiest_second, len(self._arrived))

    def admit(self, now: datetime) -> bool:
        """Whether a request keeps to the limit; one that doesn't is counted as refused."""
        _forget(self._admitted, now)
        if self.limit is not None and len(self._admitted) >= self.limit:
            self.refused += 1
            return False
        self._admitted.append(now)
        return True


def _forget(moments: deque[datetime], now: datetime) -> None:
    while moments and now - moments[0] >= _SECOND:
        moments.popleft()
