"""Reminders: whom one was sent to on which day (UTC). A row is claimed before anything is sent, so that nobody gets two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from engine.store.tables import reminders

_CLAIM = {
    "sqlite": sqlite.insert(reminders).on_conflict_do_nothing().returning(reminders.c.recipient),
    "postgresql": postgresql.insert(reminders).on_conflict_do_nothing().returning(reminders.c.recipient),
}


def claim(connection: Connection, recipient: str, at: datetime, tasks: Sequence[str]) -> bool:
    """Take it upon us to remind an address on the day of `at` of these tasks. False where somebody has that day."""
    values = {"recipient": recipient, "day": day_of(at), "sent_at": at, "tasks": list(tasks)}
    return connection.execute(_CLAIM[connection.dialect.name].values(**values)).first() is not None


def give_back(connection: Connection, recipient: str, at: datetime) -> None:
    """What was claimed at `at` was not sent, so that it may be tried again on the same day."""
    where = (reminders.c.recipient == recipient, reminders.c.day == day_of(at))
    connection.execute(delete(reminders).where(*where))


def reminded_on(connection: Connection, at: datetime) -> frozenset[str]:
    """The addresses that were reminded on the day of `at`."""
    query = select(reminders.c.recipient).where(reminders.c.day == day_of(at))
    return frozenset(connection.execute(query).scalars())


def day_of(at: datetime) -> str:
    """The day of an aware moment in UTC, as in 2026-10-31."""
    return at.astimezone(UTC).date().isoformat()
