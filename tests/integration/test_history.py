"""The history: everything that happened, by whom, in a chain that shows every edit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from engine.clock import TurnedClock
from engine.errors import NotFound
from engine.services import resolving, worklist
from engine.services.inspecting import read_history
from engine.store.history import append, seal
from engine.store.tables import history
from tests.builders.company import Company

AT = datetime(2026, 10, 1, tzinfo=UTC)


def broken(company: Company, instance: str) -> int | None:
    return read_history(company.runtime, instance)[1]


def tamper(company: Company, *statements: Any) -> None:
    with company.runtime.database.transaction() as connection:
        for statement in statements:
            connection.execute(statement)


def test_everything_that_happened_is_told_with_who_and_when(company: Company, clock: TurnedClock) -> None:
    instance = company.start()
    clock.advance(timedelta(hours=1))
    task = company.task(instance).id
    worklist.claim(company.runtime, task, "sara")
    company.enter(instance, amount="7.50")
    company.approve(instance, approved=False)
    company.enter(instance, amount="8.00", by="tom")
    company.approve(instance)
    company.work()
    entries, first_broken = read_history(company.runtime, instance)
    assert first_broken is None
    assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))
    told = [(entry["event"], entry["by"]) for entry in entries]
    assert told == [
        ("instance_started", "olivia"),
        ("task_created", "olivia"),
        ("task_claimed", "sara"),
        ("task_completed", "sara"),
        ("task_created", "sara"),
        ("task_completed", "mia"),
        ("task_created", "mia"),
        ("task_completed", "tom"),
        ("task_created", "tom"),
        ("task_completed", "mia"),
        ("job_created", "mia"),
        ("job_completed", "worker w1"),
        ("message_thrown", "worker w1"),
        ("instance_completed", "worker w1"),
        ("message_delivered", "worker w1"),
    ]
    assert entries[1]["at"] == entries[0]["at"] == clock.now() - timedelta(hours=1)
    assert entries[2]["at"] == clock.now()


def test_a_completed_task_tells_from_what_to_what_each_value_changed(company: Company) -> None:
    instance = company.start()
    company.enter(instance, amount="7.50")
    company.approve(instance, approved=False)
    company.enter(instance, amount="8.00")
    completed = [entry["details"] for entry in read_history(company.runtime, instance)[0] if entry["event"] == "task_completed"]
    assert [details["values"] for details in completed] == [
        {"amount": {"from": None, "to": 750}},
        {"approved": {"from": None, "to": False}},
        {"amount": {"from": 750, "to": 800}},
    ]
    assert completed[1]["path"] == ["approve", "decision"]


def test_what_is_refused_leaves_no_trace(company: Company) -> None:
    instance = company.start()
    before = read_history(company.runtime, instance)
    with pytest.raises(Exception, match="amount"):
        company.enter(instance, amount="nothing")
    assert read_history(company.runtime, instance) == before


def test_a_cancelled_instance_tells_why(company: Company) -> None:
    instance = company.start()
    resolving.cancel(company.runtime, instance, "wrong 💶", "olivia")
    last = read_history(company.runtime, instance)[0][-1]
    assert (last["by"], last["details"]) == ("olivia", {"reason": "wrong 💶", "bill_freed": True})


@pytest.mark.parametrize(
    "change",
    [
        {"details": {"amount": 1}},
        {"by": "nobody"},
        {"event": "task_released"},
        {"at": AT},
        {"hash": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("number", [1, 3, 10])
def test_an_edited_entry_is_found(company: Company, change: dict[str, Any], number: int) -> None:
    instance = company.billed()
    tamper(company, update(history).where(history.c.instance_id == 1, history.c.number == number).values(**change))
    assert broken(company, instance) == number
    other = company.instance(instance).next
    assert other is not None
    assert broken(company, other) is None


@pytest.mark.parametrize("number", [1, 4])
def test_a_removed_entry_is_found(company: Company, number: int) -> None:
    instance = company.billed()
    tamper(company, delete(history).where(history.c.instance_id == 1, history.c.number == number))
    assert broken(company, instance) == number


def test_a_removed_entry_is_found_though_the_others_were_renumbered(company: Company) -> None:
    instance = company.billed()
    moved = [
        update(history).where(history.c.instance_id == 1, history.c.number == number).values(number=number - 1)
        for number in range(5, 11)
    ]
    tamper(company, delete(history).where(history.c.instance_id == 1, history.c.number == 4), *moved)
    assert broken(company, instance) == 4


def test_reordered_entries_are_found(company: Company) -> None:
    instance = company.billed()
    place = lambda old, new: update(history).where(history.c.instance_id == 1, history.c.number == old).values(number=new)  # noqa: E731 - three moves
    tamper(company, place(4, 99), place(5, 4), place(99, 5))
    assert broken(company, instance) == 4


def test_an_entry_that_was_put_in_from_another_instance_is_found(company: Company) -> None:
    instance = company.billed()
    with company.runtime.database.transaction() as connection:
        last = connection.execute(select(history).where(history.c.instance_id == 2).limit(1)).one()._asdict()
        connection.execute(insert(history).values(**{**last, "instance_id": 1, "number": 11}))
    assert broken(company, instance) == 11


def test_two_entries_never_have_one_number(company: Company) -> None:
    company.start()
    with company.runtime.database.transaction() as connection:
        row = connection.execute(select(history).where(history.c.instance_id == 1, history.c.number == 1)).one()._asdict()
    with pytest.raises(Exception, match=r"(?i)unique"):
        tamper(company, insert(history).values(**row))


def test_the_program_never_changes_or_removes_an_entry(company: Company) -> None:
    """What was written stays byte by byte, whatever else the instance does."""
    instance = company.start()
    kept: list[dict[str, Any]] = []
    steps: list[Callable[[], Any]] = [
        lambda: company.enter(instance),
        lambda: company.approve(instance, approved=False),
        lambda: company.enter(instance),
        lambda: company.approve(instance),
        company.work,
    ]
    for step in steps:
        step()
        entries, _ = read_history(company.runtime, instance)
        assert entries[: len(kept)] == kept
        assert len(entries) > len(kept)
        kept = entries


@pytest.mark.parametrize("text", ["\ud800", "\x00", "💶", "x" * 100_000, "\u2028", '"'])
def test_whatever_texts_an_entry_holds_the_chain_stays_whole(company: Company, text: str) -> None:
    instance = company.start()
    with company.runtime.database.transaction() as connection:
        append(connection, 1, company.runtime.now(), "worker w1", [("note_added", {text: [text, {text: None}]})])
    entries, first_broken = read_history(company.runtime, instance)
    assert first_broken is None
    assert entries[-1]["details"] == {text: [text, {text: None}]}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, min_size=1, max_size=3), st.text(), st.integers(1, 10**6))
def test_the_seal_depends_on_all_it_covers_and_on_nothing_else(details: dict[str, Any], by: str, number: int) -> None:
    sealed = seal("0" * 64, 1, number, AT, "task_completed", by, details)
    assert sealed == seal("0" * 64, 1, number, AT, "task_completed", by, dict(reversed(details.items())))
    others = [
        seal("1" * 64, 1, number, AT, "task_completed", by, details),
        seal("0" * 64, 2, number, AT, "task_completed", by, details),
        seal("0" * 64, 1, number + 1, AT, "task_completed", by, details),
        seal("0" * 64, 1, number, AT + timedelta(microseconds=1), "task_completed", by, details),
        seal("0" * 64, 1, number, AT, "task_claimed", by, details),
        seal("0" * 64, 1, number, AT, "task_completed", by + "x", details),
        seal("0" * 64, 1, number, AT, "task_completed", by, {**details, "one more": 1}),
    ]
    assert sealed not in others
    assert len(set(others)) == len(others)


def test_the_history_of_an_unknown_instance_is_refused(company: Company) -> None:
    with pytest.raises(NotFound):
        read_history(company.runtime, "i9")
