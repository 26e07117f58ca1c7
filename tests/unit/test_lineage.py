"""A customer's months in a line: gaps and forks."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.billing.lineage import Gap, Link, forks, line_up
from engine.billing.roster import PAUSED, RESUMED, RosterEvent

AT = datetime(2026, 10, 1, tzinfo=UTC)


def link(number: int, period: str, previous: int | None = None, *, live: bool = True) -> Link:
    return Link(number, period, previous, live)


def test_months_that_follow_each_other_have_no_gap() -> None:
    links = [link(1, "2026-12"), link(2, "2027-01", 1)]
    assert list(line_up(links, "P1M", "2026-12", [])) == links
    assert forks(links) == {}


def test_a_month_without_a_live_instance_is_a_gap_that_says_why() -> None:
    events = [
        RosterEvent(PAUSED, "2026-12", "Holiday.", AT, "olivia"),
        RosterEvent(RESUMED, "2027-01", "Back.", AT, "olivia"),
    ]
    cancelled = link(2, "2026-11", 1, live=False)
    found = list(line_up([link(1, "2026-10"), cancelled, link(3, "2027-01", 1)], "P1M", "2026-10", events))
    assert found == [
        link(1, "2026-10"),
        cancelled,
        Gap("2026-11", "missing"),
        Gap("2026-12", "paused"),
        link(3, "2027-01", 1),
    ]


def test_two_for_one_month_and_two_behind_one_are_forks() -> None:
    assert forks([link(1, "2026-10"), link(2, "2026-11", 1), link(3, "2026-11", 1)]) == {3: "i2 is for the same period"}
    assert forks([link(1, "2026-10"), link(2, "2026-11", 1), link(3, "2026-12", 1)]) == {3: "i2 follows i1 as well"}
    assert forks([link(1, "2026-10"), link(2, "2026-11", 1, live=False), link(3, "2026-11", 1)]) == {}


def test_nobody_has_no_line() -> None:
    assert list(line_up([], "P1M", None, [])) == []
