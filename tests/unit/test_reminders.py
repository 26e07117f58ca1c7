"""Reminders: who is told of which tasks, what is escalated, and what the mail says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.billing.reminder_text import reminder_text
from engine.billing.reminders import DueTask, Reminder, ReminderRules, Unaddressed, plan_reminders
from engine.model.moment import length_in_words

NOW = datetime(2026, 10, 31, 6, 0, tzinfo=UTC)
SALES, MIA, SARA = "sales@example.com", "mia@example.com", "sara@example.com"
RULES = ReminderRules({"Sales": (SALES,), "Manager": (MIA,), "sara": (SARA,)}, timedelta(days=2), timedelta(days=7), "Manager")


def task(number: int, days: float, group: str | None = "Sales", claimed_by: str | None = None, **changes: str) -> DueTask:
    """One that is due in `days`, or was before so many."""
    given = {"name": "Enter the amount", "customer": "cus_1", "period": "2026-10"} | changes
    return DueTask(number, group=group, claimed_by=claimed_by, due_at=NOW + timedelta(days=days), **given)


def told(*tasks: DueTask, rules: ReminderRules = RULES) -> dict[str, tuple[list[int], list[int]]]:
    """Address -> the tasks it is told of, and those that are escalated to it."""
    plan = plan_reminders(tasks, rules, NOW)
    return {each.address: ([t.number for t in each.tasks], [t.number for t in each.escalated]) for each in plan.reminders}


# --- who is told what -----------------------------------------------------------------------------------------------


def test_a_group_is_told_what_is_overdue_or_due_soon_first_what_was_due_first() -> None:
    found = told(task(4, 1.9), task(1, -1), task(3, -3), task(2, -1), task(5, 2), task(6, 30))
    assert found == {SALES: ([3, 1, 2, 4], [])}


@pytest.mark.parametrize(
    ("claimed_by", "group", "address"),
    [("sara", "Sales", SARA), ("tom", "Sales", SALES), ("sara", None, SARA), ("sara", "Nobody", SARA), (None, "Manager", MIA)],
    ids=["has an address", "has none: the group", "offered to everyone", "the group has none", "not claimed"],
)
def test_a_claimed_task_is_its_person_s_where_they_have_an_address(
    claimed_by: str | None, group: str | None, address: str
) -> None:
    assert told(task(1, -1, group, claimed_by)) == {address: ([1], [])}


def test_what_is_overdue_for_long_is_told_to_the_manager_as_well() -> None:
    found = told(task(1, -7), task(2, -6.9), task(3, -8, "Manager"), task(4, -9, claimed_by="sara"))
    assert found == {SALES: ([1, 2], []), MIA: ([3], [4, 1]), SARA: ([4], [])}


def test_nothing_is_escalated_where_nothing_is_said_of_it() -> None:
    rules = ReminderRules(RULES.addresses, RULES.due_within)
    assert told(task(1, -300), rules=rules) == {SALES: ([1], [])}


def test_one_address_gets_one_reminder_whoever_it_stands_for() -> None:
    rules = ReminderRules(
        {"Sales": (SALES, MIA), "Manager": (MIA,), "sara": (MIA,)}, timedelta(days=2), timedelta(days=7), "sara"
    )
    tasks = [task(1, -8), task(2, -1, "Manager"), task(3, -1, claimed_by="sara")]
    assert told(*tasks, rules=rules) == {MIA: ([1, 2, 3], []), SALES: ([1], [])}
    assert plan_reminders(tasks, rules, NOW).reminders[0].names == ("Manager", "Sales", "sara")


def test_tasks_of_a_group_without_an_address_are_named_and_escalated_all_the_same() -> None:
    tasks = [task(1, -8, "Support"), task(2, -1, None), task(3, -1, None, "tom"), task(4, -2, "Support"), task(5, 5, "Support")]
    plan = plan_reminders(tasks, RULES, NOW)
    assert [(each.name, [t.number for t in each.tasks]) for each in plan.unaddressed] == [
        ("Support", [1, 4]),
        ("tom", [3]),
        (None, [2]),
    ]
    assert told(*tasks) == {MIA: ([], [1])}


def test_the_order_is_the_same_whatever_order_the_tasks_come_in() -> None:
    tasks = [task(number, -number % 9 - 1, group) for number, group in enumerate(["Sales", "Manager", None, "Support"] * 5)]
    assert plan_reminders(tasks, RULES, NOW) == plan_reminders(reversed(tasks), RULES, NOW)


def test_nothing_due_is_nothing_to_say() -> None:
    assert plan_reminders([task(1, 3)], RULES, NOW) == plan_reminders([], RULES, NOW)
    assert told() == {}
    assert Unaddressed("Support", ()) not in plan_reminders([], RULES, NOW).unaddressed


# --- what is said ---------------------------------------------------------------------------------------------------


def test_the_mail_says_what_is_due_whose_it_is_and_what_to_do() -> None:
    tasks = (task(42, -3, claimed_by="tom"), task(43, 1.5, "Manager", name="Approve"))
    subject, text = reminder_text(Reminder(SALES, ("Sales",), tasks, (task(7, -8),)), NOW)
    assert subject == "Tasks: 1 overdue, 1 escalated, 1 due soon"
    assert "Tasks for Sales, as of 2026-10-31 06:00Z\n\nOVERDUE: 1\n\n" in text
    assert (
        "t42  Enter the amount\n"
        "    customer cus_1, period 2026-10\n"
        "    due 2026-10-28 06:00Z, overdue 3 days\n"
        "    claimed by tom\n"
        "    run-process tasks t42\n"
    ) in text
    assert "    due 2026-11-01 18:00Z, in 1 day\n    offered to Manager\n" in text
    assert text.index("t42  ") < text.index("ESCALATED: 1") < text.index("t7  ") < text.index("DUE SOON: 1") < text.index("t43  ")
    for command in ("run-process claim TASK", "run-process complete TASK", "run-process release TASK"):
        assert command in text


def test_what_people_have_written_can_neither_begin_a_line_nor_hide_anything() -> None:
    bad = "x\r\nBcc: eve@example.com\n\x1b[31m\u202eabc\u2028\x00"
    item = task(1, -1, group=f"Sales{bad}", claimed_by=None, name=bad, customer=bad)
    subject, text = reminder_text(Reminder(SALES, (bad,), (item,), ()), NOW)
    assert subject == "Tasks: 1 overdue"
    assert not any(line.startswith(("Bcc", "\x1b")) for line in text.splitlines())
    assert all(c.isprintable() or c == "\n" for c in text)


def test_a_mail_stays_one_that_people_read_however_much_is_overdue() -> None:
    tasks = tuple(task(number, -1) for number in range(1, 5_001))
    subject, text = reminder_text(Reminder(SALES, ("Sales",), tasks, ()), NOW)
    assert subject == "Tasks: 5000 overdue"
    assert text.count("run-process tasks t") == 100
    assert "... and 4900 more" in text


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(days=3, hours=23), "3 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=23, minutes=59), "23 hours"),
        (timedelta(minutes=61), "1 hour"),
        (timedelta(minutes=12), "12 minutes"),
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(0), "less than a minute"),
    ],
)
def test_how_long_is_said_in_the_largest_unit_that_fits(length: timedelta, words: str) -> None:
    assert length_in_words(length) == words
