"""Where a worker can be killed: before and after each commit, and before and after each request to the outside.

Nobody lists the points. A commit is named by what it stores (`commit charges=created`), a request by its method and path
(`send POST /v1/payment_intents/*/confirm`), so that a transaction which is new on the way is found by the next traced run.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import stripe
from sqlalchemy import Connection, event

from connectors.email.folder import FolderTransport
from engine.store.database import Database

BEFORE, AFTER = "before", "after"
_ID = re.compile(r"/(?:ch|cus|pi|pm|re)_[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Point:
    """The `nth` time in its life that a process comes before or after something."""

    what: str
    moment: str
    nth: int = 1

    @property
    def name(self) -> str:
        """The same for every time."""
        return f"{self.moment} {self.what}"

    def __str__(self) -> str:
        return f"{self.name} (#{self.nth})"


class Trap:
    """Notes the points that this process passes, and kills it at the one that is set."""

    def __init__(self) -> None:
        self.passed: list[Point] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._deadly: Point | None = None
        self._lock = threading.Lock()

    def set(self, deadly: Point | None) -> None:
        """Begin to count anew; at `deadly` the process ends."""
        with self._lock:
            self.passed.clear()
            self._counts.clear()
            self._deadly = deadly

    def reach(self, what: str, moment: str) -> None:
        """The process is here now."""
        with self._lock:
            self._counts[what, moment] += 1
            point = Point(what, moment, self._counts[what, moment])
            if point == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            self.passed.append(point)


class TrappedDatabase(Database):
    """The real database, with a trap before and after each commit that stores anything."""

    def __init__(self, url: str, trap: Trap) -> None:
        super().__init__(url)
        self._trap = trap
        self._here = threading.local()
        event.listen(self.engine, "before_cursor_execute", self._note)

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Connection]:
        with super().transaction(**options) as connection:
            stored: dict[str, bool] = {}
            self._here.stored = stored
            yield connection
            what = f"commit {', '.join(stored)}"
            if stored:
                self._trap.reach(what, BEFORE)
        if stored:
            self._trap.reach(what, AFTER)

    def _note(self, _connection: Connection, _cursor: Any, _text: str, _given: Any, context: Any, _many: bool) -> None:
        if not (context.isinsert or context.isupdate or context.isdelete):
            return
        state = context.compiled_parameters[0].get("state")
        name = str(context.compiled.statement.table.name)
        getattr(self._here, "stored", {})[f"{name}={state}" if state is not None else name] = True


def trap_requests(trap: Trap) -> None:
    """Set traps around every request to Stripe and every mail. Only ever called in a forked child: it changes classes."""
    _surround(trap, stripe.RequestsClient, "request", _request_named)
    _surround(trap, FolderTransport, "send", lambda *_: "send e-mail")


def _surround(trap: Trap, owner: type, method: str, name: Callable[..., str]) -> None:
    real = getattr(owner, method)

    def trapped(self: Any, *given: Any, **options: Any) -> Any:
        what = name(*given)
        trap.reach(what, BEFORE)
        try:
            return real(self, *given, **options)
        finally:
            trap.reach(what, AFTER)

    setattr(owner, method, trapped)


def _request_named(method: str, url: str, *_: Any) -> str:
    return f"send {method.upper()} {_ID.sub('/*', urlsplit(url).path)}"
