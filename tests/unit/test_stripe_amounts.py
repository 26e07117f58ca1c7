from __future__ import annotations

import pytest

from connectors.stripe.amounts import check_limits, to_iso, to_stripe
from engine.errors import DataRefused


@pytest.mark.parametrize(
    ("currency", "iso", "stripe"),
    [
        ("USD", 12050, 12050),
        ("eur", 1, 1),
        ("JPY", 500, 500),
        ("KRW", 1000, 1000),
        ("KWD", 12340, 12340),
        ("ISK", 123, 12300),
        ("UGX", 5000, 500000),
        ("MGA", 500000, 5000),
        ("HUF", 12050, 12050),
    ],
)
def test_iso_minor_units_become_stripes_and_come_back(currency: str, iso: int, stripe: int) -> None:
    assert to_stripe(iso, currency) == stripe
    assert to_iso(stripe, currency) == iso


@pytest.mark.parametrize(("currency", "amount"), [("KWD", 12345), ("TND", 1), ("MGA", 150)])
def test_an_amount_finer_than_stripe_charges_is_refused_and_never_rounded(currency: str, amount: int) -> None:
    with pytest.raises(DataRefused, match=r"multiple of .*nothing is rounded"):
        to_stripe(amount, currency)


@pytest.mark.parametrize("amount", [0, -1, -12050])
def test_only_amounts_above_zero_are_charged(amount: int) -> None:
    with pytest.raises(DataRefused, match="above zero"):
        to_stripe(amount, "USD")


@pytest.mark.parametrize("currency", ["IQD", "LYD"])
def test_a_currency_with_three_decimals_that_stripe_does_not_list_is_refused(currency: str) -> None:
    with pytest.raises(DataRefused, match=f"{currency} is none"):
        to_stripe(1000, currency)


@pytest.mark.parametrize("currency", ["XXX", "US", "DOLLAR"])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    with pytest.raises(DataRefused):
        to_stripe(1000, currency)


@pytest.mark.parametrize(
    ("currency", "smallest"),
    [("USD", 50), ("JPY", 50), ("GBP", 30), ("HKD", 400), ("DKK", 250), ("NOK", 300), ("SEK", 300), ("PLN", 200), ("MXN", 1000)],
)
def test_amounts_below_stripes_minimum_are_refused_with_advice(currency: str, smallest: int) -> None:
    check_limits(smallest, currency)
    with pytest.raises(DataRefused, match=r"minimum.*later month"):
        check_limits(smallest - 1, currency)


@pytest.mark.parametrize(
    ("currency", "largest"), [("USD", 99_999_999), ("JPY", 99_999_999), ("ISK", 999_999), ("KWD", 99_999_990)]
)
def test_amounts_have_at_most_eight_digits_at_stripe(currency: str, largest: int) -> None:
    check_limits(largest, currency)
    with pytest.raises(DataRefused, match="at most"):
        check_limits(largest + 10, currency)
