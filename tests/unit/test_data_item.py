from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definition.data_item import Copy, DataItem, DataType, check_value, format_value, parse_value
from engine.definition.finding import Position
from engine.errors import DataRefused

LARGEST = 2**63 - 1


def an_item(kind, **overrides):
    return DataItem(**{"name": "it", "type": DataType(kind), "carry": Copy(), "position": Position("map.yaml"), **overrides})


def read(kind, raw, currency="USD", **overrides):
    return parse_value(an_item(kind, **overrides), raw, currency)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("string", " Ada Lovelace ", "Ada Lovelace"),
        ("string", "\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("string", "👩\u200d💻", "👩\u200d💻"),
        ("string", "true", "true"),
        ("text", "one\r\ntwo\rthree\n\tfour", "one\ntwo\nthree\n\tfour"),
        ("email", " ada.l+bills@mail.example.com ", "ada.l+bills@mail.example.com"),
        ("integer", "42", 42),
        ("integer", " -7 ", -7),
        ("integer", 42, 42),
        ("integer", LARGEST, LARGEST),
        ("boolean", "Yes", True),
        ("boolean", "NO", False),
        ("boolean", " true ", True),
        ("boolean", False, False),
        ("month", "2026-10", "2026-10"),
        ("date", "2026-10-31", "2026-10-31"),
        ("currency", " eur ", "EUR"),
        ("money", "120.50", 12050),
    ],
)
def test_what_a_person_typed_becomes_the_value_of_its_type(kind, raw, value):
    result = read(kind, raw)
    assert (result, type(result)) == (value, type(value))  # True is not 1 here


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("string", "two\nlines"),
        ("string", "bell\x07"),
        ("string", "nul\x00"),
        ("string", "half \ud800"),
        ("string", "cus_1\u200b23"),
        ("string", "cus_\ufeff1"),
        ("string", "\u202e05.021"),
        ("string", "one\u2028two"),
        ("string", "x" * 1001),
        ("string", 5),
        ("string", True),
        ("string", ["a"]),
        ("string", b"a"),
        ("text", "x" * 10_001),
        ("text", "escape \x1b[31m"),
        ("text", "\u202e05.021"),
        ("text", "half \ud800"),
        ("text", {"a": "b"}),
        ("email", "ada"),
        ("email", "ada@example"),
        ("email", "Ada <ada@example.com>"),
        ("email", "ada@example.com, bob@example.com"),
        ("email", "ada@example.com\nBcc: bob@example.com"),
        ("email", "ada..l@example.com"),
        ("email", ".ada@example.com"),
        ("email", "ada@-example.com"),
        ("email", "ada@@example.com"),
        ("email", "adä@example.com"),
        ("email", "a" * 65 + "@example.com"),
        ("email", "ada@" + "a." * 130 + "com"),
        ("integer", "4.0"),
        ("integer", "1e3"),
        ("integer", "\u0663"),
        ("integer", "1_000"),
        ("integer", True),
        ("integer", 4.0),
        ("integer", LARGEST + 1),
        ("integer", "9" * 19),
        ("integer", "9" * 5000),
        ("boolean", "maybe"),
        ("boolean", "1"),
        ("boolean", 1),
        ("month", "2026-13"),
        ("month", 202610),
        ("date", "31.10.2026"),
        ("currency", "EURO"),
        ("currency", 978),
        ("money", "1,234.50"),
        ("money", 12050),
        ("money", True),
        ("choice", "blue"),
        ("choice", "Red"),
    ],
)
def test_what_does_not_fit_the_type_is_refused_naming_the_item(kind, raw):
    with pytest.raises(DataRefused, match=r"\Ait: Expected .*Do: ") as refused:
        read(kind, raw, choices=("red", "green"))
    assert refused.value.item == "it"


@pytest.mark.parametrize("kind", DataType)
@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_blank_clears_an_item_of_any_type(kind, nothing):
    assert read(kind, nothing, currency=None) is None


def test_one_of_the_choices_is_taken_and_the_near_one_named_otherwise():
    assert read("choice", "red", choices=("red", "green")) == "red"
    with pytest.raises(DataRefused, match='Do: write "green"'):
        read("choice", "gren", choices=("red", "green"))


def test_what_looks_alike_is_alike():
    composed, decomposed = "Zoë", unicodedata.normalize("NFD", "Zoë")
    assert composed != decomposed
    assert read("string", decomposed) == read("string", composed)


def test_money_without_a_currency_is_refused():
    with pytest.raises(DataRefused, match="currency"):
        read("money", "5", currency=None)


def test_a_refusal_cannot_steer_the_terminal_or_flood_it():
    with pytest.raises(DataRefused) as refused:
        read("integer", "\x1b[31m" + "x" * 5000)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("kind", "value"),
    [("money", 12050), ("integer", 3), ("boolean", False), ("string", "a"), ("currency", "EUR"), ("money", None)],
)
def test_a_typed_value_that_fits_is_kept(kind, value):
    assert check_value(an_item(kind), value) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("money", "120.50"),
        ("money", True),
        ("money", LARGEST + 1),
        ("integer", "3"),
        ("integer", True),
        ("boolean", "yes"),
        ("boolean", 1),
        ("string", 5),
        ("month", "2026-13"),
        ("text", ["a"]),
    ],
)
def test_a_typed_value_is_not_converted(kind, value):
    with pytest.raises(DataRefused, match=r"\Ait: Expected"):
        check_value(an_item(kind), value)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("money", 12050, "120.50 USD"),
        ("money", -5, "-0.05 USD"),
        ("boolean", True, "yes"),
        ("boolean", False, "no"),
        ("integer", 7, "7"),
        ("string", "Ada", "Ada"),
        ("money", None, ""),
    ],
)
def test_a_value_is_shown_as_people_read_it(kind, value, shown):
    assert format_value(an_item(kind), value, "usd") == shown


def test_an_amount_without_a_known_currency_is_not_shown():
    with pytest.raises(DataRefused, match="currency"):
        format_value(an_item("money"), 12050, None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.sampled_from(DataType), json_values)
def test_anything_is_read_or_refused_and_what_is_read_can_be_carried_and_stored(kind, raw):
    item = an_item(kind, choices=("red", "green"))
    try:
        value = parse_value(item, raw, "KWD")
    except DataRefused:
        return
    assert check_value(item, value) == value
    json.dumps(value, ensure_ascii=False).encode()
