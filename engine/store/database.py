"""The database: where it is, its transactions, and its schema's version.

SQLite runs with a write-ahead log and every commit synced to disk; a write transaction takes the write lock when it
begins, so that what it read cannot have changed when it writes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InternalError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from engine.errors import ConfigurationInvalid, StateUnknown
from engine.store import sending
from engine.store.sending import send

SCHEMA = "0006"
"""The newest migration this program knows."""

_BUSY_MILLISECONDS = 30_000
_IDLE_SECONDS = 10.0
"""PostgreSQL takes a transaction back in which nothing is asked for so long. Ours take milliseconds, so its process stands still
and keeps everybody else from what it has locked."""
_MOST_CONNECTIONS = 20


class Database:
    """One database, open. Thread-safe: each transaction has a connection of its own."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        """Opens `url` (SQLAlchemy's form) and brings an older schema up to date.

        Without `create`, a SQLite file must exist: a mistyped name makes no new one. Raises ConfigurationInvalid when it
        cannot be opened, StateUnknown when its schema is newer than this program.
        """
        self.engine = _create_engine(url, create=create)
        self._sqlite = self.engine.dialect.name == "sqlite"
        # SQLite lets one writer in; waiting here is fair and wakes at once, its own busy handler polls.
        self._writer = threading.Lock() if self._sqlite else nullcontext()
        self._bring_up_to_date()

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that may write: committed at the end, rolled back when the block raises.

        One that isn't `durable` doesn't wait for the disk: a crash of the database's machine may undo it.
        """
        with self._writer, self._connect(write=True, durable=durable) as connection, connection.begin():
            if not durable and not self._sqlite:
                send(connection, "SET LOCAL synchronous_commit = off")
            yield connection

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """A transaction for reading. With `snapshot`, all that is read is as it was at one moment; on SQLite it always is."""
        with self._connect(write=False) as connection, connection.begin():
            if snapshot and not self._sqlite:
                send(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @contextmanager
    def _connect(self, *, write: bool, durable: bool = True) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection.execution_options(run_process_write=write, run_process_durable=durable)

    def close(self) -> None:
        """Give its connections back."""
        self.engine.dispose()

    def _bring_up_to_date(self) -> None:
        found = self._schema()
        if found == SCHEMA:
            return
        if found is not None and found > SCHEMA:
            raise StateUnknown(
                f"Expected a database schema up to {SCHEMA}, but {_shown(self.engine.url)} has {found}. "
                "Do: use the run-process version that wrote it, or a newer one."
            )
        from engine.store.migrate import upgrade  # imports Alembic, which most starts don't need

        try:
            with self._writer:
                upgrade(self.engine)
        except DBAPIError as error:
            raise self._unusable(error) from error

    def _schema(self) -> str | None:
        try:
            with self.reading() as connection:
                if not self.engine.dialect.has_table(connection, "alembic_version"):
                    self._refuse_foreign(connection)
                    return None
                return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        except DBAPIError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: DBAPIError) -> ConfigurationInvalid:
        why = "" if _is_torn(self.engine.url) else f" ({_reason(error)})"
        return ConfigurationInvalid(
            f"Expected a database of run-process at {_shown(self.engine.url)}, but it can't be used{why}. "
            "Do: check --database or RUN_PROCESS_DATABASE."
        )

    def _refuse_foreign(self, connection: Connection) -> None:
        """What another program stores gets no tables of ours."""
        tables = self.engine.dialect.get_table_names(connection)
        if tables:
            raise ConfigurationInvalid(
                f"Expected a database of run-process or an empty one at {_shown(self.engine.url)}, but it holds "
                f"something else (a table {tables[0]}). Do: check --database or RUN_PROCESS_DATABASE."
            )


def may_pass(error: BaseException) -> bool:
    """Whether a failure of the database may be over at the next try (no connection, a full disk, a deadlock), rather than be
    about what was to be stored.
    """
    return isinstance(error, OperationalError | InterfaceError | InternalError | PoolTimeoutError)


def _shown(url: URL) -> str:
    if _is_torn(url):
        return f"{url.drivername}://... (in a password, write @ : / # as %40 %3A %2F %23)"
    return url.render_as_string()


def _is_torn(url: URL) -> bool:
    """Whether signs in a password have torn it apart: then parts of it stand where a host or a database should."""
    return url.get_backend_name() != "sqlite" and any(sign in f"{url.username}{url.host}{url.database}" for sign in "@#")


def _reason(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__


def _create_engine(url: str, *, create: bool) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError
        options: dict[str, Any] = {"poolclass": QueuePool} if parsed.get_backend_name() == "sqlite" else {}
        # Transactions are short, so many threads share few connections; the one used last has its statements prepared.
        engine = create_engine(parsed, pool_size=_MOST_CONNECTIONS, max_overflow=0, pool_use_lifo=True, **options)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        raise ConfigurationInvalid(
            "Expected a database URL like sqlite:///run-process.db or postgresql+psycopg://host/name, but it isn't one. "
            "Do: check --database or RUN_PROCESS_DATABASE."
        ) from error
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed.database, create=create)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        logging.getLogger("psycopg").setLevel(logging.ERROR)  # what it warns of when a connection is lost is raised as well
        event.listen(engine, "connect", _set_up_postgresql)
        event.listen(engine, "begin", sending.begin)
        event.listen(engine, "commit", sending.commit)
        event.listen(engine, "rollback", sending.forget)
        event.listen(engine, "rollback_savepoint", sending.forget)
        event.listen(engine, "before_cursor_execute", sending.flush_before, retval=True)
    return engine


def _check_file(name: str | None, *, create: bool) -> None:
    if name in (None, "", ":memory:"):
        raise ConfigurationInvalid(
            "Expected a database that lasts, but one in memory is gone when the command ends. Do: name a file with --database."
        )
    if not create and not Path(name or "").is_file():
        raise ConfigurationInvalid(
            f"Expected a database at {name}, but there is none. "
            "Do: run-process deploy FILE.bpmn makes it; or name another with --database."
        )


def _set_up_postgresql(connection: Any, _record: Any) -> None:
    """Whoever stands still in a transaction, or has died while waiting for a lock, is in nobody's way for long."""
    connection.autocommit = True  # we say BEGIN ourselves, together with the first statement
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = {int(_IDLE_SECONDS * 1000)}")
        # not on every system that PostgreSQL runs on
        cursor.execute(
            "DO $$ BEGIN PERFORM set_config('client_connection_check_interval', '1s', false); "
            "EXCEPTION WHEN invalid_parameter_value THEN NULL; END $$"
        )


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {_BUSY_MILLISECONDS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    _sync_sqlite(connection, "FULL" if options.get("run_process_durable", True) else "NORMAL")
    send(connection, "BEGIN IMMEDIATE" if options.get("run_process_write", True) else "BEGIN")


def _sync_sqlite(connection: Connection, level: str) -> None:
    """Whether commits wait for the disk. It is settled as each transaction begins, so that none inherits another's."""
    if connection.info.get("synchronous", "FULL") != level:
        send(connection, f"PRAGMA synchronous = {level}")
        connection.info["synchronous"] = level
