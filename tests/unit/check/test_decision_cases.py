"""Overlaps and gaps of decision tables are those that trying all values finds, and no others."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definition.carry_over_reader import read_carry_over
from engine.definition.check.cases import Cases
from engine.definition.decisions.decision import Decision
from engine.definition.decisions.decision_reader import read_decisions
from tests.builders.decisions import dmn, table
from tests.builders.drawing import carry_over

ITEMS = read_carry_over(
    carry_over(
        {
            "amount": "{type: integer, carry: drop}",
            "tier": "{type: choice, choices: [gold, silver, none], carry: drop}",
            "urgent": "{type: boolean, carry: drop}",
            "day": "{type: date, carry: drop}",
            "month": "{type: month, carry: drop}",
            "name": "{type: string, carry: drop}",
            "email": "{type: email, carry: drop}",
            "code": "{type: currency, carry: drop}",
        },
        repeats="",
    ),
    "billing.carry-over.yaml",
).items
AMOUNTS = range(-3, 8)
TIERS = ("gold", "silver", "none")


def decision(*rules: str, inputs: tuple[str, ...] = ("amount",)) -> Decision:
    read = read_decisions(dmn(table(rules, inputs)), "d.dmn")
    assert read.problems == ()
    return read.decisions[0]


def cases(*rules: str, inputs: tuple[str, ...] = ("amount",)) -> Cases:
    found = Cases.of(decision(*rules, inputs=inputs), ITEMS)
    assert found is not None
    return found


numbers = st.integers(min_value=-1, max_value=5)
intervals = st.tuples(numbers, numbers).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: f"[{pair[0]}..{pair[1]})")
number_tests = st.one_of(
    st.just("-"), numbers.map(str), numbers.map(lambda n: f"< {n}"), numbers.map(lambda n: f">= {n}"), intervals,
    numbers.map(lambda n: f"not({n})"),
)  # fmt: skip
tier_tests = st.sampled_from(["-", '"gold"', '"silver"', 'not("gold")', '"gold", "none"'])
tables = st.lists(st.tuples(number_tests, tier_tests, number_tests), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(tables)
def test_what_is_proved_is_what_trying_finds(rules: list[tuple[str, str, str]]) -> None:
    texts = [f"{amount} | {tier} | {again} -> 1" for amount, tier, again in rules]
    made = decision(*texts, inputs=("amount", "tier", "amount"))
    found = Cases.of(made, ITEMS)
    assert found is not None
    holding = [
        [r.number for r in made.rules if all(t.hold(v) for t, v in zip(r.tests, (amount, tier, amount), strict=True))]
        for amount, tier in product(AMOUNTS, TIERS)
    ]
    assert (found.gap() is not None) == any(not each for each in holding)
    together = {pair for each in holding for pair in combinations(each, 2)}
    assert {(first.number, second.number) for first, second, _ in found.overlaps()} == together


@pytest.mark.parametrize(
    ("item", "rules", "gap"),
    [
        ("amount", ["< 5", "> 5"], "amount is 5"),
        ("amount", ["< 5", ">= 5"], None),
        ("urgent", ["true"], "urgent is false"),
        ("urgent", ["true", "false"], None),
        ("tier", ['"gold"', '"none"'], 'tier is "silver"'),
        ("tier", ['"gold"', 'not("gold")'], None),
        ("day", ['<= "2026-02-28"', '>= "2026-03-01"'], None),
        ("day", ['<= date("2026-02-27")', '>= date("2026-03-01")'], 'day is "2026-02-28"'),
        ("month", ['<= "2026-12"', '>= "2027-01"'], None),
        ("month", ['< "2026-12"', '> "2027-01"'], 'month is "2026-12"'),
        ("name", ['"Ann"', '"anything else"'], 'name is "something else"'),
        ("name", ['"Ann"', 'not("Ann")'], None),
        ("code", ['"USD"', '"EUR"'], 'code is "JPY"'),
    ],
)
def test_a_gap_is_shown_by_a_value_that_the_item_can_have(item: str, rules: list[str], gap: str | None) -> None:
    assert cases(*[f"{rule} -> 1" for rule in rules], inputs=(item,)).gap() == gap


@pytest.mark.parametrize(
    ("rules", "inputs"),
    [
        (["< 5 -> 1"], ("amount * 2",)),
        (["- -> 1"], ("elsewhere",)),
        (['< "b" -> 1'], ("name",)),
        (['"a@example.com" -> 1'], ("email",)),
        (['"soon" -> 1'], ("day",)),
    ],
)
def test_nothing_is_said_where_values_can_not_be_known(rules: list[str], inputs: tuple[str, ...]) -> None:
    assert Cases.of(decision(*rules, inputs=inputs), ITEMS) is None


def test_a_large_table_is_judged_quickly() -> None:
    rules = [f"[{n * 10}..{n * 10 + 9}] | - -> {n}" for n in range(290)]
    large = cases(*rules, inputs=("amount", "tier"))
    assert list(large.overlaps()) == []
    assert large.gap() == 'amount is -1 and tier is "gold"'
