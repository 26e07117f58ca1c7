"""Amounts at Stripe: how its units differ from ISO 4217's, and which amounts it takes.

We count in minor units by ISO 4217; Stripe has its own list of decimals (https://docs.stripe.com/currencies). Where the two
differ an amount is converted exactly or refused, never rounded.
"""

from __future__ import annotations

from types import MappingProxyType

from engine.errors import DataRefused
from engine.model.money import exponent, format_money

_NO_DECIMALS = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
_TWO_DECIMALS_THAT_ARE_ZERO = frozenset({"ISK", "UGX"})  # ISO 4217 has none; Stripe wants two, both zero
_LARGEST = 99_999_999  # at most eight digits, in Stripe's units
_SMALLEST = MappingProxyType(
    {"USD": 50, "JPY": 50, "GBP": 30, "HKD": 400, "DKK": 250, "NOK": 300, "SEK": 300, "PLN": 200, "MXN": 1000}
)
"""The documented minimum of a charge in Stripe's units, where the account settles in that currency. Stripe itself refuses what
is below its minimum in any other.
"""


def to_stripe(amount: int, currency: str) -> int:
    """A positive amount in ISO minor units as Stripe counts it.

    Raises DataRefused where it isn't positive, is finer than Stripe can charge, or the currency is one that Stripe counts in no
    documented way.
    """
    code = currency.upper()
    if amount <= 0:
        raise DataRefused(
            f"Expected an amount above zero to charge, but it is {format_money(amount, code)} {code}. "
            "Do: let the diagram skip the charge for zero and issue a credit for a negative amount."
        )
    shift = _decimals(code) - exponent(code)
    step = 10 if code in _THREE_DECIMALS else _power(-shift)
    if amount % step:
        raise DataRefused(
            f"Expected an amount that Stripe can charge, a multiple of {format_money(step, code)} {code}, but it is "
            f"{format_money(amount, code)}. Do: change the amount; nothing is rounded."
        )
    return amount * _power(shift) // _power(-shift)


def check_limits(amount: int, currency: str) -> None:
    """Raises DataRefused where an amount in ISO minor units is less or more than Stripe charges at once."""
    code = currency.upper()
    units = to_stripe(amount, code)
    if units > _LARGEST:
        raise DataRefused(
            f"Expected at most {format_money(to_iso(_LARGEST, code), code)} {code}, which is as much as Stripe charges at once, "
            f"but the amount is {format_money(amount, code)}. Do: check the amount, or charge it in another way."
        )
    if units < _SMALLEST.get(code, 1):
        raise DataRefused(
            f"Expected at least {format_money(to_iso(_SMALLEST[code], code), code)} {code}, which is Stripe's minimum, "
            f"but the amount is {format_money(amount, code)}. Do: charge it together with a later month."
        )


def to_iso(units: int, currency: str) -> int:
    """Stripe's units as ISO minor units, rounded down where Stripe's are finer than the currency has."""
    shift = _decimals(currency.upper()) - exponent(currency)
    return units * _power(-shift) // _power(shift)


def _power(shift: int) -> int:
    """Ten to the power of a positive `shift`, else one."""
    return int(10 ** max(0, shift))


def _decimals(code: str) -> int:
    if code in _NO_DECIMALS:
        return 0
    if code in _THREE_DECIMALS:
        return 3
    if exponent(code) == 2 or code in _TWO_DECIMALS_THAT_ARE_ZERO:
        return 2
    raise DataRefused(f"Expected a currency that Stripe charges, but {code} is none. Do: charge it in another currency.")


__all__ = ["check_limits", "to_iso", "to_stripe"]
