"""What expressions and conditions yield on data, and when they have no value."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from engine.errors import ExpressionFailed
from engine.expressions import parse_condition, parse_expression
from engine.expressions.limits import MAX_ELEMENTS, MAX_INTEGER, MAX_TEXT

DATA: dict[str, Any] = {
    "approved": True,
    "amount": 1250,
    "debt": -7,
    "currency": "EUR",
    "nothing": None,
    "empty": "",
    "lines": [{"amount": 3}, {"amount": 4}],
    "order": {"id": "A-1", "tags": ["new", "web"]},
}

VALUES = [
    ("amount", 1250),
    ("amount + 1 - 2 * 3", 1245),
    ("debt // 2", -4),
    ("debt % 3", 2),
    ("amount / 10", 125),
    ("-debt", 7),
    ("+debt", -7),
    ("'ab' * 3", "ababab"),
    ("0 * 'ab'", ""),
    ("-1 * 'ab'", ""),
    ("currency + '-' + str(amount)", "EUR-1250"),
    ("[1] + [2]", [1, 2]),
    ("{'a': amount}", {"a": 1250}),
    ("lines[0]['amount'] + lines[-1]['amount']", 7),
    ("currency[0]", "E"),
    ("order.get('id')", "A-1"),
    ("order.get('missing')", None),
    ("order.get('missing', 'none')", "none"),
    ("'yes' if approved else 'no'", "yes"),
    ("len(currency) + len(lines) + len(order)", 7),
    ("min(3, 1, 2)", 1),
    ("max([3, 1, 2])", 3),
    ("max('a', 'b')", "b"),
    ("abs(debt)", 7),
    ("sum([1, 2, 3])", 6),
    ("sum([])", 0),
    ("int('007')", 7),
    ("int('-12')", -12),
    ("int(amount)", 1250),
    ("upper(lower('Ab')) + strip('  x ')", "ABx"),
    ("contains(currency, 'U')", True),
    ("contains(order['tags'], 'web')", True),
    ("contains(order, 'id')", True),
    ("starts_with(currency, 'E') and ends_with(currency, 'R')", True),
]

TRUTHS = [
    ("approved", True),
    ("not approved", False),
    ("approved == True", True),
    ("1 == True", False),
    ("0 == False", False),
    ("1 != True", True),
    ("1 in [True]", False),
    ("[1] == [True]", False),
    ("{'a': [1]} == {'a': [True]}", False),
    ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", True),
    ("[1, 2] == [2, 1]", False),
    ("amount == '1250'", False),
    ("nothing == None", True),
    ("nothing is None", True),
    ("empty is None", False),
    ("empty is not None", True),
    ("nothing != 0", True),
    ("1000 < amount <= 1250", True),
    ("1 < 2 > 5", False),
    ("'B' > 'A'", True),
    ("'UR' in currency", True),
    ("'x' not in currency", True),
    ("'id' in order", True),
    ("3 in order", False),
    ("{'amount': 3} in lines", True),
    ("approved or missing", True),
    ("not approved and missing", False),
    ("nothing is not None and nothing > 3", False),
    ("True if approved else missing", True),
]

WITHOUT_VALUE = [
    ("missing", 'Expected a value for "missing", but it has none yet. Do: '),
    ("nothing > 3", '"is not None" first'),
    ("3 >= nothing", '"is not None" first'),
    ("amount > '3'", "compare like with like"),
    ("True < 2", "compare like with like"),
    ("[1] < [2]", "compare like with like"),
    ("amount and approved", "Expected True or False, but it is a whole number"),
    ("approved and currency", "Expected True or False, but it is a text"),
    ("not nothing", "Expected True or False"),
    ("1 if nothing else 2", "Expected True or False"),
    ("True + 1", "around"),
    ("-True", "Expected a whole number"),
    ("'a' + 1", "use str()"),
    ("currency % amount", "join texts with +"),
    ("amount - nothing", "Expected whole numbers"),
    ("[0] * 3", "Expected whole numbers"),
    ("'a' * True", "Expected whole numbers"),
    ("amount / 3", "use // to round down"),
    ("amount / 0", "other than 0"),
    ("amount // 0", "other than 0"),
    ("amount % 0", "other than 0"),
    ("lines[2]", "len()"),
    ("lines['a']", "a list with a text"),
    ("lines[True]", "a list with True or False"),
    ("order['missing']", ".get(name, default)"),
    ("amount[0]", "a whole number with a whole number"),
    ("lines.get('a')", "Expected a dictionary"),
    ("order.get(1)", "Expected a dictionary and a text"),
    ("{amount: 1}", "a text as key"),
    ("3 in currency", "Expected to look in"),
    ("nothing in amount", "Expected to look in"),
    ("int(' 7')", "digits"),
    ("int('1_0')", "digits"),
    ("int('٣')", "digits"),
    ("int('9999999999999999999')", "larger"),
    ("int(True)", "digits"),
    ("str(nothing)", "None"),
    ("str(approved)", "True or False"),
    ("len(amount)", "len()"),
    ("min([])", "at least one"),
    ("min(amount)", "two or more"),
    ("max(1, 'a')", "only whole numbers or only texts"),
    ("min(True, False)", "only whole numbers or only texts"),
    ("sum(amount)", "a list in sum()"),
    ("sum([True])", "whole numbers in sum()"),
    ("abs('1')", "whole numbers in abs()"),
    ("lower(1)", "a text in lower()"),
    ("starts_with(currency, 1)", "a text in starts_with()"),
    ("completed_by('approve')", "not known here"),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_an_expression_has_this_value(text: str, value: object) -> None:
    found = parse_expression(text).evaluate(DATA)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "holds"), TRUTHS)
def test_a_condition_holds_or_not(text: str, holds: bool) -> None:
    assert parse_condition(text).holds(DATA) is holds


@pytest.mark.parametrize(("text", "part"), WITHOUT_VALUE)
def test_without_a_value_the_failure_says_why_and_shows_the_expression(text: str, part: str) -> None:
    with pytest.raises(ExpressionFailed) as failed:
        parse_expression(text).evaluate(DATA)
    message = str(failed.value)
    assert part in message
    assert message.startswith("Expected ")
    assert message.endswith(f"of: {text})")


@pytest.mark.parametrize("text", ["amount", "currency", "nothing", "lines", "'True'", "0"])
def test_nothing_but_true_and_false_decides(text: str) -> None:
    with pytest.raises(ExpressionFailed, match="Expected True or False"):
        parse_condition(text).holds(DATA)


def test_a_failure_shows_the_column_in_characters_and_no_data() -> None:
    with pytest.raises(ExpressionFailed, match="column 12 of") as failed:
        parse_expression("${'äöü' + (geheim + 1)}").evaluate({"geheim": "4242"})
    assert "4242" not in str(failed.value)


def test_who_completed_a_user_task_is_asked_of_the_caller() -> None:
    users = {"enter_amount": "ann", "approve": "bob"}
    condition = parse_condition("completed_by('enter_amount') != completed_by('approve')")
    assert condition.holds({}, users.get) is True
    assert parse_condition("completed_by('charge') is None").holds({}, users.get) is True
    assert parse_expression("completed_by('approve')").evaluate({}, users.get) == "bob"


def test_the_largest_numbers_are_kept_and_larger_ones_refused() -> None:
    assert parse_expression("a + 0").evaluate({"a": MAX_INTEGER}) == MAX_INTEGER
    assert parse_expression("-a").evaluate({"a": MAX_INTEGER}) == -MAX_INTEGER
    for text in ("a + 1", "a * a", "-a - 1", "sum([a, 1])"):
        with pytest.raises(ExpressionFailed, match="larger"):
            parse_expression(text).evaluate({"a": MAX_INTEGER})


def test_texts_and_lists_end_at_their_limits() -> None:
    data: dict[str, Any] = {"text": "x" * MAX_TEXT, "list": [0] * MAX_ELEMENTS, "half": [0] * (MAX_ELEMENTS // 2)}
    assert parse_expression("text + ''").evaluate(data) == data["text"]
    assert parse_expression("half + half").evaluate(data) == data["list"]
    for text in ("text + 'x'", "text * 2", "list + [0]", "[half, half]", "{'a': half, 'b': half}", "'ß' * 10000 + text"):
        with pytest.raises(ExpressionFailed, match="at most"):
            parse_expression(text).evaluate(data)
    with pytest.raises(ExpressionFailed, match="at most"):
        parse_expression("upper('ß' * 9000)").evaluate({})


@pytest.mark.parametrize(
    "value",
    [1.5, 10**30, "x" * (MAX_TEXT + 1), [0] * (MAX_ELEMENTS + 1), {1: 2}, (1,), {1}, b"x", object(), [[1.5]], ["x" * 9_999] * 11],
)
def test_data_that_is_no_value_is_refused_when_it_is_read_and_only_then(value: object) -> None:
    data: Any = {"odd": value, "fine": 1}
    assert parse_expression("fine").evaluate(data) == 1
    with pytest.raises(ExpressionFailed, match="Expected"):
        parse_expression("odd").evaluate(data)


def test_data_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ExpressionFailed, match="at most"):
        parse_expression("endless == endless").evaluate({"endless": endless})


def test_what_comes_out_shares_nothing_with_the_data() -> None:
    data: dict[str, Any] = {"lines": [{"amount": 3}]}
    found: Any = parse_expression("lines").evaluate(data)
    found[0]["amount"] = 4
    assert data == {"lines": [{"amount": 3}]}


def test_reading_does_not_make_entries_in_mappings_that_would() -> None:
    data: defaultdict[str, Any] = defaultdict(int)
    with pytest.raises(ExpressionFailed, match='value for "a"'):
        parse_expression("a").evaluate(data)
    assert not data
