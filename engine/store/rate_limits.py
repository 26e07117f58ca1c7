"""Rate limits: permits for requests to a service, shared by all who work on one database.

A service that takes n requests in a second has n permits, one row each, and each row says from when on its permit may be used
again: so much later than it was used last as no window of time can hold two uses. Whoever takes permits holds them until they
come back with the time of their use; one that doesn't come back is free when its time to be used, and what follows it, is over.
One more row says how far the time is spoken for, so that permits that were free for long are not used all at once.

All of it goes by the database's own clock, and by real time: what a machine's clock says, or a clock that a test turns, doesn't
matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, case, cast, extract, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from engine.store.tables import rate_limits

_FARTHEST = 60_000_000
"""No permit is taken farther ahead; if one seems to be, the database's clock was put back, and it is free."""


@dataclass(frozen=True, slots=True)
class Permits:
    """The permits of one service: how many, and from the use of one to its next use, in microseconds."""

    service: str
    number: int
    period: int

    @property
    def step(self) -> int:
        """From one use to the next of another permit, in microseconds, where none has to wait for its own time."""
        return self.period * 19 // (20 * self.number)  # a little quicker than on average, so as to catch up

    def names(self) -> list[str]:
        """Their rows' names."""
        return [f"{self.service} {number:05}" for number in range(1, self.number + 1)]


@dataclass(frozen=True, slots=True)
class Taken:
    """A permit that is held. It may be used from `free_at` on; at `held_until` others may have it.

    These are microseconds since 1970 by the database's clock.
    """

    name: str
    free_at: int
    held_until: int


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is to take permits: not to be used before `begin`. `now` is when that was said, both by the same clock."""

    begin: int
    now: int


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A permit that may be used again from `free_at` on, by whoever takes it then."""

    permit: Taken
    free_at: int


def take_turn(connection: Connection, permits: Permits, count: int) -> Turn:
    """Be the only one to change a service's permits until the transaction ends, and set aside the time to use `count` of them.

    Comes before all else in its transaction.
    """
    given = {"service": permits.service, "width": count * permits.step}
    row = connection.execute(_TAKE_TURN[connection.dialect.name], given).one()
    return Turn(begin=row.begin, now=row.now)


def prepare(connection: Connection, permits: Permits) -> None:
    """Make the rows of permits that aren't there yet."""
    rows = [{"name": name, "next_free": 0} for name in permits.names()]
    connection.execute(_insert(connection.dialect.name).values(rows).on_conflict_do_nothing())


def take(connection: Connection, permits: Permits, count: int, begin: int, hold: int) -> Sequence[Taken]:
    """Take up to `count` permits, those that are free first, in the order in which they are free; none of them before `begin`.

    Each may be used for `hold` microseconds. None come back before they are prepared.
    """
    names, held = permits.names(), hold + permits.period
    given = {"first_name": names[0], "last_name": names[-1], "most": count, "begin": begin, "held": held}
    rows = connection.execute(_TAKE[connection.dialect.name], given)
    taken = (Taken(row.name, row.next_free - held, row.next_free) for row in rows)
    return sorted(taken, key=lambda permit: permit.free_at)


def give_back(connection: Connection, permits: Iterable[GivenBack]) -> None:
    """Let others have permits, unless they are held by somebody else by now."""
    given = [{"its_name": each.permit.name, "held": each.permit.held_until, "free_at": each.free_at} for each in permits]
    if given:
        connection.execute(_GIVE_BACK, given)


def _insert(dialect: str) -> Any:
    return (postgresql.insert if dialect == "postgresql" else sqlite.insert)(rate_limits)


def _take_turn(dialect: str, now: ColumnElement[int]) -> Any:
    width = bindparam("width", type_=BigInteger)
    statement = _insert(dialect).values(name=bindparam("service"), next_free=now + width)
    statement = statement.on_conflict_do_update(index_elements=["name"], set_={"next_free": _from_then_on(now) + width})
    return statement.returning((rate_limits.c.next_free - width).label("begin"), now.label("now"))


def _take(now: ColumnElement[int]) -> Any:
    begin, free = bindparam("begin", type_=BigInteger), _from_then_on(now)
    chosen = (
        select(rate_limits.c.name)
        .where(rate_limits.c.name.between(bindparam("first_name"), bindparam("last_name")))
        .order_by(free, rate_limits.c.next_free)
        .limit(bindparam("most"))
        .cte("chosen")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return (
        update(rate_limits)
        .where(rate_limits.c.name.in_(select(chosen.c.name)))
        .values(next_free=case((free > begin, free), else_=begin) + bindparam("held", type_=BigInteger))
        .returning(rate_limits.c.name, rate_limits.c.next_free)
    )


def _from_then_on(now: ColumnElement[int]) -> ColumnElement[int]:
    free: ColumnElement[int] = rate_limits.c.next_free
    return case((free.between(now, now + _FARTHEST), free), else_=now)


# PostgreSQL's now() is when the transaction began, which may be long before it had its turn. SQLite's is the statement's, and a
# statement that writes runs when nobody else writes. Its days since 4714 BC are exact to the millisecond.
_NOW: dict[str, ColumnElement[int]] = {
    "postgresql": cast(extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger),
    "sqlite": cast(text("(julianday('now') - 2440587.5) * 86400000000"), BigInteger),
}
_TAKE_TURN = {dialect: _take_turn(dialect, now) for dialect, now in _NOW.items()}
_TAKE = {dialect: _take(now) for dialect, now in _NOW.items()}
_GIVE_BACK = (
    update(rate_limits)
    .where(rate_limits.c.name == bindparam("its_name"), rate_limits.c.next_free == bindparam("held", type_=BigInteger))
    .values(next_free=bindparam("free_at"))
)
