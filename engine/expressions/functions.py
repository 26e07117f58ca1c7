"""The functions of the language. Each takes checked values, answers with a checked one, and refuses what it cannot do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from engine.expressions.limits import MAX_NODES
from engine.expressions.operations import contained, least
from engine.expressions.values import ValueRefused, checked, kind_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connector import Value

COMPLETED_BY: Final = "completed_by"
"""The one function that asks for something beside the data: who last completed a user task. See interpreter.py."""

_DIGITS: Final = re.compile(r"-?[0-9]{1,19}")  # as many as the largest whole number has


@dataclass(frozen=True, slots=True)
class Function:
    """A function and how many arguments it takes."""

    apply: Callable[..., Value]
    fewest: int = 1
    most: int = 1


def _length(value: Value) -> Value:
    if isinstance(value, str | list | dict):
        return len(value)
    raise ValueRefused(f"Expected a text, list or dictionary in len(), but it is {kind_of(value)}. Do: check the data item.")


def _smallest(*values: Value) -> Value:
    return least(_several(values, "min"))


def _largest(*values: Value) -> Value:
    return least(_several(values, "max"), largest=True)


def _several(values: tuple[Value, ...], name: str) -> list[Value]:
    """The arguments, or the elements of a single one that is a list."""
    several = values[0] if len(values) == 1 else list(values)
    if not isinstance(several, list):
        message = f"Expected a list or several values in {name}(), but it is {kind_of(several)}. Do: give it two or more values."
        raise ValueRefused(message)
    if not several:
        raise ValueRefused(f"Expected at least one value in {name}(), but the list is empty. Do: check len() first.")
    return several


def _absolute(value: Value) -> Value:
    return abs(_whole(value, "abs"))


def _total(values: Value) -> Value:
    if not isinstance(values, list):
        raise ValueRefused(f"Expected a list in sum(), but it is {kind_of(values)}. Do: write it in [ ], or use +.")
    return checked(sum(_whole(value, "sum") for value in values))


def _to_integer(value: Value) -> Value:
    if type(value) is int:
        return value
    if type(value) is str and _DIGITS.fullmatch(value):
        return checked(int(value))
    found = "a text of other characters" if isinstance(value, str) else kind_of(value)
    raise ValueRefused(f"Expected a text of digits in int(), but it is {found}. Do: check what was entered; use strip() first.")


def _lower(value: Value) -> Value:
    return checked(_text(value, "lower").lower())


def _upper(value: Value) -> Value:
    return checked(_text(value, "upper").upper())  # some letters have longer capitals


def _strip(value: Value) -> Value:
    return _text(value, "strip").strip()


def _contains(container: Value, element: Value) -> Value:
    return contained(element, container)


def _starts_with(value: Value, part: Value) -> Value:
    return _text(value, "starts_with").startswith(_text(part, "starts_with"))


def _ends_with(value: Value, part: Value) -> Value:
    return _text(value, "ends_with").endswith(_text(part, "ends_with"))


def _text(value: Value, name: str) -> str:
    if isinstance(value, str):
        return value
    raise ValueRefused(f"Expected a text in {name}(), but it is {kind_of(value)}. Do: check the data item, or use str().")


def _whole(value: Value, name: str) -> int:
    if type(value) is int:
        return value
    raise ValueRefused(
        f"Expected whole numbers in {name}(), but there is {kind_of(value)}. Do: check the data item, or use int()."
    )


FUNCTIONS: Final = MappingProxyType(
    {
        "len": Function(_length),
        "min": Function(_smallest, most=MAX_NODES),
        "max": Function(_largest, most=MAX_NODES),
        "abs": Function(_absolute),
        "sum": Function(_total),
        "str": Function(text_of),
        "int": Function(_to_integer),
        "lower": Function(_lower),
        "upper": Function(_upper),
        "strip": Function(_strip),
        "contains": Function(_contains, fewest=2, most=2),
        "starts_with": Function(_starts_with, fewest=2, most=2),
        "ends_with": Function(_ends_with, fewest=2, most=2),
    }
)
