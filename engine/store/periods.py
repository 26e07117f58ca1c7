"""Closed periods: what keeps everything out that would change one, and the record of each closing and reopening."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from engine.store.prepared import Prepared
from engine.store.tables import closings, periods

CLOSED, REOPENED = "closed", "reopened"

_SEED = 7_275_630  # any number: the locks of periods among all locks that somebody may take in this database
_KEY = func.hashtextextended(bindparam("key"), _SEED)
# What every start asks, built once; see the package.
_SHARE = Prepared(select(func.pg_advisory_xact_lock_shared(_KEY)))
_STATE = Prepared(select(periods.c.state).where(periods.c.process == bindparam("process"), periods.c.period == bindparam("of")))


@dataclass(frozen=True, slots=True)
class ClosingRow:
    """One closing or reopening. `totals` is what was recorded then, amounts in minor units; `digest` that of the rows."""

    process: str
    period: str
    number: int
    event: str
    at: datetime
    by: str
    reason: str | None
    totals: Mapping[str, Any] | None
    digest: str | None


def ask_closed(connection: Connection, process: str, period: str) -> Callable[[], bool]:
    """Keep a period from being closed until this transaction ends, with the statements that follow. What is given tells whether
    it is closed already.

    Who starts something in a period shares its lock with others who do; who closes it has it alone (`lock`). SQLite
    lets one write at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        _SHARE.post(connection, {"key": f"{process}|{period}"})
    state = _STATE.ask(connection, {"process": process, "of": period})
    return lambda: any(row[0] == CLOSED for row in state())


def lock(connection: Connection, process: str, period: str) -> None:
    """Wait for everybody who is starting something in a period, and keep others from it until this transaction ends."""
    if connection.dialect.name == "postgresql":
        key = func.hashtextextended(f"{process}|{period}", _SEED)
        connection.execute(select(func.pg_advisory_xact_lock(key)))


def is_closed(connection: Connection, process: str, period: str) -> bool:
    """Whether a period is closed."""
    return bool(_STATE.scalar(connection, {"process": process, "of": period}) == CLOSED)


def closed_from(connection: Connection, process: str, period: str) -> str | None:
    """The first closed period from this one on."""
    where = (periods.c.process == process, periods.c.period >= period, periods.c.state == CLOSED)
    found: str | None = connection.execute(select(func.min(periods.c.period)).where(*where)).scalar()
    return found


def record(connection: Connection, row: ClosingRow) -> None:
    """Close or reopen a period, which the caller has locked."""
    which = (periods.c.process == row.process, periods.c.period == row.period)
    values = {"state": row.event, "number": row.number}
    if connection.execute(update(periods).where(*which).values(**values)).rowcount == 0:
        connection.execute(insert(periods).values(process=row.process, period=row.period, **values))
    connection.execute(insert(closings).values(**{name: getattr(row, name) for name in ClosingRow.__slots__}))


def newest(connection: Connection, process: str, period: str) -> ClosingRow | None:
    """What was last decided about a period; None where it was never closed."""
    where = (closings.c.process == process, closings.c.period == period)
    row = connection.execute(select(closings).where(*where).order_by(closings.c.number.desc()).limit(1)).first()
    return ClosingRow(*row) if row else None


def listing(connection: Connection, process: str) -> list[ClosingRow]:
    """Every closing and reopening of a process's periods, by period and in order."""
    query = select(closings).where(closings.c.process == process)
    return [ClosingRow(*row) for row in connection.execute(query.order_by(closings.c.period, closings.c.number))]
