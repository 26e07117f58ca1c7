"""Rows of a file, done many in a transaction, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from engine.connector import Value
from engine.errors import DataRefused


@dataclass(frozen=True, slots=True)
class RowReport:
    """What became of one row: `started`, `enrolled`, `already` (before) or `refused`, with its line in the file and why."""

    line: int
    outcome: str
    instance: str | None = None
    reason: str | None = None


Row = tuple[int, Mapping[str, Value] | DataRefused]
"""A row's line number, and its values or why it can't be read."""

_ROWS_AT_ONCE = 100


def in_batches(
    rows: Iterable[Row],
    together: Callable[[list[Row]], list[RowReport] | None],
    alone: Callable[[Row], RowReport],
    report: Callable[[RowReport], None],
) -> None:
    """Do something with rows, many in a transaction: most of what one takes is waiting for the disk. What `together` doesn't do
    (None) is done with each row `alone`.
    """
    waiting = iter(rows)
    while some := list(islice(waiting, _ROWS_AT_ONCE)):
        for line in together(some) or map(alone, some):
            report(line)


def readable_row(values: Mapping[str, Value] | DataRefused) -> Mapping[str, Value]:
    """A row's values. Raises why it can't be read."""
    if isinstance(values, DataRefused):
        raise values
    return values
