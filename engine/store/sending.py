"""Hands statements to the driver, as late as their answers are needed.

SQLite carries each out at once. On PostgreSQL, a statement whose answer nobody has asked for yet waits, and goes out together
with the next one whose answer is needed, or with the commit: the server takes them in one after the other, but is waited for
once (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html). The transaction and its connection stay SQLAlchemy's,
and errors come out as it raises them. A statement of SQLAlchemy's own sends what waits before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InvalidRequestError

_QUEUE = "run_process_queue"
_BEGIN, _COMMIT = "BEGIN", "COMMIT"


class Answer:
    """What a statement will have given back; whoever looks has it sent. The names are those of a driver's cursor."""

    __slots__ = ("_connection", "_count", "_description", "_rows", "_sent", "parameters", "text")

    def __init__(self, connection: Connection, text: str, parameters: Any) -> None:
        self.text = text
        self.parameters = parameters
        self._connection = connection
        self._sent = False
        self._rows: list[Any] = []
        self._description: Any = None
        self._count = -1

    def take(self, cursor: Any) -> None:
        """Keep what the driver's cursor has."""
        self._sent = True
        self._count, self._description = cursor.rowcount, cursor.description
        if self._description is not None:
            self._rows = cursor.fetchall()

    def fetchall(self) -> list[Any]:
        """Every row."""
        self._be_sent()
        return self._rows

    @property
    def rowcount(self) -> int:
        """How many rows it changed or gave."""
        self._be_sent()
        return self._count

    @property
    def description(self) -> Any:
        """The columns of its rows; None where it gives none."""
        self._be_sent()
        return self._description

    def _be_sent(self) -> None:
        if not self._sent:
            flush(self._connection)
        if not self._sent:
            raise InvalidRequestError("the statement was taken back before it was sent")


@dataclass(slots=True)
class _Queue:
    """Of one connection to the database: its cursors, and what hasn't been sent."""

    driver: Any
    together: bool
    waiting: list[Answer] = field(default_factory=list)
    cursors: list[Any] = field(default_factory=list)

    def some(self, number: int) -> list[Any]:
        while len(self.cursors) < number:
            self.cursors.append(self.driver.cursor())
        return self.cursors


def submit(connection: Connection, text: str, parameters: Any = ()) -> Any:
    """Have a statement carried out, at once or with the next one; an answer like a driver's cursor.

    On SQLite it is the cursor, whose answer is read before the next statement.
    """
    queue = _queue(connection)
    if queue.together:
        answer = Answer(connection, text, parameters)
        queue.waiting.append(answer)
        return answer
    [cursor, *_] = queue.some(1)
    try:
        cursor.execute(text, parameters)
    except connection.dialect.loaded_dbapi.Error as error:
        _raise(connection, [text], parameters, error)
    return cursor


def flush(connection: Connection) -> None:
    """Send what waits, and have the answers."""
    queue = _queue(connection)
    waiting, queue.waiting = queue.waiting, []
    if not waiting:
        return
    cursors = queue.some(len(waiting))
    try:
        _send(queue.driver, waiting, cursors)
    except connection.dialect.loaded_dbapi.Error as error:
        _raise(connection, [answer.text for answer in waiting], (), error)
    for answer, cursor in zip(waiting, cursors, strict=False):
        answer.take(cursor)


def _send(driver: Any, waiting: list[Answer], cursors: list[Any]) -> None:
    if len(waiting) == 1:
        cursors[0].execute(waiting[0].text, waiting[0].parameters)
        return
    with driver.pipeline():
        for answer, cursor in zip(waiting, cursors, strict=False):
            cursor.execute(answer.text, answer.parameters)


def begin(connection: Connection) -> None:
    """The transaction begins with its first statement."""
    send(connection, _BEGIN)


def commit(connection: Connection) -> None:
    """Commit together with what waits. Where nothing waits, the driver's own `commit`, which comes next, does it.

    Where it fails, the rest is taken back when the connection is given back.
    """
    waiting = _queue(connection).waiting
    if [answer.text for answer in waiting] == [_BEGIN]:
        waiting.clear()  # nothing was asked for
    elif waiting:
        submit(connection, _COMMIT)
        flush(connection)


def forget(connection: Connection, *_: object) -> None:
    """What waits is never sent: the transaction, or all since a savepoint, is taken back."""
    if not connection.invalidated:
        _queue(connection).waiting.clear()


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """A part of the transaction: where the block raises, or the database refuses what it asked for, it alone is taken back."""
    with connection.begin_nested():
        yield
        flush(connection)  # what is refused as the savepoint is released can't be taken back to it any more


def send(connection: Connection, text: str) -> None:
    """Have a statement without values carried out, as it is."""
    if has_listeners(connection):
        connection.exec_driver_sql(text)
    else:
        submit(connection, text)


def flush_before(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: object) -> tuple[str, Any]:
    """Before a statement of SQLAlchemy's own, which is carried out as it is."""
    flush(connection)
    return statement, parameters


def has_listeners(connection: Connection) -> bool:
    """Whether somebody is to see or change every statement."""
    listeners = connection.engine.dispatch
    return bool(listeners.after_cursor_execute) or any(each is not flush_before for each in listeners.before_cursor_execute)


def _queue(connection: Connection) -> _Queue:
    driver = connection.connection
    queue: _Queue | None = driver.info.get(_QUEUE)
    if queue is None:
        queue = driver.info[_QUEUE] = _Queue(driver.dbapi_connection, together=connection.dialect.name == "postgresql")
    return queue


def _raise(connection: Connection, texts: list[str], parameters: Any, error: Exception) -> NoReturn:
    """Raise what SQLAlchemy makes of a driver's error. With one lost connection, the idle ones are taken to be lost too.

    Where the connection was lost at a commit, which may have been carried out, the error names no statement.
    """
    dialect = connection.dialect
    driver: Any = dialect.loaded_dbapi.Error
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)  # type: ignore[arg-type] # a driver's error
    text = None if lost and _COMMIT in texts else "; ".join(texts)
    raised = DBAPIError.instance(text, parameters, error, driver, connection_invalidated=lost, dialect=dialect)
    if lost:
        connection.invalidate(error)
        connection.engine.dispose()
    raise raised from error
