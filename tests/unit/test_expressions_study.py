"""What can be told of an expression without any data: kinds of values, and what can never go well. It agrees with evaluation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.connector import Value
from engine.errors import ExpressionFailed, ExpressionInvalid
from engine.expressions import parse_condition, parse_expression, parse_parameter, parse_script
from engine.expressions.kinds import BOOLEAN, NOTHING, NUMBER, TEXT, Kinds, kinds_of
from engine.expressions.study import Assigned

NAMES: dict[str, Kinds] = {"n": NUMBER | NOTHING, "t": TEXT | NOTHING, "b": BOOLEAN | NOTHING}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("n + 1", NUMBER),
        ("t + 'x'", TEXT),
        ("n > 0 and b", BOOLEAN),
        ("not b", BOOLEAN),
        ("t if b else n", TEXT | NUMBER | NOTHING),
        ("len(t)", NUMBER),
        ("str(n)", TEXT),
        ("t in ['a', 'b']", BOOLEAN),
        ("completed_by('enter')", TEXT | NOTHING),
        ("-n", NUMBER),
        ("'ab' * n", TEXT | NUMBER),
    ],
)
def test_an_expression_has_these_kinds(text: str, kinds: Kinds) -> None:
    study = parse_expression(text).study(NAMES)
    assert (study.kinds, study.mismatches) == (kinds, ())


NEVER = (
    *("n == 't'", "b == 'yes'", "t > 1", "b < b", "n + t", "t - t", "not n", "n and b", "1 if t else 2", "t in n", "n in t"),
    *("n in ['a']", "len(n)", "lower(n)", "abs(t)", "sum(n)", "str(b)", "-t", "n['a']", "t.get('a')", "b is None and n == t"),
)


@pytest.mark.parametrize("text", NEVER)
def test_what_can_never_go_well_is_told_with_its_place_and_remedy(text: str) -> None:
    [mismatch] = parse_expression(text).study(NAMES).mismatches
    assert mismatch.startswith("Expected ")
    assert "Do: " in mismatch
    assert "(column " in mismatch


@pytest.mark.parametrize(
    "text",
    ["n is None", "n == None", "t != None", "unknown == n", "unknown > t", "n == m", "t in unknown", "n is not None and n > 0"],
)
def test_what_may_go_well_is_left_alone(text: str) -> None:
    assert parse_condition(text).study(NAMES).mismatches == ()


def test_comparisons_with_what_is_written_out_are_told_on_either_side_and_in_lists() -> None:
    study = parse_condition("t == 'a' or 'b' != t or t in ['c', 'd'] or n is None").study(NAMES)
    assert [(each.name, each.value) for each in study.compared] == [("t", "a"), ("t", "b"), ("t", "c"), ("t", "d"), ("n", None)]
    assert study.reckons_with_nothing == {"n"}


def test_a_text_with_expressions_in_it_takes_only_what_can_be_written_out() -> None:
    assert parse_parameter("${n} and ${t}").study(NAMES).mismatches == ()
    [mismatch] = parse_parameter("${n} and ${b}").study(NAMES).mismatches
    assert "inside a text" in mismatch


def test_a_script_tells_what_it_reads_before_it_sets_it_and_what_it_assigns() -> None:
    study = parse_script("a = n\nif b:\n  c = 1\nelse:\n  c = 'x'\nd = a + c\nt += 'y'").study(NAMES)
    assert study.reads == {"n", "b", "t"}
    assert study.assigned[1:3] == (Assigned("c", NUMBER, True, 1), Assigned("c", TEXT, True, "x"))


def test_what_is_set_in_one_branch_only_may_be_read_unset() -> None:
    assert parse_script("if b:\n  c = 1\nd = c").study(NAMES).reads == {"b", "c"}


LEAVES = ["n", "t", "b", "1", "'x'", "True", "None", "[1]"]
TEXTS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "==", "<", "and", "in", "or"]), inner).map(
            lambda p: f"({p[0]} {p[1]} {p[2]})"
        ),
        st.tuples(st.sampled_from(["not ", "-"]), inner).map(lambda p: f"({p[0]}{p[1]})"),
        st.tuples(st.sampled_from(["len", "str", "lower", "int"]), inner).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} else {p[2]})"),
    ),
    max_leaves=6,
)
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "n": st.sampled_from([None, 0, 3]),
    "t": st.sampled_from([None, "", "ab", "7"]),
    "b": st.sampled_from([None, True, False]),
}


@given(TEXTS, st.fixed_dictionaries(VALUES))
def test_every_value_that_an_expression_gives_is_of_a_kind_that_was_foretold(text: str, data: dict[str, Value]) -> None:
    try:
        expression = parse_expression(text)
    except ExpressionInvalid:
        return
    study = expression.study(NAMES)
    try:
        value = expression.evaluate(data)
    except ExpressionFailed:
        return
    if not isinstance(value, list | dict):
        assert kinds_of(value) <= study.kinds
