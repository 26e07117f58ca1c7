"""Chance that can be repeated: numbers lie as their distribution says, and work takes working time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rehearsal.distribution import Between, Fixed, Skewed, choose, draw, quantile
from engine.rehearsal.working_hours import ALWAYS, WorkingHours

MANY = 20_000
FRIDAY = datetime(2026, 10, 2, 16, tzinfo=UTC)


def drawn(distribution: Fixed | Skewed | Between, seed: int = 1) -> list[int]:
    chance = Random(seed)
    return sorted(draw(distribution, chance) for _ in range(MANY))


def test_half_lie_below_the_median_and_one_in_twenty_above_the_p95() -> None:
    numbers = drawn(Skewed(300, 1_200))
    assert sum(number <= 300 for number in numbers) / MANY == pytest.approx(0.5, abs=0.02)
    assert sum(number > 1_200 for number in numbers) / MANY == pytest.approx(0.05, abs=0.005)
    assert numbers[0] >= 0


def test_a_triangle_stays_between_its_ends_and_is_highest_at_its_mode() -> None:
    numbers = drawn(Between(10, 20, 100))
    assert numbers[0] >= 10
    assert numbers[-1] <= 100
    assert sum(15 <= number < 25 for number in numbers) > sum(80 <= number < 90 for number in numbers)
    assert set(drawn(Between(7, 7, 7))) == {7}


def test_the_same_seed_gives_the_same_numbers_and_another_one_others() -> None:
    assert drawn(Skewed(300, 1_200)) == drawn(Skewed(300, 1_200))
    assert drawn(Skewed(300, 1_200)) != drawn(Skewed(300, 1_200), seed=2)
    assert set(drawn(Fixed(5))) == {5}


def test_choices_come_as_often_as_their_weights_say_and_never_without_weight() -> None:
    chance = Random(1)
    chosen = [choose({"approve": 95, "never": 0, "send_back": 5}, chance) for _ in range(MANY)]
    assert chosen.count("approve") / MANY == pytest.approx(0.95, abs=0.01)
    assert "never" not in chosen


def test_quantiles_are_numbers_that_were_there() -> None:
    assert (quantile([1, 2, 30], 0.5), quantile([1, 2, 30], 0.95), quantile([7], 0.5), quantile([], 0.5)) == (2, 30, 7, None)


def test_work_rests_overnight_and_at_weekends() -> None:
    hours = WorkingHours()
    assert hours.after(FRIDAY, timedelta(hours=3)) == datetime(2026, 10, 5, 11, tzinfo=UTC)
    assert hours.next_open(FRIDAY) == FRIDAY
    assert hours.next_open(FRIDAY + timedelta(hours=1)) == datetime(2026, 10, 5, 9, tzinfo=UTC)
    assert hours.between(FRIDAY, FRIDAY + timedelta(days=7)) == timedelta(hours=40)
    assert ALWAYS.after(FRIDAY, timedelta(hours=30)) == FRIDAY + timedelta(hours=30)


@given(begin=st.integers(0, 20 * 24), hours=st.integers(1, 100))
def test_work_takes_exactly_its_length_of_working_time(begin: int, hours: int) -> None:
    of, at, length = WorkingHours(days=(0, 2, 5)), FRIDAY + timedelta(hours=begin), timedelta(hours=hours)
    assert of.between(at, of.after(at, length)) == length
