"""What is to happen when: in the order of time, and of two at the same moment the one first that was put down first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import TypeAlias

Act: TypeAlias = Callable[[], None]


class Agenda:
    """Acts by their time."""

    def __init__(self) -> None:
        self._acts: list[tuple[datetime, int, Act]] = []
        self._numbers = count()

    def put(self, at: datetime, act: Act) -> None:
        """Have something happen at a moment."""
        heappush(self._acts, (at, next(self._numbers), act))

    def next_at(self) -> datetime | None:
        """When the next one is; None where there is none."""
        return self._acts[0][0] if self._acts else None

    def take(self) -> Act:
        """The next one."""
        return heappop(self._acts)[2]
