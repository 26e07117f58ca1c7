"""Which amounts and currencies Stripe takes. Amounts are integers in the units the API uses for the currency.

Follows https://docs.stripe.com/currencies: presentment currencies, zero-decimal and three-decimal currencies, the special cases
ISK and UGX, minimum amounts, at most eight digits. Zero-decimal currencies take any integer, in whole units. A currency without
a documented minimum takes any positive amount.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from connectors.stripe_sandbox.refusals import ParameterRefused

_TAKEN: Final = """
    usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp cny
    cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod jpy
    kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr
    nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd
    twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
"""
CURRENCIES: Final = frozenset(_TAKEN.split())
THREE_DECIMAL: Final = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
WHOLE_ONLY: Final = frozenset({"isk", "ugx"})
_SAME_MINIMUM: Final = ("usd", "aud", "brl", "cad", "chf", "eur", "inr", "nzd", "sgd")
_OWN_MINIMUM: Final = {
    "aed": 200,
    "bgn": 100,
    "czk": 1500,
    "dkk": 250,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "jpy": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "thb": 1000,
}
MINIMUM: Final = MappingProxyType({**dict.fromkeys(_SAME_MINIMUM, 50), **_OWN_MINIMUM})
LARGEST: Final = 99_999_999


def check_currency(currency: str) -> str:
    """The currency in lower case; raises ParameterRefused when Stripe does not take it."""
    if currency.lower() not in CURRENCIES:
        raise ParameterRefused(f"Invalid currency: {currency}. Do: send one that Stripe takes.", "currency")
    return currency.lower()


def check_amount(amount: int, currency: str) -> None:
    """Raises ParameterRefused unless `amount` can be charged in `currency` (lower case, checked)."""
    if amount < 1:
        raise ParameterRefused(
            f"Invalid positive integer: {amount}. Do: charge something.", "amount", "parameter_invalid_integer"
        )
    if amount > LARGEST:
        raise ParameterRefused(f"Expected at most {LARGEST}, but found {amount}. Do: split it.", "amount", "amount_too_large")
    step = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_ONLY else 1
    if amount % step:
        message = f"Expected {currency} in multiples of {step}, but found {amount}. Do: round it."
        raise ParameterRefused(message, "amount", "parameter_invalid_integer")
    minimum = MINIMUM.get(currency, 1)
    if amount < minimum:
        message = f"Expected at least {minimum} in {currency}, but found {amount}. Do: charge more at once."
        raise ParameterRefused(message, "amount", "amount_too_small")
