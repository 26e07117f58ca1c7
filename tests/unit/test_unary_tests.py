"""What the cells of a decision table hold for, and what is refused in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.definition.decisions.unary_tests import parse_literals, parse_unary_tests
from engine.errors import ExpressionInvalid

HOLDS: list[tuple[str, list[Any], list[Any]]] = [
    ("", [1, "a", True, None], []),
    (" - ", [1, "a", True, None], []),
    ("5", [5], [4, 6, None]),
    ("-5", [-5], [5]),
    ('"gold"', ["gold"], ["Gold", "", None]),
    ("true", [True], [False, None]),
    ("false", [False], [True]),
    ("null", [None], [1, "a", False]),
    ("< 100", [99, -1], [100, None]),
    ("<= 100", [100], [101]),
    ("> 100", [101], [100]),
    (">=100", [100], [99]),
    ("[1..5]", [1, 5], [0, 6, None]),
    ("(1..5]", [2, 5], [1]),
    ("[1..5)", [1, 4], [5]),
    ("]1..5[", [2, 4], [1, 5]),
    ("[5..5]", [5], [4, 6]),
    ('"a","b"', ["a", "b"], ["c", None]),
    ("1, > 10, null", [1, 11, None], [2, 10]),
    ("< 0, [5..6], 9", [-1, 5, 9], [0, 7]),
    ('not("a", "b")', ["c", "", None], ["a", "b"]),
    ("not(< 5)", [5], [4, None]),
    ("not(null)", [1, "a"], [None]),
    ("not( true )", [False, None], [True]),
    ('date("2026-01-31")', ["2026-01-31"], ["2026-02-01"]),
    ('[date("2026-01-01")..date("2026-12-31")]', ["2026-06-30"], ["2027-01-01", None]),
    ('< "2026-07"', ["2026-06"], ["2026-07"]),
    (r'"say \"yes\" \\ no"', ['say "yes" \\ no'], ["say"]),
    ('"a,b", "c)"', ["a,b", "c)"], ["a"]),
]


@pytest.mark.parametrize(("text", "holding", "others"), HOLDS, ids=[text for text, _, _ in HOLDS])
def test_a_cell_holds_for_what_feel_says(text: str, holding: list[Any], others: list[Any]) -> None:
    tests = parse_unary_tests(text)
    assert all(tests.judges(value) for value in [*holding, *others])
    assert [value for value in [*holding, *others] if tests.hold(value)] == holding


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", "5"), ('"5"', 5), ("1", True), ("true", 1), ("< 5", "a"), ('> "a"', 5), ("5", [5]), ('"a"', ["a"]), ('"a"', {})],
)
def test_what_a_cell_is_not_written_for_is_no_match_but_an_error(text: str, value: Any) -> None:
    assert not parse_unary_tests(text).judges(value)


REFUSED = {
    "gold": '"gold" in quotes',
    "TRUE": "write true",
    "99.50": "1250 for 12.50",
    "= 5": "write the value alone",
    "!= 5": "write not(...)",
    "? > 5": "column's expression",
    "< limit": "column's expression",
    "'gold'": "double quotes",
    "${5}": "without ${ }",
    "1 2": "there is",
    "1,": "the end",
    "[1..": "the end",
    "[1..5": "the end",
    "[5..1]": "it holds nothing",
    "(5..5]": "it holds nothing",
    '[1.."a"]': "it holds nothing",
    "< true": "a number or text to compare with",
    "< null": "a number or text to compare with",
    "not 5": '"("',
    "not(5": '")"',
    "not(-)": "there is",
    "not()": "there is",
    "not(not(5))": "the word not",
    "5, -": "there is",
    '5, "a"': "values of one kind",
    "true, 1": "values of one kind",
    "date(5)": "a date of the calendar",
    'date("2026-02-30")': "a date of the calendar",
    'date and time("2026-02-01T00:00:00")': "the word date",
    'duration("P1D")': "the word duration",
    '"\\n"': "write the character itself",
    '"open': "there is",
    "12345678901234567890": "there is",
    "5a": "there is",
    "1..5": "there is",
    "5; drop": "there is",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_understood_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(ExpressionInvalid, match=r"Expected .*\. Do: ") as refused:
        parse_unary_tests(text)
    assert REFUSED[text] in str(refused.value)
    assert 0 <= refused.value.offset <= len(text)


@pytest.mark.parametrize("text", ["5," * 3_000 + "5", "9" * 5_000, ",".join(["1"] * 501)])
def test_a_cell_has_an_end(text: str) -> None:
    with pytest.raises(ExpressionInvalid, match="at most"):
        parse_unary_tests(text)


def test_listed_values_are_values_alone() -> None:
    assert parse_literals('"gold", "silver"') == ("gold", "silver")
    for text in ("< 5", 'not("a")', "-", "", "[1..5]"):
        with pytest.raises(ExpressionInvalid, match="a list of values"):
            parse_literals(text)


@given(st.text('0159.,-<>=[]()"\\ ntruefalsdo?${', max_size=14), st.sampled_from([None, 1, True, "a", [1]]))
def test_every_text_is_understood_or_refused(text: str, value: Any) -> None:
    try:
        tests = parse_unary_tests(text)
    except ExpressionInvalid:
        return
    assert not tests.judges(value) or tests.hold(value) in (True, False)
