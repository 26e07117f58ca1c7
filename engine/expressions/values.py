"""Values as expressions see them: which there are, within which limits, and when two are the same."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from engine.expressions.limits import MAX_CONTAINED_TEXT, MAX_DEPTH, MAX_ELEMENTS, MAX_INTEGER, MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.connector import Value

_KINDS: Final = MappingProxyType(
    {
        bool: "True or False",
        int: "a whole number",
        str: "a text",
        list: "a list",
        dict: "a dictionary",
        type(None): "None (no value)",
        float: "a number with a fraction",
    }
)


class ValueRefused(Exception):
    """An operation has no value on what it was given. Never leaves this package: whoever knows the place in the text
    makes an ExpressionFailed of it. The message is complete but for that place, and never shows a value.
    """


def kind_of(value: object) -> str:
    """What a value is, in an analyst's words; never the value itself, which may be personal."""
    return _KINDS.get(type(value), "something that is not data")


def checked(value: Value) -> Value:
    """The same value, when it is one that expressions can hold and keeps the limits; else ValueRefused."""
    if value is None or type(value) is bool:
        return value
    if type(value) is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise ValueRefused(
                f"Expected a whole number of at most {MAX_INTEGER:,}, but it is larger. Do: check the amounts and factors."
            )
        return value
    if type(value) is str:
        if len(value) > MAX_TEXT:
            raise _text_too_long()
        return value
    if type(value) is list or type(value) is dict:
        _check_container(value)
        return value
    raise ValueRefused(
        f"Expected a text, a whole number, True, False, None, a list or a dictionary, but it is {kind_of(value)}. "
        "Do: use whole numbers (money in minor units), and texts for dates."
    )


def copied(value: Value) -> Value:
    """A copy that shares nothing changeable with `value`, within the limits; else ValueRefused."""
    return _copy(checked(value))


def same(left: Value, right: Value) -> bool:
    """Whether two checked values are equal and of one type, at every level: True is not 1."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    return left == right


def joined(pieces: Iterable[str]) -> str:
    """The pieces as one text; ValueRefused as soon as it gets too long."""
    text = ""
    for piece in pieces:
        if len(text) + len(piece) > MAX_TEXT:
            raise _text_too_long()
        text += piece
    return text


def repeated(text: str, times: int) -> str:
    """The text so many times over; ValueRefused, before it is made, when it would be too long."""
    if len(text) * times > MAX_TEXT:
        raise _text_too_long()
    return text * times


def text_of(value: Value) -> str:
    """A text as it is, a whole number as digits; ValueRefused for anything else, so that no customer reads "None"."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    raise ValueRefused(
        f"Expected a text or a whole number to write out, but it is {kind_of(value)}. "
        'Do: say what to write, as in ("yes" if approved else "no").'
    )


def _text_too_long() -> ValueRefused:
    return ValueRefused(f"Expected a text of at most {MAX_TEXT:,} characters, but it is longer. Do: shorten it.")


def _copy(value: Value) -> Value:
    if isinstance(value, list):
        return [_copy(element) for element in value]
    if isinstance(value, dict):
        return {key: _copy(element) for key, element in value.items()}
    return value


def _check_container(container: list[Value] | dict[str, Value]) -> None:
    """Counts through aliases, without recursion: also what holds itself is refused quickly."""
    elements = characters = 0
    pending: list[tuple[list[Value] | dict[str, Value], int]] = [(container, 1)]
    while pending:
        current, depth = pending.pop()
        elements += len(current)
        if elements > MAX_ELEMENTS or depth > MAX_DEPTH:
            raise ValueRefused(
                f"Expected at most {MAX_ELEMENTS:,} elements on {MAX_DEPTH} levels in a list or dictionary, all levels "
                "counted, but there are more. Do: keep less in one data item."
            )
        characters += _check_keys(current) if isinstance(current, dict) else 0
        for element in current.values() if isinstance(current, dict) else current:
            if isinstance(element, list | dict) and type(element) in (list, dict):
                pending.append((element, depth + 1))
            else:
                checked(element)
                characters += len(element) if isinstance(element, str) else 0
        if characters > MAX_CONTAINED_TEXT:
            raise ValueRefused(
                f"Expected at most {MAX_CONTAINED_TEXT:,} characters of text in a list or dictionary, but there are more. "
                "Do: keep less in one data item."
            )


def _check_keys(dictionary: dict[str, Value]) -> int:
    characters = 0
    for key in dictionary:
        if type(key) is not str:
            raise ValueRefused(f"Expected texts as keys of a dictionary, but one is {kind_of(key)}. Do: write it in quotes.")
        checked(key)
        characters += len(key)
    return characters
