from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DataRefused
from engine.model.money import EXPONENTS, exponent, format_money, parse_money

LARGEST = 2**63 - 1
currencies = st.sampled_from(sorted(EXPONENTS))


@pytest.mark.parametrize(("currency", "decimals"), [("USD", 2), ("jpy", 0), ("Kwd", 3), ("ISK", 0), ("MGA", 2), ("SLE", 2)])
def test_a_currency_has_the_decimals_of_iso_4217(currency, decimals):
    assert exponent(currency) == decimals


@pytest.mark.parametrize("code", ["", "US", "USDT", "ABC", "XAU", "XXX", "BGN", "HRK", " USD", "u\u017fd", "\uff35\uff33\uff24"])
def test_what_is_not_a_currency_in_use_is_refused(code):
    with pytest.raises(DataRefused, match="ISO 4217"):
        exponent(code)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("120.50", "USD", 12050),
        ("120.5", "usd", 12050),
        ("120", "USD", 12000),
        ("-3", "USD", -300),
        ("+3", "USD", 300),
        ("-0.05", "EUR", -5),
        ("-0", "EUR", 0),
        ("12000", "JPY", 12000),
        ("12.345", "KWD", 12345),
        (" \t7.25\n", "GBP", 725),
        ("007", "USD", 700),
        ("92233720368547758.07", "USD", LARGEST),
        ("-92233720368547758.07", "USD", -LARGEST),
    ],
)
def test_an_amount_in_major_units_becomes_exact_minor_units(text, currency, minor):
    assert parse_money(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "decimals"),
    [("1.005", "USD", "2"), ("120.500", "USD", "2"), ("1.0", "JPY", "no"), ("1.2345", "KWD", "3")],
)
def test_too_fine_an_amount_is_refused_and_never_rounded(text, currency, decimals):
    with pytest.raises(DataRefused, match=f"{decimals} decimals"):
        parse_money(text, currency)


@pytest.mark.parametrize("text", ["1,234.50", "1.234,50", "120,50", "1 234.50", "1'234.50", "1\u00a0234"])
def test_thousands_separators_and_decimal_commas_are_refused_and_never_guessed(text):
    with pytest.raises(DataRefused, match=r"1234\.50"):
        parse_money(text, "USD")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".5",
        "5.",
        "1.2.3",
        "--1",
        "- 1",
        "1e3",
        "0x10",
        "1_000",
        "nan",
        "inf",
        "$5",
        "5 USD",
        "\uff15",
        "\u0663",
        "\u22125",
        "1\x00",
        "\ud800",
    ],
)
def test_what_is_not_plain_digits_is_refused(text):
    with pytest.raises(DataRefused, match="Do: write"):
        parse_money(text, "USD")


@pytest.mark.parametrize(
    ("text", "currency"), [("92233720368547758.08", "USD"), ("9223372036854775808", "JPY"), ("9" * 5000, "JPY")]
)
def test_an_amount_beyond_63_bits_is_refused(text, currency):
    with pytest.raises(DataRefused):
        parse_money(text, currency)


@pytest.mark.parametrize("number", [12050, 0, True, None, 120.5, ["1"]])
def test_a_number_is_refused_because_it_could_be_major_or_minor_units(number):
    with pytest.raises(DataRefused, match="in major units"):
        parse_money(number, "USD")


def test_the_remedy_is_written_in_the_decimals_of_the_currency():
    with pytest.raises(DataRefused, match='"12050"'):
        parse_money(1, "JPY")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (12050, "USD", "120.50"),
        (12000, "jpy", "12000"),
        (12345, "KWD", "12.345"),
        (-300, "USD", "-3.00"),
        (-5, "EUR", "-0.05"),
        (0, "EUR", "0.00"),
    ],
)
def test_minor_units_are_shown_as_plain_digits_in_major_units(minor, currency, text):
    assert format_money(minor, currency) == text


@settings(deadline=None)
@given(st.integers(-LARGEST, LARGEST), currencies)
def test_what_is_shown_is_read_back_to_the_same_amount(minor, currency):
    assert parse_money(format_money(minor, currency), currency) == minor


@settings(deadline=None)
@given(st.integers(-LARGEST, LARGEST))
def test_every_currency_reads_back_what_it_shows(minor):
    for currency in EXPONENTS:
        assert parse_money(format_money(minor, currency), currency) == minor


@settings(deadline=None)
@given(st.text(), currencies)
def test_any_text_is_an_amount_or_refused(text, currency):
    try:
        minor = parse_money(text, currency)
    except DataRefused:
        return
    assert parse_money(format_money(minor, currency), currency) == minor
