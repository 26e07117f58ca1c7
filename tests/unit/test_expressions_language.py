"""Which texts are expressions, which are refused, and what the refusal tells the analyst."""

from __future__ import annotations

import pytest

from engine.errors import ExpressionInvalid
from engine.expressions import parse_condition, parse_expression
from engine.expressions.limits import MAX_CHARACTERS, MAX_DEPTH

ACCEPTED = [
    "approved",
    " \n approved \t",
    "${approved}",
    "  ${ approved }\n",
    "approved\nand amount > 0",
    "approved\r\nand amount > 0",
    "not approved",
    "amount >= 1_000 and currency in ['EUR', 'USD']",
    "1 < amount < 10",
    "amount // 100 * 3 % 7 - -1 + 2",
    "order['lines'][0].get('amount', 0)",
    "'yes' if approved else 'no'",
    "{'a': 1, 'b': [None, True]}",
    "name is not None",
    "name not in other",
    "contains(lower(strip(name)), 'gmbh')",
    "completed_by('approve') != completed_by('enter_amount')",
    "'it\\'s' + \"\\n\\t\\\\\"",
    "beträge['März']",
    "'a # b } ${c} && d = e'",
    "match == case",
]

REFUSED_WITH_HINT = [
    ("approved = True", 9, 'write "=="'),
    ("${approved = True}", 11, 'write "=="'),
    ("= approved", 0, "FEEL"),
    ("a && b", 2, 'write "and"'),
    ("a || b", 2, 'write "or"'),
    ("!a", 0, 'write "not"'),
    ("a === b", 2, 'write "=="'),
    ("a <> b", 2, 'write "!="'),
    ("a ? 1 : 2", 2, "if condition else"),
    ("a == true", 5, 'write "True"'),
    ("a == false", 5, 'write "False"'),
    ("a == null", 5, 'write "None"'),
    ("a eq 1", 2, 'write "=="'),
    ("a lt (b)", 2, 'write "<"'),
    ("a AND b", 2, 'write "and"'),
    ("empty a", 0, 'write "is None"'),
    ("#{a}", 0, "write ${...}"),
    ("${a} and ${b}", 4, "${a and b}"),
    ("a and ${b}", 6, "${...}"),
    ("customer.name", 0, '["name"]'),
    ("name.lower()", 0, "lower(...)"),
    ("12.50", 0, "minor units"),
    ("a * .5", 4, "minor units"),
    ("1e3", 0, "minor units"),
    ("a / round(b)", 4, "//"),
    ("f'{a}'", 0, "plain quotes"),
    ("'it''s'", 4, "one pair of quotes"),
    ("['a' 'b']", 5, "join them"),
    ("'''a'''", 2, "one pair of quotes"),
    ("a == “b”", 5, "straight quotes"),
    ("a\u00a0== b", 1, "ordinary space"),
    ("'abc", 0, "close it"),
    ("'C:\\data'", 3, "double the backslash"),
    ("a is True", 5, "== or !="),
    ("'%s' % a", 0, "join texts with +"),
    ("x[1:2]", 2, "range"),
    ("(1, 2)", 0, "[a, b]"),
    ("{1, 2}", 0, "[a, b]"),
    ("(a", 0, "close it"),
    ("a) + (b", 1, "closes none"),
    ("a ** b", 2, "multiply"),
    ("2 * (a := 1)", 7, '"=="'),
    ("len(a, b)", 0, "Expected 1 value in len()"),
    ("unknown(a)", 0, "use one of abs, completed_by"),
    ("completed_by(name)", 13, "in quotes"),
    ("completed_by('')", 13, "in quotes"),
    ("a b", 0, "missing operator"),
    ("", 0, "there is nothing"),
    ("${ }", 2, "there is nothing"),
    ("${a", 0, "close the expression"),
    ("from == 1", 0, "call the data item something else"),
    ("9223372036854775808", 0, "check the digits"),
]

