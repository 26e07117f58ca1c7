"""Money: an exact integer in minor units of an ISO 4217 currency, and how people write it.

Nothing here rounds and nothing is guessed: what could be read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.errors import DataRefused
from engine.model.text import LARGEST_INTEGER, shown

if TYPE_CHECKING:
    from engine.connector import Value

# ISO 4217, list one, by the number of decimals, as in force since January 2026 (BGN, ANG, CUC, HRK, SLL and ZWL are withdrawn).
# Left out are codes nobody can be charged in: metals, test codes and fund codes (XAU, XTS, CLF, UYI, ...).
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_TWO_DECIMALS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK
    DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD
    KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
    PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH
    USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"

EXPONENTS: Mapping[str, int] = MappingProxyType(
    {code: digits for digits, codes in ((0, _NO_DECIMALS), (2, _TWO_DECIMALS), (3, _THREE_DECIMALS)) for code in codes.split()}
)
"""Currency code, upper case -> how many decimals its amounts have."""

_AMOUNT = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")
_LONGEST_AMOUNT = 40  # characters; far more than 63 bits need


def exponent(currency: str) -> int:
    """How many decimals amounts in `currency` have by ISO 4217 (2 for USD, 0 for JPY, 3 for KWD). Any case is accepted.

    Raises DataRefused for a code that is not a currency in use.
    """
    # The check for ASCII comes first: some other letters turn into ASCII ones in upper case.
    digits = EXPONENTS.get(currency.upper()) if currency.isascii() else None
    if digits is None:
        raise DataRefused(
            f"Expected a currency code of ISO 4217 that is in use, but {shown(currency)} is none. "
            "Do: write three letters, as in USD, EUR or JPY."
        )
    return digits


def parse_money(text: Value, currency: str) -> int:
    """The amount that a person wrote in major units ("120.50"), as an exact integer in minor units of `currency`.

    Accepted are the digits 0 to 9 with an optional sign and one decimal point, and white space around them. Raises
    DataRefused for everything else: thousands separators, decimal commas, symbols, other scripts' digits, more decimals
    than the currency has (nothing is ever rounded), more than 63 bits, and numbers that are not text (a JSON number could
    be major or minor units).
    """
    digits = exponent(currency)
    code = currency.upper()
    if not isinstance(text, str):
        raise DataRefused(
            f"Expected an amount in {code} as text in major units, but {shown(text)} could be major or minor units. "
            f'Do: write it as text in major units, "{format_money(12050, code)}".'
        )
    written = text.strip()
    match = _AMOUNT.fullmatch(written) if len(written) <= _LONGEST_AMOUNT else None
    if match is None:
        raise DataRefused(f"Expected an amount in {code}, but {shown(text)} is not one. {_remedy(written, code)}")
    sign, whole, decimals = match[1], match[2], match[3] or ""
    if len(decimals) > digits:
        raise DataRefused(
            f"Expected an amount in {code} with {_decimals(digits)}, but {shown(text)} has {len(decimals)}. "
            "Do: write the exact amount; nothing is rounded, and a point is never a thousands separator."
        )
    minor = int(whole + decimals.ljust(digits, "0"))
    if minor > LARGEST_INTEGER:
        raise DataRefused(
            f"Expected an amount in {code} of at most {format_money(LARGEST_INTEGER, code)}, but {shown(text)} is larger. "
            "Do: check the amount."
        )
    return -minor if sign == "-" else minor


def format_money(minor: int, currency: str) -> str:
    """An amount in minor units as plain digits in major units: "120.50", "12000" (JPY), "-12.345" (KWD).

    `parse_money` reads it back to the same integer. Raises DataRefused for an unknown currency.
    """
    digits = exponent(currency)
    sign = "-" if minor < 0 else ""
    if digits == 0:
        return f"{sign}{abs(minor)}"
    whole, decimals = divmod(abs(minor), 10**digits)
    return f"{sign}{whole}.{decimals:0{digits}d}"


def _decimals(digits: int) -> str:
    return f"at most {digits} decimals" if digits else "no decimals"


def _remedy(written: str, code: str) -> str:
    example = format_money(123450, code)
    if "," in written or " " in written or "'" in written:
        return f"Do: write a point before the decimals and nothing between the thousands, as in {example}."
    if not written.isascii():
        return f"Do: write the digits 0 to 9 alone, without a currency symbol, as in {example}."
    return f"Do: write digits with at most one decimal point, as in {example}."
