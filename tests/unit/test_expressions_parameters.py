"""What an analyst can type into a parameter's field."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import ExpressionFailed, ExpressionInvalid
from engine.expressions import parse_parameter

DATA: dict[str, Any] = {"name": "Müller", "amount": 1250, "approved": True, "lines": [1], "nothing": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("plain text", "plain text"),
        (" kept as typed ", " kept as typed "),
        ("5 $ or 5 {} or } or # or 'it", "5 $ or 5 {} or } or # or 'it"),
        ("${amount}", 1250),
        ("  ${ amount + 1 }\n", 1251),
        ("${approved}", True),
        ("${nothing}", None),
        ("${lines}", [1]),
        ("${{'a': {'b': amount}}}", {"a": {"b": 1250}}),
        ("${'}'}", "}"),
        ("Dear ${name},\n${amount} is due", "Dear Müller,\n1250 is due"),
        ("${name}${amount}", "Müller1250"),
        ("$${amount}", "${amount}"),
        ("$$${amount}", "$${amount}"),
        ("write $${x} for ${'x'}", "write ${x} for x"),
        ('${"$"}${amount}', "$1250"),
        ('${"#"}{amount}', "#{amount}"),
        ("${'yes' if approved else 'no'}!", "yes!"),
        ("${name} ", "Müller"),
    ],
)
def test_a_parameter_has_this_value(text: str, value: object) -> None:
    found = parse_parameter(text).evaluate(DATA)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("Dear ${name", 5),
        ("Dear ${", 5),
        ("Dear ${name's}", 5),
        ("Dear ${}", 7),
        ("Dear ${name} and ${a && b}", 21),
        ("Dear ${name.first}", 7),
        ("Dear ${name} ${", 13),
        ("Dear #{name}", 5),
        ("${a ${b}}", 4),
        ("x" * 10_001, 0),
    ],
)
def test_a_parameter_that_cannot_be_read_is_refused_at_its_place(text: str, offset: int) -> None:
    with pytest.raises(ExpressionInvalid) as refused:
        parse_parameter(text)
    assert refused.value.offset == offset


@pytest.mark.parametrize("text", ["Dear ${nothing}", "Dear ${approved}", "Dear ${lines}", "Dear ${missing}", "Dear ${1 // 0}"])
def test_only_texts_and_whole_numbers_are_written_into_a_text(text: str) -> None:
    with pytest.raises(ExpressionFailed, match="column 8 of: Dear"):
        parse_parameter(text).evaluate(DATA)


def test_a_text_ends_at_its_limit_while_it_is_put_together() -> None:
    with pytest.raises(ExpressionFailed, match="at most 10,000 characters"):
        parse_parameter("${name}" * 1_400).evaluate({"name": "x" * 10_000})


def test_a_parameter_says_what_it_uses() -> None:
    parameter = parse_parameter("${name} ${amount + lines[0]} ${completed_by('approve')}")
    assert parameter.names == {"name", "amount", "lines"}
    assert parameter.flow_nodes == {"approve"}
    assert not parameter.is_literal
    assert parameter.evaluate(DATA, {"approve": "bob"}.get) == "Müller 1251 bob"


def test_a_text_without_expressions_is_literal() -> None:
    assert parse_parameter("plain $${text}").is_literal
    assert parse_parameter("").is_literal
    assert not parse_parameter("${1}").is_literal
