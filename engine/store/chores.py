"""Chores: what some worker does now and then for all of them, such as cleaning up.

A worker claims a chore by a compare-and-set on when it is due, so that of several one does it. The claim ends by itself: a
chore whose worker was lost is due again then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from engine.store.tables import chores


@dataclass(frozen=True, slots=True)
class Claim:
    """A chore that is ours until `until`. `done_until` is how far its subject has been looked through (None: not yet)."""

    name: str
    until: datetime
    done_until: datetime | None


def is_due(connection: Connection, name: str, now: datetime) -> bool:
    """Whether a chore is due, as one that was never done is."""
    due_at = connection.execute(select(chores.c.due_at).where(chores.c.name == name)).scalar()
    return due_at is None or due_at <= now


def claim(connection: Connection, name: str, now: datetime, until: datetime) -> Claim | None:
    """Claim a chore until `until`; None where it isn't due, or another worker was first."""
    row = connection.execute(select(chores.c.due_at, chores.c.done_until).where(chores.c.name == name)).first()
    if row is None:
        return Claim(name, until, None) if _add(connection, name, until) else None
    if row.due_at > now:
        return None
    where = (chores.c.name == name, chores.c.due_at == row.due_at)
    claimed = connection.execute(update(chores).where(*where).values(due_at=until)).rowcount == 1
    return Claim(name, until, row.done_until) if claimed else None


def _add(connection: Connection, name: str, due_at: datetime) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(insert(chores).values(name=name, due_at=due_at))
    except IntegrityError:
        return False
    return True


def finish(connection: Connection, claimed: Claim, due_at: datetime, done_until: datetime | None) -> bool:
    """Say when a claimed chore is due again and how far it has come. False where the claim has ended and another has it."""
    where = (chores.c.name == claimed.name, chores.c.due_at == claimed.until)
    values = {"due_at": due_at, "done_until": done_until}
    return connection.execute(update(chores).where(*where).values(**values)).rowcount == 1
