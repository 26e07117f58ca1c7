"""Many values in one question: databases take so many parameters in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

_GROUP = 1_000
_T = TypeVar("_T")


def in_groups(values: Iterable[_T]) -> Iterator[list[_T]]:
    """The values, as many at a time as every database takes."""
    left = list(values)
    for start in range(0, len(left), _GROUP):
        yield left[start : start + _GROUP]
