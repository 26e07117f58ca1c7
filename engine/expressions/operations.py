"""What the signs do: each operation on values of the types it is made for, refusing all others.

True and False are no numbers here: nothing is added to them or ordered with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.expressions.values import ValueRefused, checked, joined, kind_of, repeated, same

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connector import Value


def add(left: Value, right: Value) -> Value:
    """The sum of two whole numbers; two texts or two lists one after the other."""
    if type(left) is int and type(right) is int:
        return checked(left + right)
    if isinstance(left, str) and isinstance(right, str):
        return joined((left, right))
    if isinstance(left, list) and isinstance(right, list):
        return checked(left + right)
    advice = "Do: use str() to put a number into a text, or int() to count with digits."
    raise ValueRefused(f'Expected two whole numbers, texts or lists around "+", but they are {_both(left, right)}. {advice}')


def subtract(left: Value, right: Value) -> Value:
    """The difference of two whole numbers."""
    first, second = _whole_numbers(left, right, "-")
    return checked(first - second)


def multiply(left: Value, right: Value) -> Value:
    """The product of two whole numbers; a text so many times over, refused before it is made when it would be too long."""
    if isinstance(left, str) and type(right) is int:
        return repeated(left, right)
    if isinstance(right, str) and type(left) is int:
        return repeated(right, left)
    first, second = _whole_numbers(left, right, "*")
    return checked(first * second)


def divide(left: Value, right: Value) -> Value:
    """The quotient of two whole numbers where it is whole; there are no fractions, and nothing is rounded unasked."""
    first, second = _divisible(left, right, "/")
    if first % second:
        raise ValueRefused(
            'Expected a division without remainder at "/", but there is one. Do: use // to round down, and % for the remainder.'
        )
    return first // second


def floor_divide(left: Value, right: Value) -> Value:
    """The quotient rounded down, also below zero: -7 // 2 is -4."""
    first, second = _divisible(left, right, "//")
    return first // second


def modulo(left: Value, right: Value) -> Value:
    """What `//` leaves; it has the divisor's sign. Texts are not filled in with it."""
    if isinstance(left, str):
        raise ValueRefused('Expected whole numbers around "%", but the left one is a text. Do: join texts with +.')
    first, second = _divisible(left, right, "%")
    return first % second


def negate(value: Value) -> Value:
    """The whole number with the other sign."""
    return -_whole_number(value, "-")


def positive(value: Value) -> Value:
    """The whole number itself."""
    return _whole_number(value, "+")


def ordered(compare: Callable[[Any, Any], bool], sign: str, left: Value, right: Value) -> bool:
    """How two whole numbers or two texts compare; texts by their characters' code points."""
    if type(left) is type(right) and type(left) in (int, str):
        return compare(left, right)
    advice = 'check "is not None" first' if left is None or right is None else "compare like with like; use int() or str()"
    message = f'Expected two whole numbers or two texts around "{sign}", but they are {_both(left, right)}. Do: {advice}.'
    raise ValueRefused(message)


def contained(element: Value, container: Value) -> bool:
    """Whether a list has this element, a dictionary this key, a text this part."""
    if isinstance(container, list):
        return any(same(element, other) for other in container)
    if isinstance(container, dict):
        return isinstance(element, str) and element in container
    if isinstance(container, str) and isinstance(element, str):
        return element in container
    raise ValueRefused(
        f"Expected to look in a list or dictionary, or for a text in a text, but it is {kind_of(element)} in "
        f"{kind_of(container)}. Do: check the data item."
    )


def least(values: list[Value], *, largest: bool = False) -> Value:
    """The smallest (or largest) of whole numbers, or of texts."""
    numbers = [value for value in values if type(value) is int]
    texts = [value for value in values if isinstance(value, str)]
    choose: Callable[..., Any] = max if largest else min
    if len(numbers) == len(values) or len(texts) == len(values):
        return checked(choose(numbers or texts))
    raise ValueRefused(
        "Expected only whole numbers or only texts to choose from, but there are others. Do: check the data items."
    )


def item_of(container: Value, key: Value) -> Value:
    """The entry of a dictionary, the element of a list, the character of a text (from 0; from the end below 0)."""
    if isinstance(container, dict) and isinstance(key, str):
        if key in container:
            return container[key]
        raise ValueRefused("Expected an entry of that name in the dictionary, but there is none. Do: use .get(name, default).")
    if isinstance(container, list | str) and type(key) is int:
        if -len(container) <= key < len(container):
            return container[key]
        raise ValueRefused("Expected a place inside the list or text, but it ends before. Do: check len() first.")
    raise ValueRefused(
        "Expected a dictionary with a text in [ ], or a list or text with a whole number, but it is "
        f"{kind_of(container)} with {kind_of(key)}. Do: check the data item."
    )


def entry_or(container: Value, key: Value, default: Value) -> Value:
    """The entry of a dictionary, or the default where there is none."""
    if isinstance(container, dict) and isinstance(key, str):
        return container.get(key, default)
    raise ValueRefused(
        f"Expected a dictionary and a text in .get(), but it is {kind_of(container)} and {kind_of(key)}. Do: check the data item."
    )


def _whole_numbers(left: Value, right: Value, sign: str) -> tuple[int, int]:
    if type(left) is int and type(right) is int:
        return left, right
    advice = "check the data items; use int() for a text of digits"
    raise ValueRefused(f'Expected whole numbers at "{sign}", but they are {_both(left, right)}. Do: {advice}.')


def _whole_number(value: Value, sign: str) -> int:
    if type(value) is int:
        return value
    raise ValueRefused(f'Expected a whole number after "{sign}", but it is {kind_of(value)}. Do: check the data item.')


def _divisible(left: Value, right: Value, sign: str) -> tuple[int, int]:
    first, second = _whole_numbers(left, right, sign)
    if second == 0:
        raise ValueRefused(f'Expected a number other than 0 after "{sign}", but it is 0. Do: check for 0 first.')
    return first, second


def _both(left: Value, right: Value) -> str:
    return f"{kind_of(left)} and {kind_of(right)}"