OUTSIDE_THE_LANGUAGE = [
    "().__class__.__bases__[0].__subclasses__()",
    "''.__class__",
    "a.__globals__['x']",
    "getattr(a, 'b')",
    "__import__('os').system('id')",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "globals()",
    "'{0.__class__}'.format(a)",
    "'%(a)s' % {'a': 1}",
    "f'{a.__class__}'",
    "rf'{a}'",
    "b'bytes'",
    "r'raw'",
    "lambda: 1",
    "(lambda x: x)(1)",
    "[x for x in y]",
    "{x: 1 for x in y}",
    "(x for x in y)",
    "(yield)",
    "await a",
    "print(*a)",
    "[*a]",
    "{**a}",
    "len(**a)",
    "min(a, key=b)",
    "a.get(key='b')",
    "a.get('b', 1, 2)",
    "a.get()",
    "a.get",
    "a.pop('b')",
    "'a'()",
    "a[0]()",
    "a @ b",
    "a | b",
    "a & b",
    "a ^ b",
    "~a",
    "a << b",
    "...",
    "1j",
    "0x10",
    "007",
    "1if a else b",
    "a; b",
    "a # comment",
    "a\\\n+ b",
    "a\x00b",
    "a\x0cb",
    "'\x1b[31m'",
    "'\ud800'",
    "'\\ud800'",
    "ﬁeld",
    "x²",
    "import os",
    "del a",
    "a, b",
    "()",
    "{1: 2, **a}",
    "assert a",
    "`a`",
    "$a",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_is_in_the_language_is_accepted(text: str) -> None:
    assert parse_expression(text).text == text
    assert parse_condition(text).text == text


@pytest.mark.parametrize(("text", "offset", "hint"), REFUSED_WITH_HINT)
def test_a_refusal_points_at_the_place_and_says_what_to_write(text: str, offset: int, hint: str) -> None:
    with pytest.raises(ExpressionInvalid) as refused:
        parse_condition(text)
    assert refused.value.offset == offset
    assert hint in str(refused.value)


@pytest.mark.parametrize("text", OUTSIDE_THE_LANGUAGE)
def test_what_could_reach_further_than_data_is_refused(text: str) -> None:
    with pytest.raises(ExpressionInvalid) as refused:
        parse_expression(text)
    message = str(refused.value)
    assert message.startswith("Expected ")
    assert "Do: " in message


def test_a_function_name_without_brackets_is_only_a_data_item() -> None:
    expression = parse_expression("len")
    assert expression.names == {"len"}
    assert expression.functions == frozenset()


def test_an_expression_says_what_it_uses() -> None:
    condition = parse_condition("completed_by('approve') != completed_by('enter') and len(order.get(key, ['x'])) > limit[0]")
    assert condition.names == {"order", "key", "limit"}
    assert condition.functions == {"completed_by", "len"}
    assert condition.flow_nodes == {"approve", "enter"}


def test_texts_make_expressions_equal() -> None:
    assert parse_expression("a + 1") == parse_expression("a + 1")
    assert len({parse_expression("a"), parse_expression("a"), parse_expression("b")}) == 2


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_CHARACTERS + 1),
        "+".join(["a"] * 251),
        "[" + "1," * 600 + "]",
        "a" + " or a" * 500,
        "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1),
        "not " * (MAX_DEPTH + 1) + "a",
        "-" * 3_999 + "1",
        "(" * 4_000,
        "a" + "[0]" * 1_300,
        "a" + ".b" * 1_900,
        "a if b else " * 300 + "c",
        "{'a':" * 500 + "1" + "}" * 500,
        "9" * 4_000,
        "a<" * 1_999 + "a",
    ],
)
def test_a_text_over_the_limits_is_refused(text: str) -> None:
    with pytest.raises(ExpressionInvalid):
        parse_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "a" * MAX_CHARACTERS,
        "[" + "1," * 498 + "1]",
        "a" + " or a" * 498,
        "(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH,
        "+".join(["a"] * MAX_DEPTH),
    ],
)
def test_a_text_at_the_limits_is_accepted(text: str) -> None:
    assert parse_expression(text).names <= {"a" * MAX_CHARACTERS, "a"}


def test_a_message_shows_the_line_shortened_and_nothing_that_steers_a_terminal() -> None:
    with pytest.raises(ExpressionInvalid) as refused:
        parse_expression("approved\nand '\x1b[2J' + " + "b" * 200 + " = 1")
    message = str(refused.value)
    assert "\x1b" not in message
    assert "line 2, column 5" in message
    assert len(message.split("of: ")[1]) < 90
