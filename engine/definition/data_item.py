"""A data item: one named value of a process instance, its type, and what becomes of it when the next instance starts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from engine.connector import Value
from engine.errors import DataRefused
from engine.model.money import exponent, format_money, parse_money
from engine.model.period import parse_period
from engine.model.text import LARGEST_INTEGER, did_you_mean, refuse_hidden, shown

if TYPE_CHECKING:
    from engine.definition.finding import Position
    from engine.expressions import Expression


class DataType(StrEnum):
    """What a data item can hold. Months, dates and currency codes are text in ISO form; money is minor units."""

    STRING = "string"  # one line
    TEXT = "text"  # several lines
    EMAIL = "email"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    MONTH = "month"
    DATE = "date"
    CURRENCY = "currency"
    MONEY = "money"
    CHOICE = "choice"


# --- what becomes of an item at the hand-over -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copy:
    """The next instance starts with the same value."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The next instance starts without a value."""


@dataclass(frozen=True, slots=True)
class Next:
    """The next instance starts with the period that follows."""


@dataclass(frozen=True, slots=True)
class SetTo:
    """The next instance starts with this value, as `parse_value` takes it (money as text in major units)."""

    value: Value


@dataclass(frozen=True, slots=True)
class Computed:
    """The next instance starts with what the expression gives on the old instance's data (money in minor units)."""

    expression: Expression


Carry: TypeAlias = Copy | Drop | Next | SetTo | Computed


@dataclass(frozen=True, slots=True)
class DataItem:
    """One entry of a carry-over map.

    `currency` is for money: an ISO 4217 code in upper case, or the name of the item that holds the code. `choices` are for
    the type choice. `show_previous` offers the last instance's value beside the empty field.
    """

    name: str
    type: DataType
    carry: Carry
    position: Position
    currency: str | None = None
    choices: tuple[str, ...] = ()
    show_previous: bool = False
    label: str | None = None
    description: str | None = None


# --- reading values -------------------------------------------------------------------------------------------------

_LONGEST_LINE = 1_000
_LONGEST_TEXT = 10_000
_LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
_LONGEST_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_WORDS_FOR_BOOLEANS = MappingProxyType({"true": True, "yes": True, "false": False, "no": False})

_EMAIL_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_EMAIL_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]")


def parse_value(item: DataItem, raw: Value, currency: str | None) -> Value:
    """The value of `item` from what a person typed (text) or a program gave (typed JSON).

    None and blank text give None: the item has no value. Text is stripped of surrounding white space (but for the type
    text) and put in Unicode's composed form, so that what looks alike is alike. Money is text in major units of `currency`
    and becomes minor units. Raises DataRefused, naming the item, where `raw` does not fit the type.
    """
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None
    try:
        if item.type is DataType.MONEY:
            return parse_money(raw, _known(currency))
        return _PARSERS[item.type](item, raw)
    except DataRefused as refused:
        raise DataRefused(f"{item.name}: {refused}", item.name) from refused


def check_value(item: DataItem, value: Value) -> Value:
    """The value of `item` from data that is typed already, e.g. computed by an expression: money is minor units here, and
    no text stands for an integer or a boolean. Raises DataRefused, naming the item, where `value` does not fit the type.
    """
    expected = {DataType.MONEY: int, DataType.INTEGER: int, DataType.BOOLEAN: bool}.get(item.type, str)
    if value is None:
        return None
    if type(value) is not expected:
        kinds = {int: "a whole number" + (" of minor units" if item.type is DataType.MONEY else ""), bool: "true or false"}
        raise DataRefused(
            f"{item.name}: Expected {kinds.get(expected, 'text')} for the type {item.type}, but it is {shown(value)}. "
            "Do: correct what sets it.",
            item.name,
        )
    if item.type is DataType.MONEY:
        return parse_value(replace(item, type=DataType.INTEGER), value, None)
    return parse_value(item, value, None)


