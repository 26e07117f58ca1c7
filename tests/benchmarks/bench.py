"""What every benchmark is handed, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from engine.clock import SystemClock
from engine.connector import Connectors
from engine.services.runtime import Runtime
from engine.store.database import Database
from tests.benchmarks.meters import Server
from tests.builders.postgresql import PostgreSql


class Size(Enum):
    """How much is done: what the README quotes, a look of a minute or two, or just enough to see that it runs."""

    FULL = "full"
    QUICK = "quick"
    TINY = "tiny"


@dataclass(frozen=True)
class Table:
    """A table of figures under a title, with notes below."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default=())

    def text(self) -> str:
        widths = [max(len(row[i]) for row in (self.columns, *self.rows)) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
            for row in (self.columns, *self.rows)
        ]
        return "\n".join([self.title, *(line.rstrip() for line in lines), *self.notes])


@dataclass(frozen=True)
class Place:
    """A fresh database of one kind, with the server behind it."""

    name: str
    url: str
    server: Server | None

    @contextmanager
    def runtime(self, connectors: Connectors, **parts: Any) -> Iterator[Runtime]:
        """The engine on it, by the machine's clock."""
        database = Database(self.url)
        try:
            yield Runtime(**({"database": database, "clock": SystemClock(), "connectors": connectors} | parts))
        finally:
            database.close()


@dataclass
class Bench:
    """One run. `say` tells of progress; `postgresql` is a server, or why there is none."""

    size: Size
    folder: Path
    postgresql: PostgreSql | str
    say: Callable[[str], None]
    _files: int = 0
    _made: list[str] = field(default_factory=list)

    def sqlite(self) -> Place:
        """A new SQLite file."""
        self._files += 1
        return Place("SQLite", f"sqlite:///{self.folder / f'{self._files}.db'}", None)

    def server(self) -> Place | None:
        """A new database on the PostgreSQL server; None without a server."""
        if isinstance(self.postgresql, str):
            return None
        self._made.append(f"run_process_benchmark_{len(self._made)}")
        self._run(f"DROP DATABASE IF EXISTS {self._made[-1]}", f"CREATE DATABASE {self._made[-1]}")
        url = make_url(self.postgresql.url).set(database=self._made[-1]).render_as_string(hide_password=False)
        return Place("PostgreSQL", url, Server(url))

    def places(self) -> list[Place]:
        """A new database of each kind that there is."""
        return [place for place in (self.sqlite(), self.server()) if place is not None]

    def close(self) -> None:
        """Leave nothing on the server."""
        self._run(*(f"DROP DATABASE IF EXISTS {name}" for name in self._made))

    def _run(self, *statements: str) -> None:
        assert isinstance(self.postgresql, PostgreSql) or not statements
        for statement in statements:
            engine = create_engine(self.postgresql.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")  # type: ignore[union-attr]
            with engine.connect() as connection:
                connection.execute(text(statement))
