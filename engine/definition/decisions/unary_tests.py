"""The tests in the cells of a decision table: FEEL's unary tests (DMN 1.3, 10.3.2.7), as far as modelers write them.

An empty cell and `-` hold for everything; then there are values (`5`, `"gold"`, `true`, `null`, `date("2026-01-31")`),
comparisons (`< 100`), intervals (`[1..5]`, `(1..5]`, `]1..5]`), several of these with commas between them, and `not(...)` around
them. Dates are texts here, as everywhere in this program, and numbers are whole. Everything else is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

from engine.connector import Value
from engine.errors import ExpressionInvalid
from engine.expressions.kinds import ANY, NOTHING, NUMBER, TEXT, Kinds, kinds_of
from engine.expressions.limits import MAX_CHARACTERS, MAX_INTEGER
from engine.expressions.source import invalid
from engine.model.text import shown

Literal: TypeAlias = "str | int | bool | None"

MOST_TESTS: Final = 500
"""Tests in one cell."""


@dataclass(frozen=True, slots=True)
class Equals:
    """Holds for one value."""

    value: Literal

    def holds(self, value: Value) -> bool | None:
        """Whether it holds; None is unknown, as in FEEL."""
        return type(value) is type(self.value) and value == self.value


@dataclass(frozen=True, slots=True)
class Between:
    """Holds for numbers or texts between two bounds, which count as well where `low_in` and `high_in` say so. None: no bound."""

    low: str | int | None
    high: str | int | None
    low_in: bool = False
    high_in: bool = False

    def holds(self, value: Value) -> bool | None:
        """Whether it holds; None is unknown, as in FEEL, which compares nothing with no value."""
        if value is None:
            return None
        return self._above(value) and self._below(value)

    def _above(self, value: Value) -> bool:
        low = self.low
        return low is None or value > low or (self.low_in and value == low)  # type: ignore[operator]  # of one kind

    def _below(self, value: Value) -> bool:
        high = self.high
        return high is None or value < high or (self.high_in and value == high)  # type: ignore[operator]  # of one kind


@dataclass(frozen=True, slots=True)
class UnaryTests:
    """What stands in one cell. `tests` are None where it holds for everything; `kinds` are those of the values it can judge."""

    text: str
    kinds: Kinds = ANY
    tests: tuple[Equals | Between, ...] | None = None
    negated: bool = False

    @property
    def literals(self) -> frozenset[Literal]:
        """The values that are written out in it, bounds included."""
        each = self.tests or ()
        values = {test.value for test in each if isinstance(test, Equals)}
        bounds = {bound for test in each if isinstance(test, Between) for bound in (test.low, test.high) if bound is not None}
        return frozenset(values | bounds)

    @property
    def written(self) -> str:
        """Its text as messages show it, shortened, without anything that could steer a terminal."""
        return shown(self.text.strip())[1:-1]

    @property
    def compares(self) -> bool:
        """Whether it has comparisons or intervals."""
        return any(isinstance(test, Between) for test in self.tests or ())

    def judges(self, value: Value) -> bool:
        """Whether a value is of a kind that the tests can be applied to: no text is compared with a number."""
        if self.tests is None or value is None:
            return True
        return isinstance(value, bool | int | str) and bool(kinds_of(value) & self.kinds)

    def hold(self, value: Value) -> bool:
        """Whether they hold for a value that they can judge. What is unknown doesn't hold, and its contrary neither."""
        if self.tests is None:
            return True
        met: bool | None = False
        for test in self.tests:
            answer = test.holds(value)
            if answer:
                return not self.negated
            met = answer if answer is None else met
        return met is not None and met != self.negated


