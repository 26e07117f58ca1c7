"""A database whose nth write fails: the real driver's connections, counted, with one failure planned.

What is raised is what the driver raises, and what it leaves behind is left behind: SQLite takes a transaction back by itself when
the disk is full, PostgreSQL does nothing more in a transaction that has failed, and a lost connection's server process is ended
from a second connection.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import event

from engine.store.database import Database

COMMIT, BEGIN = "COMMIT", "BEGIN"
COUNTED = (BEGIN, "INSERT", "UPDATE", "DELETE", "SAVEPOINT", "RELEASE")


class Failure(StrEnum):
    """How a write fails."""

    DISK_FULL = "disk full"
    IO_ERROR = "I/O error"
    CONNECTION_LOST = "connection lost"
    UNHEARD = "committed, and the answer lost"


@dataclass
class Faults:
    """Counts the writes of the databases it is attached to, in the order they are made, and makes the planned one fail, once.

    `afterwards` is called when the next transaction begins: what is committed then is what the failure has left. `failed` is
    the kind of the write that failed, None as long as none has.
    """

    afterwards: Callable[[], None] = lambda: None
    nth: int = 0
    failure: Failure = Failure.IO_ERROR
    only: str | None = None
    counts: Counter[str] = field(default_factory=Counter)
    failed: str | None = None
    _left: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, nth: int, failure: Failure, only: str | None = None) -> None:
        """Count anew; write `nth` fails with `failure`, or with `only` the nth write of that kind. 0: none."""
        self.nth, self.failure, self.only = nth, failure, only
        self.counts, self.failed, self._left = Counter(), None, False

    def attach(self, database: Database) -> Database:
        """From now on the database's writes are counted."""
        database.engine.dispose()
        if database.engine.dialect.name == "sqlite":
            connect = connect_sqlite
        else:
            from tests.doubles.failing_postgresql import connect_postgresql as connect  # its driver need not be installed
        event.listen(database.engine, "do_connect", lambda _dialect, _record, args, options: connect(self, args, options))
        return database

    def is_due(self, kind: str) -> bool:
        """Count a write; whether it is the one that fails."""
        with self._lock:
            self.counts[kind] += 1
            wanted = self.only in (None, kind)
            made = self.counts[self.only] if self.only else self.counts.total()
            due = wanted and made == self.nth and self.failed is None
            if due:
                self.failed, self._left = kind, True
            return due

    def begins(self) -> None:
        """A transaction begins."""
        with self._lock:
            look, self._left = self._left, False
        if look:
            self.afterwards()


def kind_of(statement: object) -> str:
    """The statement's first word."""
    text = statement if isinstance(statement, str) else str(statement)
    return text.lstrip().partition(" ")[0].upper()


# --- SQLite ---------------------------------------------------------------------------------------------------------


def connect_sqlite(faults: Faults, args: Any, options: Any) -> Any:
    """A connection of Python's own driver."""
    make: Any = partial(_SqliteConnection, faults)  # any function that makes a connection will do
    return sqlite3.connect(*args, **options, factory=make)


_SAYS = {Failure.DISK_FULL: "database or disk is full", Failure.CONNECTION_LOST: "unable to open database file"}


def _sqlite_error(failure: Failure) -> sqlite3.OperationalError:
    return sqlite3.OperationalError(_SAYS.get(failure, "disk I/O error"))


class _SqliteConnection(sqlite3.Connection):
    def __init__(self, faults: Faults, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.faults = faults
        self.writing = False

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _SqliteCursor)

    def before(self, statement: str) -> None:
        kind = kind_of(statement)
        if kind == BEGIN:
            self.faults.begins()
            self.writing = "IMMEDIATE" in statement
        if kind in COUNTED and self.writing and self.faults.is_due(kind):
            if self.faults.failure is Failure.DISK_FULL:
                super().rollback()
            raise _sqlite_error(self.faults.failure)

    def commit(self) -> None:
        if not (self.writing and self.in_transaction and self.faults.is_due(COMMIT)):
            super().commit()
            return
        if self.faults.failure is Failure.UNHEARD:
            super().commit()
        if self.faults.failure is Failure.DISK_FULL:
            super().rollback()
        raise _sqlite_error(self.faults.failure)


class _SqliteCursor(sqlite3.Cursor):
    connection: _SqliteConnection

    def execute(self, statement: str, parameters: Any = (), /) -> _SqliteCursor:
        self.connection.before(statement)
        return super().execute(statement, parameters)

    def executemany(self, statement: str, parameters: Any, /) -> _SqliteCursor:
        self.connection.before(statement)
        return super().executemany(statement, parameters)
