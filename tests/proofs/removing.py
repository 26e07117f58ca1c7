"""Take a guard away for a while: a condition in a statement, a key in the database, or a check in the program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from unittest.mock import patch

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable, PrimaryKeyConstraint, UniqueConstraint

from engine.store.tables import metadata


class Removal(Protocol):
    """How one guard is taken away, in the whole program or in the database at `url`."""

    def __call__(self, url: str) -> Any:
        """A context in which the guard is gone. Leaving it fails where what was taken away had never been there to be used."""
        ...


@dataclass(frozen=True)
class Rewritten:
    """Statements that begin with one of `statements` are sent with `replacement` for `pattern`, a regular expression."""

    statements: tuple[str, ...]
    pattern: str
    replacement: str = ""

    @contextmanager
    def __call__(self, url: str) -> Iterator[None]:
        changed = 0

        def rewrite(_connection: Any, _cursor: Any, sent: str, parameters: Any, *_: Any) -> tuple[str, Any]:
            nonlocal changed
            if not sent.startswith(self.statements):
                return sent, parameters
            sent, times = re.subn(self.pattern, self.replacement, sent)
            changed += times
            return sent, parameters

        event.listen(Engine, "before_cursor_execute", rewrite, retval=True)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", rewrite)
        assert changed, f"no statement {self.statements} had {self.pattern!r} in it"


@dataclass(frozen=True)
class Patched:
    """`name` of a module or class is something else. It need not be called: a key that isn't made isn't."""

    place: Any
    name: str
    instead: Any

    @contextmanager
    def __call__(self, url: str) -> Iterator[None]:
        with patch.object(self.place, self.name, self.instead):
            yield


class Without:
    """A module as another one sees it, with one of its functions doing nothing."""

    def __init__(self, module: Any, **instead: Any) -> None:
        self.__dict__.update(vars(module) | instead)


@dataclass(frozen=True)
class Dropped:
    """A table has no key of these columns; their values may come twice."""

    table: str
    columns: tuple[str, ...]

    @contextmanager
    def __call__(self, url: str) -> Iterator[None]:
        engine = create_engine(url, poolclass=NullPool)
        if engine.dialect.name == "sqlite":
            self._rebuild(engine)
            yield
            return
        _run(engine, f"ALTER TABLE {self.table} DROP CONSTRAINT {self._key().name} CASCADE")
        try:
            yield
        finally:  # the server's database is used again
            _run(engine, f"TRUNCATE {', '.join(metadata.tables)} CASCADE", self._restore(), *self._restore_references())

    def _key(self) -> UniqueConstraint | PrimaryKeyConstraint:
        keys = metadata.tables[self.table].constraints
        [key] = [k for k in keys if isinstance(k, UniqueConstraint | PrimaryKeyConstraint) and self._is_it(k)]
        return key

    def _is_it(self, key: UniqueConstraint | PrimaryKeyConstraint) -> bool:
        return tuple(column.name for column in key.columns) == self.columns

    def _restore(self) -> str:
        kind = "PRIMARY KEY" if isinstance(self._key(), PrimaryKeyConstraint) else "UNIQUE"
        return f"ALTER TABLE {self.table} ADD CONSTRAINT {self._key().name} {kind} ({', '.join(self.columns)})"

    def _restore_references(self) -> Iterator[str]:
        """The foreign keys that rest on the key, and went with it."""
        for table in metadata.tables.values():
            for key in table.foreign_key_constraints:
                referred = tuple(element.column.name for element in key.elements)
                if (key.referred_table.name, referred) == (self.table, self.columns):
                    own = ", ".join(column.name for column in key.columns)
                    to = f"{self.table} ({', '.join(referred)})"
                    yield f"ALTER TABLE {table.name} ADD CONSTRAINT {key.name} FOREIGN KEY ({own}) REFERENCES {to}"

    def _rebuild(self, engine: Engine) -> None:
        """SQLite can't drop a key, so the empty table is made anew without it."""
        key = rf",\s*CONSTRAINT {self._key().name} (PRIMARY KEY|UNIQUE) \([^)]*\)"
        created, found = re.subn(key, "", str(CreateTable(metadata.tables[self.table]).compile(engine)))
        assert found == 1, created
        indexes = _indexes(engine, self.table)
        _run(engine, f"DROP TABLE {self.table}", created, *indexes)


def _indexes(engine: Engine, table: str) -> list[str]:
    with engine.connect() as connection:
        query = text("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :name AND sql IS NOT NULL")
        return list(connection.execute(query, {"name": table}).scalars())


def _run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
