"""Rate limits: permits for requests to a service, shared by all who work on one database.

A service that takes n requests in a second has n permits, one row each, and each row says from when on its permit may be used
again: so much later than it was used last as no window of time can hold two uses. Whoever takes permits holds them until they
come back with the time of their use; one that doesn't come back is free when its time to be used, and what follows it, is over.
One more row says how far the time is spoken for, so that permits that were free for long are not used all at once.

All of it goes by the database's own clock, and by real time: what a machine's clock says, or a clock that a test turns, doesn't
matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, case, cast, extract, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from engine.store.prepared import Prepared
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
    """What a turn gave: `permits` in the order in which they are free, none of them to be used before `begin`. `now` is when
    that was said, all by the same clock.
    """

    begin: int
    now: int
    permits: Sequence[Taken]


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A permit that may be used again from `free_at` on, by whoever takes it then."""

    permit: Taken
    free_at: int


def exchange(connection: Connection, permits: Permits, done: Iterable[GivenBack], count: int, hold: int) -> Callable[[], Turn]:
    """Give permits back, unless they are held by somebody else by now, and take up to `count`: those that are free first.

    Each may be used for `hold` microseconds. None come before they are prepared.

    Whoever does that is the only one until the transaction ends. So nothing else is to be asked in it, and what was given is
    looked at after it: on PostgreSQL all of it goes out at once, and who stands still has kept nobody waiting.
    """
    names, held, dialect = permits.names(), hold + permits.period, connection.dialect.name
    turns = _TAKE_TURN[dialect].ask(connection, {"service": permits.service, "width": count * permits.step})
    for each in done:
        _GIVE_BACK.post(connection, {"its_name": each.permit.name, "held": each.permit.held_until, "free_at": each.free_at})
    which = {"first_name": names[0], "last_name": names[-1], "of_service": permits.service}
    rows = _TAKE[dialect].ask(connection, {**which, "most": count, "back": count * permits.step, "held": held})

    def turn() -> Turn:
        [[begin, now]] = turns()
        taken = (Taken(name, next_free - held, next_free) for name, next_free in rows())
        return Turn(begin, now, sorted(taken, key=lambda permit: permit.free_at))

    return turn


def prepare(connection: Connection, permits: Permits) -> None:
    """Make the rows of permits that aren't there yet."""
    rows = [{"name": name, "next_free": 0} for name in permits.names()]
    connection.execute(_insert(connection.dialect.name).values(rows).on_conflict_do_nothing())


def _insert(dialect: str) -> Any:
    return (postgresql.insert if dialect == "postgresql" else sqlite.insert)(rate_limits)


def _take_turn(dialect: str, now: ColumnElement[int]) -> Prepared:
    width = bindparam("width", type_=BigInteger)
    statement = _insert(dialect).values(name=bindparam("service"), next_free=now + width)
    statement = statement.on_conflict_do_update(index_elements=["name"], set_={"next_free": _from_then_on(now) + width})
    return Prepared(statement.returning((rate_limits.c.next_free - width).label("begin"), now.label("now")))


def _take(now: ColumnElement[int]) -> Prepared:
    ours, free = rate_limits.alias("ours"), _from_then_on(now)
    spoken_for = select(ours.c.next_free).where(ours.c.name == bindparam("of_service")).scalar_subquery()
    begin = spoken_for - bindparam("back", type_=BigInteger)  # as the turn says, of which nobody has told us yet
    chosen = (
        select(rate_limits.c.name)
        .where(rate_limits.c.name.between(bindparam("first_name"), bindparam("last_name")))
        .order_by(free, rate_limits.c.next_free)
        .limit(bindparam("most"))
        .cte("chosen")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return Prepared(
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
_GIVE_BACK = Prepared(
    update(rate_limits)
    .where(rate_limits.c.name == bindparam("its_name"), rate_limits.c.next_free == bindparam("held", type_=BigInteger))
    .values(next_free=bindparam("free_at"))
)
