"""Two at once, step by step: what one does is held up before a statement while another does all that it can.

So a race is run at its worst moment, every time. On PostgreSQL alone: SQLite lets one write at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from engine.store.database import Database

_T = TypeVar("_T")
_PATIENCE_SECONDS = 30
_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


@dataclass
class Other(Generic[_T]):
    """What the other does. `had_to_wait`: it met a lock, and went on only when the first had finished."""

    future: Future[_T] = field(default_factory=Future)
    begun: bool = False
    had_to_wait: bool = False

    def result(self) -> _T:
        """What came of it; raises what it raised."""
        if not self.begun:
            raise RuntimeError("the first one never came to the statement before which the other was to begin")
        return self.future.result(_PATIENCE_SECONDS)


@contextmanager
def meanwhile(database: Database, before: str, action: Callable[[], _T]) -> Iterator[Other[_T]]:
    """In the block, right before the first statement that begins with `before`, another thread does `action`.

    The statement is carried out when that one has finished or waits for a lock.
    """
    other: Other[_T] = Other()
    with ThreadPoolExecutor(1) as pool:

        def hold_up(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if other.begun or not statement.startswith(before):
                return
            other.begun = True
            other.future = pool.submit(action)
            other.had_to_wait = _waits(database, other.future)

        event.listen(database.engine, "before_cursor_execute", hold_up)
        try:
            yield other
        finally:
            event.remove(database.engine, "before_cursor_execute", hold_up)


def _waits(database: Database, future: Future[Any]) -> bool:
    end = time.monotonic() + _PATIENCE_SECONDS
    watching = create_engine(database.engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with watching.connect() as asking:  # in no transaction: within one, nothing new is seen
        while not future.done():
            if asking.execute(_WAITING).scalar_one():
                return True
            if time.monotonic() > end:
                raise RuntimeError("the other one neither ends nor waits for a lock")
            time.sleep(0.005)
    return False