def parse_unary_tests(text: str) -> UnaryTests:
    """The tests in a cell. Raises ExpressionInvalid, its offset into `text`."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionInvalid(
            f"Expected at most {MAX_CHARACTERS:,} characters, but there are {len(text):,}. Do: split the rule."
        )
    if text.strip() in ("", "-"):
        return UnaryTests(text)
    return _Parser(text).parse()


def parse_literals(text: str) -> tuple[Literal, ...]:
    """The values in a list such as `"gold", "silver"`. Raises ExpressionInvalid."""
    tests = parse_unary_tests(text)
    each = tests.tests or ()
    if tests.negated or not each or tests.compares:
        raise _invalid(text, 0, f"a list of values, but it is {shown(text)}", 'write them like "gold", "silver"')
    return tuple(test.value for test in each if isinstance(test, Equals))


_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<fraction>-?[0-9]+\.[0-9]+)
    | (?P<number>-?[0-9]+)(?![\w])
    | (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<word>[^\W\d]\w*)
    | (?P<sign><=|>=|\.\.|[<>,()\[\]])
    | (?P<other>\S)
    )""",
    re.VERBOSE,
)
_WORDS: Final[dict[str, Literal]] = {"true": True, "false": False, "null": None}
_ESCAPES: Final = {'"': '"', "\\": "\\"}
_HINTS: Final = {
    "=": "write the value alone, as in 5",
    "!": "write not(...)",
    "?": "compute the value in the column's expression, and compare it here",
    "'": 'write texts in double quotes, as in "gold"',
    "$": "write the value alone, without ${ }",
    "-": "write - alone for a rule that takes everything",
}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    """One walk over a text's tokens."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0

    def parse(self) -> UnaryTests:
        negated = self._next_is("not")
        if negated:
            self._take("not")
            self._take("(")
        tests = [self._one()]
        while self._next_is(","):
            self._take(",")
            tests.append(self._one())
        if negated:
            self._take(")")
        if (left := self._peek()).kind != "end":
            raise self._unexpected(left)
        if len(tests) > MOST_TESTS:
            raise _invalid(self._text, 0, f"at most {MOST_TESTS} tests in a cell, but there are {len(tests)}", "split the rule")
        return UnaryTests(self._text, self._kinds(tests), tuple(tests), negated)

    def _kinds(self, tests: list[Equals | Between]) -> Kinds:
        found = frozenset[Kinds]({_kinds_of(test) for test in tests} - {NOTHING})
        if len(found) > 1:
            message = "values of one kind, but there are several"
            raise _invalid(self._text, 0, message, "compare numbers with numbers, and texts with texts")
        return next(iter(found)) | NOTHING if found else ANY

    def _one(self) -> Equals | Between:
        token = self._peek()
        if token.text in ("<", "<=", ">", ">=") and token.kind == "sign":
            self._at += 1
            bound = self._bound()
            is_in = token.text.endswith("=")
            below = token.text.startswith("<")
            return Between(None, bound, False, is_in) if below else Between(bound, None, is_in, False)
        if token.kind == "sign" and token.text in ("[", "(", "]"):
            return self._interval()
        return Equals(self._value())

    def _interval(self) -> Between:
        opening = self._peek()
        self._at += 1
        low = self._bound()
        self._take("..")
        high = self._bound()
        closing = self._peek()
        if closing.text not in ("]", ")", "[") or closing.kind != "sign":
            raise self._unexpected(closing)
        self._at += 1
        between = Between(low, high, opening.text == "[", closing.text == "]")
        if type(low) is not type(high) or low > high or (low == high and not (between.low_in and between.high_in)):  # type: ignore[operator]  # of one kind by then
            raise _invalid(
                self._text, opening.at, "an interval from a smaller to a larger value, but it holds nothing", "correct it"
            )
        return between

    def _bound(self) -> str | int:
        token = self._peek()
        value = self._value()
        if value is None or isinstance(value, bool):
            raise _invalid(
                self._text, token.at, f"a number or text to compare with, but it is {token.text}", "compare numbers or texts"
            )
        return value

    def _value(self) -> Literal:
        token = self._peek()
        self._at += 1
        if token.kind == "number" and abs(int(token.text[:25])) <= MAX_INTEGER and len(token.text) < 25:
            return int(token.text)
        if token.kind == "text":
            return self._unquoted(token)
        if token.text in _WORDS and token.kind == "word":
            return _WORDS[token.text]
        if token.text == "date" and self._next_is("("):
            return self._date()
        raise self._unexpected(token)

    def _unquoted(self, token: _Token) -> str:
        escaped = re.findall(r"\\(.)", token.text, re.DOTALL)
        if odd := [char for char in escaped if char not in _ESCAPES]:
            raise _invalid(self._text, token.at, f'\\" or \\\\ in a text, but there is \\{odd[0]}', "write the character itself")
        return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)

    def _date(self) -> str:
        self._take("(")
        token = self._peek()
        value = self._value()
        self._take(")")
        if not isinstance(value, str) or not is_date(value):
            raise _invalid(
                self._text, token.at, f"a date of the calendar, but it is {token.text}", 'write it as in date("2026-01-31")'
            )
        return value

    def _peek(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _Token("end", "", len(self._text))

    def _next_is(self, text: str) -> bool:
        return self._peek().text == text and self._peek().kind in ("sign", "word")

    def _take(self, text: str) -> None:
        if not self._next_is(text):
            raise _invalid(self._text, self._peek().at, f'"{text}" there, but it is {self._found(self._peek())}', "write it")
        self._at += 1

    @staticmethod
    def _found(token: _Token) -> str:
        if token.kind in ("end", "word"):
            return "the end" if token.kind == "end" else f"the word {token.text}"
        return shown(token.text)

    def _unexpected(self, token: _Token) -> ExpressionInvalid:
        found = f'a test like 5, < 100, [1..5] or "gold", but there is {self._found(token)}'
        if token.kind == "fraction":
            return _invalid(self._text, token.at, found, "write whole numbers; money in minor units, 1250 for 12.50")
        if token.kind == "word":
            named = _WORDS.get(token.text.lower(), ...)
            instead = token.text.lower() if named is not ... else f'"{token.text}" in quotes'
            return _invalid(
                self._text, token.at, found, f"write {instead}; what is computed or named belongs into the column's expression"
            )
        return _invalid(self._text, token.at, found, _HINTS.get(token.text, "write one of these"))


def is_date(text: str) -> bool:
    """Whether a text is a date of the calendar in ISO form."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _kinds_of(test: Equals | Between) -> Kinds:
    if isinstance(test, Equals):
        return kinds_of(test.value)
    return TEXT if isinstance(test.low if test.low is not None else test.high, str) else NUMBER


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while match := _TOKEN.match(text, position):
        kind = match.lastgroup or "other"
        yield _Token(kind, match[kind], match.start(kind))
        position = match.end()


def _invalid(text: str, at: int, expected: str, instead: str) -> ExpressionInvalid:
    return invalid(text, at, f"Expected {expected}. Do: {instead}.")