def format_value(item: DataItem, value: Value, currency: str | None) -> str:
    """A stored value as people read it: money as "120.50 USD", booleans as yes and no, nothing as empty text.

    Raises DataRefused for money without a known currency: an amount nobody can read is not shown.
    """
    if value is None:
        return ""
    if item.type is DataType.MONEY and isinstance(value, int):
        code = _known(currency).upper()
        return f"{format_money(value, code)} {code}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _known(currency: str | None) -> str:
    if currency is None:
        raise DataRefused("Expected the currency of the amount, but it has no value. Do: enter the currency as well.")
    return currency


def _text(item: DataItem, raw: Value) -> str:
    if isinstance(raw, str):
        return raw
    raise DataRefused(f"Expected text for the type {item.type}, but it is {shown(raw)}. Do: write it in quotes.")


def _clean(raw: str, longest: int, *, several_lines: bool) -> str:
    text = unicodedata.normalize("NFC", raw)  # before the length is taken: some texts grow
    if len(text) > longest:
        raise DataRefused(f"Expected at most {longest} characters, but there are {len(text)}. Do: shorten the text.")
    refuse_hidden(text, several_lines=several_lines)
    return text


def _line(item: DataItem, raw: Value) -> str:
    text = _text(item, raw).strip()
    if "\n" in text or "\r" in text:
        raise DataRefused(f"Expected one line, but {shown(text)} has several. Do: write it on one line.")
    return _clean(text, _LONGEST_LINE, several_lines=False)


def _lines(item: DataItem, raw: Value) -> str:
    return _clean(_text(item, raw).replace("\r\n", "\n").replace("\r", "\n"), _LONGEST_TEXT, several_lines=True)


def _email(item: DataItem, raw: Value) -> str:
    """One bare address of RFC 5321 in ASCII, with a domain of two names or more: no display name, no comments, no quoting.

    That is less than the RFC allows and what mail servers accept in practice.
    """
    text = _line(item, raw)
    local, _, domain = text.rpartition("@")
    fits = len(text) <= _LONGEST_EMAIL and len(local) <= _LONGEST_LOCAL_PART
    if not (fits and _EMAIL_LOCAL_PART.fullmatch(local) and _EMAIL_DOMAIN.fullmatch(domain)):
        raise DataRefused(
            f"Expected one e-mail address, but {shown(text)} is not one. "
            "Do: write the address alone, in ASCII letters, as in ada@example.com."
        )
    return text


def _integer(_item: DataItem, raw: Value) -> int:
    if isinstance(raw, str) and _INTEGER.fullmatch(raw.strip()):
        raw = int(raw)
    if type(raw) is not int:
        raise DataRefused(f"Expected a whole number, but it is {shown(raw)}. Do: write digits alone, as in 12.")
    if abs(raw) > LARGEST_INTEGER:
        raise DataRefused(f"Expected a whole number of at most 63 bits, but {shown(raw)} is larger. Do: check it.")
    return raw


def _boolean(_item: DataItem, raw: Value) -> bool:
    value = _WORDS_FOR_BOOLEANS.get(raw.strip().lower()) if isinstance(raw, str) else raw
    if isinstance(value, bool):
        return value
    raise DataRefused(f"Expected yes or no, but it is {shown(raw)}. Do: write true or false, yes or no.")


def _period(item: DataItem, raw: Value) -> str:
    return parse_period(_text(item, raw), item.type)


def _currency(item: DataItem, raw: Value) -> str:
    code = _text(item, raw).strip()
    exponent(code)
    return code.upper()


def _choice(item: DataItem, raw: Value) -> str:
    text = _line(item, raw)
    if text in item.choices:
        return text
    raise DataRefused(f"Expected one of its choices, but {shown(text)} is none. {did_you_mean(text, item.choices)}")


_PARSERS: Mapping[DataType, Callable[[DataItem, Value], Value]] = MappingProxyType(
    {
        DataType.STRING: _line,
        DataType.TEXT: _lines,
        DataType.EMAIL: _email,
        DataType.INTEGER: _integer,
        DataType.BOOLEAN: _boolean,
        DataType.MONTH: _period,
        DataType.DATE: _period,
        DataType.CURRENCY: _currency,
        DataType.CHOICE: _choice,
    }
)
