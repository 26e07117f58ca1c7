"""Calls: one visit of one call activity, and the instance that it has called.

A call belongs to the calling instance: whoever changes one has locked that; but that the called instance has ended is noted by
its own last step, which has locked the called one alone. Lock order: the calling instance before the called one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from engine.errors import TaskNotOpen
from engine.model.identifiers import Kind, unknown
from engine.store.prepared import Prepared
from engine.store.tables import calls, instances

ACTIVE, ENDED, RETURNED, WITHDRAWN, FAILED = "active", "ended", "returned", "withdrawn", "failed"
"""The called instance is at work; it has ended, and its caller is to be told; it was told; it has gone on without; a person is
needed.
"""
OPEN = (ACTIVE, ENDED, FAILED)

# What every look of a worker asks, built once; see the package.
_LOCK_DUE = Prepared(
    select(calls)
    .join(instances, instances.c.id == calls.c.instance_id)
    .where(calls.c.state == ENDED, calls.c.run_at <= bindparam("now"))
    .order_by(calls.c.run_at, calls.c.id)
    .limit(1)
    .with_for_update(of=instances, skip_locked=True, key_share=True)
)


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call. `called` is the instance that was called, `depth` in how many calls it is. `error` is the code of the error that
    it ended by. `attempts` counts how often the caller was told.
    """

    id: int
    instance: int
    token: int
    flow_node: str
    called: int
    depth: int
    state: str
    error: str | None
    attempts: int
    run_at: datetime
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call about to be stored, with the instance that it calls."""

    instance: int
    token: int
    flow_node: str
    depth: int


def add(connection: Connection, new: NewCall, called: int, at: datetime) -> None:
    """Store a call together with the instance that it has called."""
    of = {"instance_id": new.instance, "token": new.token, "flow_node": new.flow_node, "depth": new.depth}
    values = {**of, "called_id": called, "state": ACTIVE, "attempts": 0, "run_at": at, "created_at": at}
    connection.execute(insert(calls).values(**values))


def get(connection: Connection, number: int) -> CallRow:
    """One call. Raises NotFound."""
    row = connection.execute(select(calls).where(calls.c.id == number)).first()
    if row is None:
        raise unknown(Kind.CALL, number)
    return CallRow(*row)


def lock_due(connection: Connection, now: datetime) -> CallRow | None:
    """The call whose caller waits longest to be told, the caller kept from others until this transaction ends. Callers that
    somebody else is changing are passed over. It has to be read again: it may have been withdrawn while its caller was locked.
    """
    row = _LOCK_DUE.first(connection, {"now": now})
    return CallRow(*row) if row else None


def calling(connection: Connection, called: int) -> CallRow | None:
    """The call that an instance was called by; None where it stands by itself."""
    row = connection.execute(select(calls).where(calls.c.called_id == called)).first()
    return CallRow(*row) if row else None


def callers(connection: Connection, numbers: Iterable[int]) -> dict[int, int]:
    """Instance -> the one that called it, for many at once."""
    query = select(calls.c.called_id, calls.c.instance_id).where(calls.c.called_id.in_(list(numbers)))
    return {row.called_id: row.instance_id for row in connection.execute(query)}


def at_token(connection: Connection, instance: int, token: int) -> CallRow:
    """The open call that a token waits for. Raises TaskNotOpen where there is none."""
    where = (calls.c.instance_id == instance, calls.c.token == token, calls.c.state.in_(OPEN))
    row = connection.execute(select(calls).where(*where)).first()
    if row is None:
        raise TaskNotOpen("Expected the call to be open, but its instance has gone on. Do: nothing; it returns once.")
    return CallRow(*row)


def open_in(connection: Connection, instance: int) -> list[CallRow]:
    """The open calls of an instance, oldest first."""
    return _listed(connection, select(calls).where(calls.c.instance_id == instance, calls.c.state.in_(OPEN)))


def of_instance(connection: Connection, instance: int) -> list[CallRow]:
    """Every call of an instance, oldest first."""
    return _listed(connection, select(calls).where(calls.c.instance_id == instance))


def _listed(connection: Connection, query: Select[Any]) -> list[CallRow]:
    return [CallRow(*row) for row in connection.execute(query.order_by(calls.c.id))]


# --- what becomes of one --------------------------------------------------------------------------------------------


def note_error(connection: Connection, called: int, code: str) -> None:
    """The called instance ends by this error."""
    connection.execute(update(calls).where(calls.c.called_id == called).values(error=code))


def end(connection: Connection, called: int, at: datetime) -> None:
    """The called instance has ended; its caller is to be told, if it still waits."""
    where = (calls.c.called_id == called, calls.c.state == ACTIVE)
    connection.execute(update(calls).where(*where).values(state=ENDED, run_at=at))


def close(connection: Connection, number: int, state: str, at: datetime) -> None:
    """The caller was told, or has gone on without."""
    _become(connection, number, {"state": state, "ended_at": at, "attempts": calls.c.attempts + int(state == RETURNED)})


def postpone(connection: Connection, number: int, run_at: datetime) -> None:
    """The caller is to be told later, or again."""
    _become(connection, number, {"state": ENDED, "run_at": run_at})


def fail(connection: Connection, number: int) -> None:
    """The caller can't go on with it; a person is needed."""
    _become(connection, number, {"state": FAILED, "attempts": calls.c.attempts + 1})


def _become(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(calls).where(calls.c.id == number).values(**values))


def count_waiting(connection: Connection) -> int:
    """How many callers are to be told."""
    return int(connection.execute(select(func.count()).select_from(calls).where(calls.c.state == ENDED)).scalar_one())
