"""Which cases a decision table tells apart, as values that its inputs can really have: what holds for all of these holds for all.

Only where every input is a data item is anything proved: computed values may depend on each other. Items without a value
are left out: another rule follows those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from typing import Final

from engine.definition.data_item import DataItem, DataType
from engine.definition.decisions.decision import Decision, Rule
from engine.definition.decisions.unary_tests import Literal, UnaryTests, is_date
from engine.errors import DataRefused
from engine.expressions import Expression
from engine.model.money import exponent
from engine.model.text import shown

MOST_PROVED: Final = 300
"""Rules. Pairs are compared, so time grows with the square."""
MOST_STEPS: Final = 20_000
_NAME: Final = re.compile(r"\s*(?:\$\{\s*([^\W\d]\w*)\s*\}|([^\W\d]\w*))\s*")
_CURRENCIES: Final = ("USD", "EUR", "JPY", "CHF", "GBP")


def name_alone(expression: Expression) -> str | None:
    """The name that an expression is, where it is nothing but a name."""
    match = _NAME.fullmatch(expression.text)
    return (match[1] or match[2]) if match else None


@dataclass(frozen=True)
class Cases:
    """`values` of each item, and for each rule the values that it takes, as bits in the same order."""

    decision: Decision
    items: tuple[str, ...]
    values: tuple[tuple[Literal, ...], ...]
    taken: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, decision: Decision, items: Mapping[str, DataItem]) -> Cases | None:
        """The cases of a table whose names stand for these items; None where they can't be told."""
        columns: dict[str, list[int]] = {}
        for number, column in enumerate(decision.inputs):
            columns.setdefault(name_alone(column.expression) or "", []).append(number)
        if not columns or not columns.keys() <= items.keys() or not 0 < len(decision.rules) <= MOST_PROVED:
            return None
        values = [_values_of(items[name], decision, numbers) for name, numbers in columns.items()]
        known = tuple(each for each in values if each)
        if len(known) < len(values):
            return None
        pairs = list(zip(columns.values(), known, strict=True))
        taken = tuple(tuple(_bits(rule, numbers, each) for numbers, each in pairs) for rule in decision.rules)
        return cls(decision, tuple(items[name].name for name in columns), known, taken)

    def overlaps(self) -> Iterator[tuple[Rule, Rule, str]]:
        """Every two rules that hold in one case, with that case in words."""
        for (first, mine), (second, theirs) in combinations(zip(self.decision.rules, self.taken, strict=True), 2):
            common = [a & b for a, b in zip(mine, theirs, strict=True)]
            if all(common):
                lowest = [(bits & -bits).bit_length() - 1 for bits in common]
                yield first, second, self._in_words(lowest)

    def gap(self) -> str | None:
        """A case in which no rule holds, in words; None where there is none, or where there are too many cases to look."""
        holding = self._holding()
        pending: list[tuple[tuple[int, ...], int]] = [((), (1 << len(self.taken)) - 1)]
        seen: set[tuple[int, int]] = set()
        for _ in range(MOST_STEPS):
            if not pending:
                return None
            chosen, rules = pending.pop()
            if not rules:
                return self._in_words([*chosen, *[0] * (len(self.items) - len(chosen))])
            if len(chosen) < len(self.items) and (len(chosen), rules) not in seen:
                seen.add((len(chosen), rules))
                following = [((*chosen, value), rules & each) for value, each in enumerate(holding[len(chosen)])]
                pending += reversed(following)
        return None

    def _holding(self) -> list[list[int]]:
        """For each item and value the rules that take it, as bits."""
        return [
            [sum((bits[item] >> value & 1) << rule for rule, bits in enumerate(self.taken)) for value in range(len(values))]
            for item, values in enumerate(self.values)
        ]

    def _in_words(self, chosen: list[int]) -> str:
        named = zip(self.items, (values[each] for values, each in zip(self.values, chosen, strict=True)), strict=True)
        return " and ".join(f"{item} is {shown(value)}" for item, value in named)


def _bits(rule: Rule, columns: list[int], values: tuple[Literal, ...]) -> int:
    """All values of an item are of one kind, so that the first one tells whether they can be judged."""
    tests = [rule.tests[each] for each in columns]
    if not all(each.judges(values[0]) for each in tests):
        return 0
    held = [place for place, value in enumerate(values) if all(each.hold(value) for each in tests)]
    return sum(1 << place for place in held)


def _takes(tests: UnaryTests, value: Literal) -> bool:
    return tests.judges(value) and tests.hold(value)


def _values_of(item: DataItem, decision: Decision, columns: list[int]) -> tuple[Literal, ...]:
    """Values of an item, at least one for each case that its columns tell apart; none where that can't be done."""
    tests = [rule.tests[each] for rule in decision.rules for each in columns]
    allowed = [column.allowed for column in (decision.inputs[each] for each in columns) if column.allowed is not None]
    literals = frozenset[Literal]().union(*(each.literals for each in (*tests, *allowed))) - {None}
    compares = any(each.compares for each in (*tests, *allowed))
    values = tuple(dict.fromkeys(_told_apart(item, literals, compares)))
    return tuple(value for value in values if all(_takes(each, value) for each in allowed))


def _told_apart(item: DataItem, literals: frozenset[Literal], compares: bool) -> Iterator[Literal]:
    texts = sorted(each for each in literals if isinstance(each, str))
    match item.type:
        case DataType.BOOLEAN:
            yield from (True, False)
        case DataType.CHOICE:
            yield from item.choices
        case DataType.INTEGER | DataType.MONEY:
            numbers = sorted(each for each in literals if type(each) is int)
            yield from sorted({near for each in numbers or [0] for near in (each - 1, each, each + 1)})
        case DataType.DATE | DataType.MONTH:
            yield from _around(item.type, texts)
        case DataType.CURRENCY if not compares:
            yield from (*filter(_is_currency, texts), next(each for each in _CURRENCIES if each not in texts))
        case DataType.STRING | DataType.TEXT if not compares:
            yield from (
                *texts,
                next(each for each in ("anything else", "something else", *map(str, range(len(texts) + 1))) if each not in texts),
            )


def _is_currency(text: str) -> bool:
    try:
        exponent(text)
    except DataRefused:
        return False
    return text == text.upper()


def _around(data_type: DataType, texts: list[str]) -> Iterator[str]:
    """Dates or months with those before and after; nothing where one of the texts is none, or at the calendar's ends."""
    monthly = data_type is DataType.MONTH
    found: set[str] = set()
    for text in texts or ["2026-01" if monthly else "2026-01-01"]:
        day = f"{text}-01" if monthly else text
        if not is_date(day) or not 1900 < date.fromisoformat(day).year < 9000:
            return
        at = date.fromisoformat(day)
        after = at + timedelta(days=31 if monthly else 1)
        found |= {each.isoformat()[: len(text)] for each in (at - timedelta(days=1), at, after)}
    yield from sorted(found)
