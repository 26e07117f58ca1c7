"""Pacing: hands out permits to send requests, so that all who work on one database stay within a service's limit together.

A service that takes n requests a second has n permits, and each of them is used again only when more than a second has passed
since its last use: so no window of a second holds more than n requests, however late threads wake up. The database says who has
which permit. A process takes as many at a time as threads of it are waiting, so one transaction serves many requests when
there is much to do, and no permit lies idle when there is little.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil
from threading import Lock
from typing import TYPE_CHECKING

from engine.clock import Stopwatch, SystemStopwatch
from engine.store import rate_limits
from engine.store.rate_limits import GivenBack, Permits, Taken

if TYPE_CHECKING:
    from engine.store.database import Database

_MICROSECONDS = 1_000_000
_SPARE = 0.014
"""By how much, as a share, more than the limit asks for a permit rests: so differently long may be the way to the network."""
_MOST_PERMITS = 100
"""Higher limits are kept by as many permits that rest for a shorter time."""
_HOLD = 0.5
"""Seconds in which a permit must be used; one whose thread slept longer, or was stopped, is given back unused."""
_GRACE = 0.1
"""Seconds longer that nobody else gets it: by so much, two processes may differ about the database's clock."""
_MOST_AHEAD = 0.25
"""Seconds' worth of the limit that a process takes at once."""
_IN_GOOD_TIME = 0.1
"""Seconds before its last permit at which a process takes more: in this time the database must answer."""
_FEW = 10
"""Of so few permits, none is taken ahead: they are the ones that are still to be used."""
_REMEMBERED = 8


class Pacer:
    """Permits for one process, for as many threads as like; see `engine.connector.Permits`."""

    def __init__(self, database: Database, stopwatch: Stopwatch | None = None) -> None:
        self._database = database
        self._stopwatch = stopwatch or SystemStopwatch()
        self._lock = Lock()
        self._lines: dict[tuple[str, int], _Line] = {}

    def take(self, service: str, per_second: int) -> None:
        """See Permits."""
        with self._lock:
            line = self._lines.get((service, per_second))
            if line is None:
                line = self._lines[service, per_second] = _Line(self._database, self._stopwatch, service, per_second)
        line.take()


@dataclass(frozen=True, slots=True)
class _Slot:
    """From when on and until when a permit may be used, by the stopwatch."""

    begin: float
    end: float
    permit: Taken


class _Line:
    """The threads that wait for one service, and the permits that are taken for them."""

    def __init__(self, database: Database, stopwatch: Stopwatch, service: str, per_second: int) -> None:
        self._database = database
        self._stopwatch = stopwatch
        in_turn = ceil(per_second / _MOST_PERMITS)  # so often in a second the same permits are used
        number = per_second // in_turn
        self._permits = Permits(service, number, ceil(_MICROSECONDS * (1 + _SPARE) / in_turn))
        self._most = max(1, int(number * min(1.0, _MOST_AHEAD * in_turn)))
        self._ahead = _IN_GOOD_TIME if number >= _FEW else 0.0
        self._counting = Lock()
        self._waiting = 0
        self._turn = Lock()  # guards what follows; held while permits are taken, which all who wait then wait for
        self._slots: deque[_Slot] = deque()
        self._last = float("-inf")
        self._differences: deque[float] = deque(maxlen=_REMEMBERED)
        self._difference = 0.0
        self._done: deque[tuple[Taken, float | None]] = deque()  # permits, and when they were used

    def take(self) -> None:
        """Return as soon as a permit may be used by the caller, who has used it then."""
        while True:
            slot = self._next_slot()
            self._stopwatch.wait_until(slot.begin)
            now = self._stopwatch.seconds()
            in_time = now <= slot.end
            self._done.append((slot.permit, now if in_time else None))
            if in_time:
                return

    def _next_slot(self) -> _Slot:
        with self._counting:
            self._waiting += 1
        try:
            with self._turn:
                while not self._slots:
                    self._take_more()
                return self._slots.popleft()
        finally:
            with self._counting:
                self._waiting -= 1

    def _take_more(self) -> None:
        """Take a permit for each thread that waits, not long before they are needed: until then others may join."""
        self._stopwatch.wait_until(self._last - self._ahead)
        done = [self._done.popleft() for _ in range(len(self._done))]
        count = min(self._waiting, self._most)
        # If the database fails, those that are done come back when their time to be used is over. What a crash of its machine
        # makes it forget costs requests that are refused and tried again.
        with self._database.transaction(durable=False) as connection:
            hold = int((_HOLD + _GRACE) * _MICROSECONDS)
            given = rate_limits.exchange(connection, self._permits, map(self._given_back, done), count, hold)
        turn = given()
        self._note_difference(self._stopwatch.seconds() - turn.now / _MICROSECONDS)
        if not turn.permits:
            with self._database.transaction() as connection:
                rate_limits.prepare(connection, self._permits)
        for number, permit in enumerate(turn.permits):
            free = permit.free_at / _MICROSECONDS + self._difference
            begin = max(free, (turn.begin + number * self._permits.step) / _MICROSECONDS + self._difference)
            self._slots.append(_Slot(begin, free + _HOLD, permit))
            self._last = max(begin, self._last)

    def _note_difference(self, seen: float) -> None:
        """Measure the stopwatch less the database's clock, in seconds.

        What is seen is that and the time that the answer took, so the least that was seen of late comes nearest.
        """
        self._differences.append(seen)
        self._difference = min(self._differences)

    def _given_back(self, done: tuple[Taken, float | None]) -> GivenBack:
        permit, used_at = done
        if used_at is None:
            return GivenBack(permit, permit.free_at)
        return GivenBack(permit, int((used_at - self._difference) * _MICROSECONDS) + self._permits.period)
