"""Connections to PostgreSQL whose planned write fails; see `failing_database`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

from tests.doubles.failing_database import BEGIN, COMMIT, COUNTED, Failure, Faults, kind_of

_RAISED = {
    Failure.DISK_FULL: (errors.DiskFull, "No space left on device"),
    Failure.IO_ERROR: (errors.IoError, "Input/output error"),
}


def connect_postgresql(faults: Faults, args: Any, options: Any) -> Any:
    """A connection of psycopg's. BEGIN is a statement, and COMMIT may be one that is sent with others."""
    made = _Connection.connect(*args, **options)
    made.cursor_factory = _Cursor
    made.faults = faults
    made.address = options | ({"conninfo": args[0]} if args else {})
    return made


class _Connection(psycopg.Connection[Any]):
    faults: Faults
    address: dict[str, Any]
    writing = False

    def before(self, statement: object) -> None:
        kind = kind_of(statement)
        if kind == BEGIN:
            self.faults.begins()
            self.writing = False
            if self.faults.is_due(BEGIN):
                self.fail()
        elif kind in COUNTED:
            self.writing = True
            if self.faults.is_due(kind):
                self.fail()

    def fail(self) -> None:
        """What the next statement runs into by itself, or what is raised now."""
        if self.faults.failure not in _RAISED:
            _end_server_process(self.address, self.info.backend_pid)
            return
        with suppress(psycopg.Error):
            psycopg.Cursor(self).execute("ROLLBACK TO SAVEPOINT none_of_ours")  # now the transaction has failed
        error, text = _RAISED[self.faults.failure]
        raise error(text)

    def commit(self) -> None:
        if self.info.transaction_status is not TransactionStatus.IDLE:  # it was committed with the last statements
            self.before_commit(super().commit)
        super().commit()

    def before_commit(self, carry_out: Callable[[], object]) -> None:
        if self.writing and self.faults.is_due(COMMIT):
            if self.faults.failure is Failure.UNHEARD:
                carry_out()
                self.close()
                raise psycopg.OperationalError("server closed the connection unexpectedly")
            self.fail()


class _Cursor(psycopg.Cursor[Any]):
    connection: _Connection

    def execute(self, query: Any, *given: Any, **more: Any) -> Any:
        if kind_of(query) == COMMIT:
            self.connection.before_commit(lambda: self._commit(query))
        else:
            self.connection.before(query)
        return super().execute(query, *given, **more)

    def executemany(self, query: Any, *given: Any, **more: Any) -> None:
        self.connection.before(query)
        super().executemany(query, *given, **more)

    def _commit(self, query: Any) -> None:
        with self.connection.pipeline() as pipeline:
            super().execute(query)
            pipeline.sync()


def _end_server_process(address: dict[str, Any], process: int) -> None:
    with psycopg.connect(**address, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [process])
        while other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [process]).fetchone():
            time.sleep(0.001)
