"""What a script task may do to the data, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import ExpressionFailed, ExpressionInvalid
from engine.expressions import parse_script

RUNS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("x = 1", {}, {"x": 1}),
    ("x = a + 1\ny = x * 2", {"a": 1}, {"a": 1, "x": 2, "y": 4}),
    ("x += 1", {"x": 1}, {"x": 2}),
    ("x -= 1", {"x": 1}, {"x": 0}),
    ("x += 'b'", {"x": "a"}, {"x": "ab"}),
    ("x['k'] = 1", {"x": {}}, {"x": {"k": 1}}),
    ("x['k']['l'] = 1", {"x": {"k": {"m": 2}}}, {"x": {"k": {"m": 2, "l": 1}}}),
    ("x[0]['n'] += 5", {"x": [{"n": 1}]}, {"x": [{"n": 6}]}),
    ("x[-1] = 9", {"x": [1, 2]}, {"x": [1, 9]}),
    ("x[key] = 1", {"x": {}, "key": "a"}, {"x": {"a": 1}, "key": "a"}),
    ("if a:\n    x = 1\nelse:\n    x = 2", {"a": False}, {"a": False, "x": 2}),
    ("if a == 1:\n    x = 1\nelif a == 2:\n    x = 2\nelse:\n    x = 3", {"a": 2}, {"a": 2, "x": 2}),
    ("if a:\n  if not a:\n    x = 1\n  y = 2", {"a": True}, {"a": True, "y": 2}),
    ("# what's this\nx = 1  # 'one\n\n", {}, {"x": 1}),
    ("x = [\n  1,\n  2,\n]", {}, {"x": [1, 2]}),
    ("x = completed_by('approve')", {}, {"x": "bob"}),
    # as a diagram gives it: indented as a whole, or all but the first line
    ("\n    x = 1\n    if x == 1:\n        y = 2\n  ", {}, {"x": 1, "y": 2}),
    ("x = 1\n        y = 2\n        if y == 2:\n            z = 3", {}, {"x": 1, "y": 2, "z": 3}),
    ("if a:\n            x = 1\n        y = 2", {"a": False}, {"a": False, "y": 2}),
    ("if a:\n    x = 1\n    y = 2", {"a": False}, {"a": False}),
    ("x = 1\r\n  y = 2\r\n  z = 'ü'", {}, {"x": 1, "y": 2, "z": "ü"}),
]

REFUSED = [
    ("", 0, "there is nothing"),
    ("# only this", 0, "write name = value"),
    ("x", 0, "changes nothing"),
    ("x == 1", 0, "changes nothing"),
    ("a = b = 1", 4, "one assignment"),
    ("x, y = 1, 2", 0, "a name before"),
    ("[x] = [1]", 0, "a name before"),
    ("x.y = 1", 0, "a name before"),
    ("x.get('a')['b'] = 1", 0, "a name before"),
    ("x: int = 1", 0, "leave the type away"),
    ("x *= 2", 2, "name = name * value"),
    ("x //= 2", 2, "name = name // value"),
    ("x %= 2", 2, "name = name % value"),
    ("x /= 2", 2, "no meaning"),
    ("x **= 2", 2, "no meaning"),
    ("x @= 2", 2, "no meaning"),
    ("x |= 2", 2, "no meaning"),
    ("x <<= 2", 2, "no meaning"),
    ("x = 1; y = 2", 5, "one statement on a line"),
    ("if a = 1:\n    x = 2", 5, 'write "=="'),
    ("x = 1\nif a and b = 1:\n    x = 2", 17, 'write "=="'),
    ("x = len(a = 1)", 12, 'named with "="'),
    ("x = 1.5", 4, "minor units"),
    ("x = a && b", 6, 'write "and"'),
    ("for x in y:\n    z = 1", 0, "no loops"),
    ("while True:\n    x = 1", 0, "no loops"),
    ("import os", 0, "service task"),
    ("def f():\n    x = 1", 0, "functions cannot be made"),
    ("if a:\n    pass", 10, "leave the branch away"),
    ("x[1:2] = [3]", 2, "range"),
    ("x = (y := 1)", 7, '"=="'),
    ("True = 1", 0, "cannot be read"),
    ("with a as b:\n    x = 1", 0, "no meaning"),
    ("del x", 0, "no meaning"),
    ("print('x')", 0, "changes nothing"),
]


@pytest.mark.parametrize(("text", "before", "after"), RUNS)
def test_a_script_makes_this_of_the_data(text: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    assert parse_script(text).run(before, {"approve": "bob"}.get) == after


@pytest.mark.parametrize(("text", "offset", "hint"), REFUSED)
def test_a_script_with_anything_else_is_refused(text: str, offset: int, hint: str) -> None:
    with pytest.raises(ExpressionInvalid) as refused:
        parse_script(text)
    assert hint in str(refused.value)
    assert refused.value.offset == offset


def test_uneven_indentation_is_refused_on_its_line() -> None:
    with pytest.raises(ExpressionInvalid, match="line 2, "):
        parse_script("x = 1\n  y = 2\n z = 3")


def test_a_script_says_what_it_reads_and_writes() -> None:
    script = parse_script("x = a\ny['k'] = b\nz += 1\nif c:\n    w = completed_by('approve')")
    assert script.reads == {"a", "b", "c", "y", "z"}
    assert script.writes == {"x", "y", "z", "w"}
    assert script.flow_nodes == {"approve"}
    assert script.functions == {"completed_by"}


def test_the_data_at_hand_is_never_changed() -> None:
    data: dict[str, Any] = {"x": {"a": [1]}, "y": 1}
    after: Any = parse_script("x['a'][0] = 2\ny += 1\nz = x").run(data)
    assert data == {"x": {"a": [1]}, "y": 1}
    assert after == {"x": {"a": [2]}, "y": 2, "z": {"a": [2]}}


def test_two_items_never_change_together() -> None:
    after = parse_script("x = {'n': 1}\ny = x\ny['n'] = 2\nz = [x, x]\nz[0]['n'] = 3\nx['self'] = x").run({})
    assert after == {"x": {"n": 1, "self": {"n": 1}}, "y": {"n": 2}, "z": [{"n": 3}, {"n": 1}]}


@pytest.mark.parametrize(
    ("text", "data", "part"),
    [
        ("x['k'] = 1", {}, 'value for "x"'),
        ("x['k'] = 1", {"x": None}, "a dictionary first"),
        ("x[0] = 1", {"x": {}}, "a dictionary with a whole number"),
        ("x['k']['l'] = 1", {"x": {}}, ".get"),
        ("x[3] = 1", {"x": [1]}, "len()"),
        ("x[True] = 1", {"x": [1]}, "a dictionary first"),
        ("y = 1\nx += 1", {"x": "a"}, "line 2, column 1 of: x += 1"),
        ("if x:\n    y = 1", {"x": 1}, "Expected True or False"),
        ("x += 1", {"x": None}, "None"),
        ("x = y", {"y": 1.5}, "fraction"),
    ],
)
def test_a_script_without_a_result_fails_and_says_why(text: str, data: dict[str, Any], part: str) -> None:
    with pytest.raises(ExpressionFailed) as failed:
        parse_script(text).run(data)
    assert part in str(failed.value)


def test_items_that_a_script_does_not_write_are_handed_on_whatever_they_are() -> None:
    notes = "x" * 20_000
    assert parse_script("a = 1").run({"notes": notes}) == {"notes": notes, "a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "x = ['a']\n" + "x = [x, x]\n" * 60,
        "x = {}\n" + "x = {'a': x, 'b': x}\n" * 60,
        "x = {}\n" + "x['a'] = x\nx['b'] = x\n" * 40,
        "x = [1]\n" + "x += x\n" * 60,
        "x = 'abcdefghij'\n" + "x += x\n" * 60,
        "x = 'a' * 10000\nx = [x, x, x, x, x, x, x, x, x, x, x]",
        "x = 2\n" + "x = x * x\n" * 60,
        "x = 'a' * 1000000000",
        "x = 1000000000 * 'a' * 1000000000",
        "x = []\n" + "x = [x]\n" * 99,
    ],
)
def test_a_script_that_doubles_its_data_ends_at_the_limits(text: str) -> None:
    with pytest.raises(ExpressionFailed, match=r"at most|larger"):
        parse_script(text).run({})
