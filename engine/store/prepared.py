"""Statements that are put together once: written with SQLAlchemy for every database alike, then handed straight to the driver.

What SQLAlchemy does around a statement at each execution takes many times longer than SQLite takes to carry it out. Here that is
done once for each kind of database: its text, the order of its parameters, and what converts values on the way in and out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update, bindparam
from sqlalchemy.sql.compiler import SQLCompiler

from engine.store.sending import Answer, has_listeners, submit

Convert: TypeAlias = Callable[[Any], Any]
Values: TypeAlias = Mapping[str, Any]
Statement: TypeAlias = Select[Any] | Insert | Update | Delete
_NONE: Values = {}
_MOST_ROWS = 8


class Prepared:
    """One statement, for as many threads as like.

    In one that changes rows, a value named like a column sets it; the others are its `bindparam`s. A list in the place of one
    value (`IN`) has to be part of the statement. What a statement gives back are plain lists, one for each row.
    """

    def __init__(self, statement: Statement) -> None:
        self._statement = statement.execution_options(preserve_rowcount=True)
        self._texts: dict[tuple[str, ...], _Text] = {}
        self._several: dict[int, Prepared] = {}

    def ask(self, connection: Connection, values: Values = _NONE) -> Callable[[], list[list[Any]]]:
        """What gives every row. Until it is called, the statement may wait for others to be sent with; not beyond the commit."""
        if _is_watched(connection):
            found = [list(row) for row in connection.execute(self._statement, values)]
            return lambda: found
        text, dialect = self._text(connection.dialect, values), connection.dialect
        answer = text.execute(connection, values)
        if isinstance(answer, Answer):
            return lambda: text.rows(answer, dialect)
        rows = text.rows(answer, dialect)
        return lambda: rows

    def all(self, connection: Connection, values: Values = _NONE) -> list[list[Any]]:
        """Every row."""
        return self.ask(connection, values)()

    def first(self, connection: Connection, values: Values = _NONE) -> list[Any] | None:
        """The first row of few; None where there is none."""
        return next(iter(self.all(connection, values)), None)

    def scalar(self, connection: Connection, values: Values = _NONE) -> Any:
        """The first column of the first row; None where there is none."""
        row = self.first(connection, values)
        return None if row is None else row[0]

    def change(self, connection: Connection, values: Values = _NONE) -> int:
        """How many rows it changed."""
        if _is_watched(connection):
            return connection.execute(self._statement, values).rowcount
        return int(self._text(connection.dialect, values).execute(connection, values).rowcount)

    def post(self, connection: Connection, values: Values) -> None:
        """Change rows, no matter how many. It may wait for others to be sent with; not beyond the commit."""
        if _is_watched(connection):
            connection.execute(self._statement, values)
        else:
            self._text(connection.dialect, values).execute(connection, values)

    def insert(self, connection: Connection, values: Values) -> int:
        """The number that the new row was given."""
        if _is_watched(connection):
            key = connection.execute(self._statement, values).inserted_primary_key
            assert key is not None
            return int(key[0])
        cursor = self._text(connection.dialect, values).execute(connection, values)
        return int(cursor.fetchall()[0][0] if cursor.description else cursor.lastrowid)

    def insert_each(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Rows with the same columns, several in one statement: drivers take their time over a batch. Sent as in `post`."""
        for start in range(0, len(rows), _MOST_ROWS):
            some = rows[start : start + _MOST_ROWS]
            if len(some) == 1:
                self.post(connection, some[0])
            else:
                given = {f"{name}_{n}": value for n, row in enumerate(some) for name, value in row.items()}
                self._rows_of(some).post(connection, given)

    def _rows_of(self, rows: Sequence[Values]) -> Prepared:
        several = self._several.get(len(rows))
        if several is None:
            assert isinstance(self._statement, Insert)
            kinds = {column.name: column.type for column in self._statement.table.columns}
            bound = [{name: bindparam(f"{name}_{n}", type_=kinds[name]) for name in row} for n, row in enumerate(rows)]
            several = self._several[len(rows)] = Prepared(self._statement.values(bound))
        return several

    def _text(self, dialect: Dialect, values: Values) -> _Text:
        key = (dialect.name, dialect.driver, *values)
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = _compiled(self._statement, dialect, values)
        return text


def _is_watched(connection: Connection) -> bool:
    """Whether a statement is SQLAlchemy's to carry out: it begins the transaction, or somebody listens."""
    return not connection.in_transaction() or has_listeners(connection)


@dataclass(slots=True)
class _Text:
    """A statement as one kind of database takes it. `given`: the names of the values, each with what converts it."""

    text: str
    positional: bool
    given: list[tuple[str, Convert | None]]
    fixed: Values
    statement: Statement
    converts: list[tuple[int, Convert]] | None = None

    def execute(self, connection: Connection, values: Values) -> Any:
        """The driver's cursor, or what will be like it."""
        if self.fixed:
            values = {**self.fixed, **values}
        if self.positional:
            return submit(connection, self.text, [c(values[n]) if c is not None else values[n] for n, c in self.given])
        return submit(connection, self.text, {n: c(values[n]) if c is not None else values[n] for n, c in self.given})

    def rows(self, cursor: Any, dialect: Dialect) -> list[list[Any]]:
        """What the cursor gives back, converted."""
        found = [list(row) for row in cursor.fetchall()]
        if self.converts is None:  # a driver's own types are known with the first answer
            self.converts = _converts(self.statement, cursor.description, dialect)
        for row in found:
            for position, convert in self.converts:
                row[position] = convert(row[position])
        return found


def _compiled(statement: Statement, dialect: Dialect, values: Values) -> _Text:
    compiled = statement.compile(dialect=dialect, column_keys=list(values))
    assert isinstance(compiled, SQLCompiler)
    state = compiled.construct_expanded_state(values)
    names = list(state.parameters if state.positiontup is None else state.positiontup)
    kinds = {name: bound.type.dialect_impl(dialect) for name, bound in compiled.binds.items()}
    converts = {**state.processors, **{name: kind.bind_processor(dialect) for name, kind in kinds.items()}}
    return _Text(
        text=state.statement,
        positional=state.positiontup is not None,
        given=[(name, converts.get(name)) for name in names],
        fixed={name: state.parameters[name] for name in names if name not in values},
        statement=statement,
    )


def _converts(statement: Statement, description: Any, dialect: Dialect) -> list[tuple[int, Convert]]:
    # Only asked of a statement that gives rows: SQLAlchemy keeps the answer in it, and takes it over to what is derived from it.
    found = enumerate(zip(statement.exported_columns, description, strict=True))
    made = [(n, column.type.dialect_impl(dialect).result_processor(dialect, told[1])) for n, (column, told) in found]
    return [(position, convert) for position, convert in made if convert is not None]
