"""What holds for every text and all data: errors of ours only, data untouched, Python's answers where both have one."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine.expressions
from engine.errors import EngineError, ExpressionFailed
from engine.expressions import parse_condition, parse_expression, parse_parameter, parse_script
from engine.expressions.limits import MAX_INTEGER

NAMES = ("a", "b", "c")
INTEGERS = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.integers(-9, 9)
SCALARS = st.none() | st.booleans() | INTEGERS | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
)
ANYTHING = VALUES | st.floats() | st.tuples(st.integers()) | st.binary(max_size=3) | st.integers() | st.builds(object)
PIECES = st.sampled_from(
    [
        *("a", "b", "c", "x", "0", "1", "2", "9999999999", "1.5", "''", "'x'", '"y"', "None", "True", "False", "é", "ﬁ"),
        *(
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "a[",
            ",",
            ":",
            ".",
            ".get(",
            "'",
            '"',
            "\\",
            "#",
            "\n",
            "\t",
            "\n    ",
            "${",
            "$${",
            "#{",
        ),
        *("+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or", "not", "in", "is", "if", "else", "elif"),
        *("=", "+=", "-=", "*=", "**", ":=", "&&", "||", "!", "?", ";", "@", "~", "|", "->", "lambda", "for", "__class__", "eq"),
        *("len(", "min(", "sum(", "str(", "int(", "upper(", "completed_by(", "'a'", "\x00", "\ud800", "\u00a0", "\r", "\x0c"),
    ]
)
TEXTS = st.text(max_size=60) | st.lists(PIECES, max_size=40).map(" ".join) | st.lists(PIECES, max_size=40).map("".join)


def _sources(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Well-formed expressions, most of which have no value as their types don't fit."""

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        signs = st.sampled_from(["+", "-", "*", "//", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in"])
        functions = st.sampled_from(["len", "abs", "str", "int", "sum", "upper", "max"])
        return (
            st.builds("({} {} {})".format, inner, signs, inner)
            | st.builds("({} if {} else {})".format, inner, inner, inner)
            | st.builds("(not {})".format, inner)
            | st.builds("(-{})".format, inner)
            | st.builds("{}({})".format, functions, inner)
            | st.lists(inner, max_size=3).map(lambda elements: f"[{', '.join(elements)}]")
            | st.builds("({})[{}]".format, inner, inner)
        )

    return st.recursive(leaves, grow, max_leaves=12)


def _typed_sources(depth: int) -> tuple[st.SearchStrategy[str], st.SearchStrategy[str], st.SearchStrategy[str]]:
    """Expressions whose types fit: numbers, truths and texts, over the data items n, m, p, q, s and t."""
    numbers = st.sampled_from(["n", "m", "0", "7", "-3"])
    truths = st.sampled_from(["p", "q", "True", "False"])
    texts = st.sampled_from(["s", "t", "''", "'ab'"])
    for _ in range(depth):
        compare = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
        calculate = st.sampled_from(["+", "-", "*", "//", "%"])
        decide = st.sampled_from(["and", "or", "==", "!="])
        numbers, truths, texts = (
            numbers
            | st.builds("({} {} {})".format, numbers, calculate, numbers)
            | st.builds("({} if {} else {})".format, numbers, truths, numbers)
            | st.builds("(-{})".format, numbers)
            | st.builds("len({})".format, texts)
            | st.builds("max({}, {})".format, numbers, numbers)
            | st.builds("sum([{}, {}])".format, numbers, numbers)
            | st.builds("[{}, {}][0]".format, numbers, numbers),
            truths
            | st.builds("({} {} {})".format, truths, decide, truths)
            | st.builds("({} {} {} {} {})".format, numbers, compare, numbers, compare, numbers)
            | st.builds("({} {} {})".format, texts, compare, texts)
            | st.builds("(not {})".format, truths)
            | st.builds("({} in {})".format, texts, texts)
            | st.builds("({} not in [{}])".format, numbers, numbers)
            | st.builds("([{}, {}] == [{}])".format, texts, truths, texts),
            texts
            | st.builds("({} + {})".format, texts, texts)
            | st.builds("str({})".format, numbers)
            | st.builds("({} if {} else {})".format, texts, truths, texts)
            | st.builds("{{'k': {}}}.get({}, {})".format, texts, texts, texts),
        )
    return numbers, truths, texts


LEAVES = st.sampled_from([*NAMES, "1", "0", "'x'", "True", "None", "{'x': a}"])


@pytest.mark.parametrize("parse", [parse_expression, parse_condition, parse_parameter, parse_script])
@given(text=TEXTS, data=st.dictionaries(st.sampled_from(NAMES), ANYTHING))
@settings(max_examples=150, deadline=None)
def test_any_text_on_any_data_has_a_value_or_an_error_of_ours(parse: Any, text: str, data: dict[str, Any]) -> None:
    def parse_and_run() -> None:
        parsed = parse(text)
        run = getattr(parsed, {parse_condition: "holds", parse_script: "run"}.get(parse, "evaluate"))
        run(data, {"a": "bob"}.get)

    error = _error_of_ours(parse_and_run)
    assert 0 <= getattr(error, "offset", 0) <= len(text)


@given(piece=st.text(min_size=1, max_size=6) | PIECES, ending=st.text(max_size=3))
@settings(max_examples=150, deadline=None)
def test_a_long_text_of_one_thing_repeated_is_only_an_error_of_ours(piece: str, ending: str) -> None:
    text = (piece * 4_000)[: 4_000 - len(ending)] + ending
    for parse in (parse_expression, parse_parameter, parse_script):
        _error_of_ours(partial(parse, text))


def _error_of_ours(action: Callable[[], object]) -> EngineError | None:
    """The error an action ends with, if any; whatever is no error of ours passes through and fails the test."""
    found: EngineError | None = None
    try:
        action()
    except EngineError as error:
        found = error
    assert found is None or (str(found).startswith("Expected ") and "Do: " in str(found))
    return found


@given(text=_sources(LEAVES), data=st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)))
@settings(max_examples=200, deadline=None)
def test_the_data_is_never_changed_and_the_answer_is_always_the_same(text: str, data: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    first, second = _answer(text, data), _answer(text, data)
    _error_of_ours(lambda: parse_script(f"a = {text}\nb = [a, a]\nb[0] = {text}").run(data))
    assert data == before
    assert first == second


def _answer(text: str, data: dict[str, Any]) -> str:
    try:
        return repr(parse_expression(text).evaluate(data))
    except EngineError as error:
        return str(error)


@given(
    text=st.one_of(*_typed_sources(3)),
    data=st.fixed_dictionaries(
        {
            **dict.fromkeys("nm", st.integers(-9, 9)),
            **dict.fromkeys("pq", st.booleans()),
            **dict.fromkeys("st", st.text(max_size=3)),
        }
    ),
)
@settings(max_examples=400, deadline=None)
def test_where_types_fit_the_answer_is_pythons(text: str, data: dict[str, Any]) -> None:
    expression = parse_expression(text)
    try:
        expected = eval(text, {"__builtins__": {"len": len, "max": max, "sum": sum, "str": str}}, data)
    except ZeroDivisionError:
        with pytest.raises(ExpressionFailed, match="other than 0"):
            expression.evaluate(data)
    else:
        answer = expression.evaluate(data)
        assert answer == expected
        assert type(answer) is type(expected)


@given(left=INTEGERS, right=INTEGERS, sign=st.sampled_from(["+", "-", "*", "//", "%", "/"]))
def test_numbers_are_calculated_as_python_does_within_63_bits(left: int, right: int, sign: str) -> None:
    calculate = {"+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod}
    impossible = (sign in "//%" and right == 0) or (sign == "/" and left % right != 0)
    exact = None if impossible else calculate.get(sign, operator.floordiv)(left, right)
    expression = parse_expression(f"a {sign} b")
    if exact is None or abs(exact) > MAX_INTEGER:
        with pytest.raises(ExpressionFailed):
            expression.evaluate({"a": left, "b": right})
    else:
        assert expression.evaluate({"a": left, "b": right}) == exact


@given(left=SCALARS, right=SCALARS)
def test_values_are_equal_only_within_one_type(left: Any, right: Any) -> None:
    expected = type(left) is type(right) and left == right
    data = {"a": left, "b": right}
    assert parse_condition("a == b").holds(data) is expected
    assert parse_condition("a != b").holds(data) is not expected
    assert parse_condition("a in [b]").holds(data) is expected
    assert parse_condition("[a] == [b]").holds(data) is expected


@given(left=st.booleans(), right=st.booleans())
def test_and_or_not_are_pythons_on_true_and_false(left: bool, right: bool) -> None:
    data: dict[str, Any] = {"a": left, "b": right}
    assert parse_condition("a and not b or b and not a").holds(data) is (left != right)
    assert parse_condition("a or b").holds(data) is (left or right)
    assert parse_condition("a and b").holds(data) is (left and right)


@given(text=st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=50))
def test_a_text_without_expression_signs_comes_out_as_it_was_typed(text: str) -> None:
    literal = text.replace("#{", "").replace("${", "$${")
    expected = literal.replace("$${", "${")
    if "#{" not in literal:
        assert parse_parameter(literal).evaluate({}) == expected


def test_every_exported_name_exists_and_is_sorted() -> None:
    exported = engine.expressions.__all__
    assert exported == sorted(exported)
    assert all(hasattr(engine.expressions, name) for name in exported)
