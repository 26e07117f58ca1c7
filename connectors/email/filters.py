"""The filters of mail templates: Jinja2's harmless ones, and ours for amounts, months and lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import copy
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton
from babel.numbers import NumberPattern
from jinja2 import pass_context
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Context

from engine.errors import DataRefused
from engine.model.money import exponent

# CLDR's currency spacing, which Babel leaves to its callers: KWD 12.345, not KWD12.345
_LETTER_BESIDE_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@pass_context
def money(context: Context, amount: Any, currency: Any) -> str:
    """An amount in minor units, written as the locale writes amounts in `currency`: `{{ amount|money("USD") }}` -> $120.50.

    The number of decimals is that of ISO 4217: Babel's own leaves decimals out where shops do, and would round.
    """
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise DataRefused(f"Expected an amount in whole minor units, but found {amount!r:.60}. Do: pass the amount itself.")
    if not isinstance(currency, str):
        raise DataRefused(f"Expected a currency code, but found {currency!r:.60}. Do: write money(currency).")
    decimals = exponent(currency)
    locale = _locale(context)
    pattern: NumberPattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (decimals, decimals)
    major = Decimal(amount).scaleb(-decimals)
    written = str(pattern.apply(major, locale, currency=currency.upper(), currency_digits=False))
    return _LETTER_BESIDE_DIGIT.sub("\N{NO-BREAK SPACE}", written)


@pass_context
def month_name(context: Context, month: Any) -> str:
    """A month such as 2026-10 as the locale names it: October 2026."""
    match = _MONTH.fullmatch(month) if isinstance(month, str) else None
    if match is None:
        raise DataRefused(f"Expected a month such as 2026-10, but found {month!r:.60}. Do: pass a data item of the type month.")
    return format_skeleton("yMMMM", date(int(match[1]), int(match[2]), 1), locale=_locale(context))


def lines(text: Any) -> list[str]:
    """The lines of a text, for a loop: `{% for line in details|lines %}`."""
    if not isinstance(text, str):
        raise DataRefused(f"Expected a text to split into lines, but found {text!r:.60}. Do: pass a text.")
    return text.splitlines()


def _locale(context: Context) -> Locale:
    name = context["locale"]
    try:
        return Locale.parse(name.replace("-", "_"))
    except (ValueError, UnknownLocaleError) as error:
        raise DataRefused(
            f"Expected a locale such as en or ja_JP, but {name!r:.60} is none. Do: correct the parameter."
        ) from error


FILTERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **{name: JINJA_FILTERS[name] for name in ("default", "e", "first", "join", "last", "length", "lower", "trim", "upper")},
        "money": money,
        "month_name": month_name,
        "lines": lines,
    }
)
"""What a template may write after `|`."""
