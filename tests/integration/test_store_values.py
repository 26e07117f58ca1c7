"""What the store's columns keep: moments in UTC, and texts from outside whatever they hold."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import StatementError

from engine.services import resolving
from engine.services.inspecting import read_history
from engine.store.database import Database
from engine.store.tables import instances
from tests.builders.company import Company

TOKYO = timezone(timedelta(hours=9))


def started_at(database: Database, value: datetime) -> datetime:
    with database.transaction() as connection:
        connection.execute(update(instances).values(started_at=value))
        found: datetime = connection.execute(select(instances.c.started_at)).scalar_one()
        return found


def test_moments_come_back_aware_and_in_utc(company: Company) -> None:
    company.start()
    stored = started_at(company.runtime.database, datetime(2026, 10, 1, 9, 0, 0, 123456, tzinfo=TOKYO))
    assert stored.isoformat() == "2026-10-01T00:00:00.123456+00:00"


def test_a_moment_without_a_time_zone_is_refused(company: Company) -> None:
    company.start()
    with pytest.raises(StatementError, match="an aware datetime, but it has no time zone"):
        started_at(company.runtime.database, datetime(2026, 10, 1))  # noqa: DTZ001 - naive on purpose


@pytest.mark.parametrize("reason", ["\ud800", "a\x00b", "💶", "'; DROP TABLE instances; --", "x" * 50_000])
def test_texts_that_people_write_are_kept_as_they_are(company: Company, reason: str) -> None:
    instance = company.start()
    resolving.cancel(company.runtime, instance, reason, "olivia")
    with company.runtime.database.reading() as connection:
        stored: Any = connection.execute(text("SELECT details FROM history WHERE event = 'instance_cancelled'")).scalar_one()
    assert stored.isascii()
    assert read_history(company.runtime, instance)[0][-1]["details"]["reason"] == reason


def test_a_transaction_that_raises_leaves_nothing_behind(company: Company) -> None:
    instance = company.start()

    def change_and_break_off() -> None:
        with company.runtime.database.transaction() as connection:
            connection.execute(update(instances).values(state="cancelled"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_break_off()
    assert company.instance(instance).state == "active"


def test_an_instance_whose_state_was_damaged_says_so_and_the_others_go_on(company: Company) -> None:
    damaged, whole = company.start("a"), company.start("b")
    with company.runtime.database.transaction() as connection:
        connection.execute(update(instances).where(instances.c.id == 1).values(token_state='{"version":99}'))
    with pytest.raises(Exception, match="Expected an instance state of version 1, but it is of version 99"):
        company.instance(damaged)
    assert company.instance(whole).state == "active"
