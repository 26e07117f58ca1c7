"""How results look: tables for people, JSON for programs, talk on stderr."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import product
from typing import Any, Literal

import click

from engine.model.moment import format_moment

_LONG = 24  # characters of a column that may be broken
_LEAST = (12, 9, 6)  # what is left to each of those, or else less
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")
_KEPT = "\n\u200c\u200d"  # names and emoji need the two joiners


def counted(number: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def say(text: str) -> None:
    """Talk: on stderr, so that data on stdout stays data."""
    click.echo(readable(text), err=True)


def print_json(value: Any) -> None:
    """Data as JSON. Times are ISO 8601 in UTC; text beyond ASCII is escaped, so that it survives every terminal."""
    click.echo(json.dumps(_plain(value), indent=2 if sys.stdout.isatty() else None))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return format_moment(value)
    return value


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A table for people: folded to the width of a terminal; in a pipe one line a row, so that grep and cut work on it."""
    cells = [[readable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_folded(columns, cells, right)
    else:
        _print_lines(columns, cells, right)


def _print_folded(columns: Sequence[str], rows: list[list[str]], right: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, table = Console(highlight=False), Table(box=None, pad_edge=False, header_style="bold")
    whole = _whole_columns(columns, rows, console.width)
    for number, column in enumerate(columns):
        place: Literal["left", "right"] = "right" if column in right else "left"
        table.add_column(column, justify=place, overflow="fold", no_wrap=number in whole)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _whole_columns(columns: Sequence[str], rows: list[list[str]], width: int) -> set[int]:
    """Those that are never broken, such as ids, states and times: the narrowest, as long as the others have room."""
    widths = [max(len(line[number]) for line in [list(columns), *rows]) + 1 for number in range(len(columns))]
    by_width = sorted(range(len(columns)), key=widths.__getitem__)
    for least, count in product(_LEAST, range(len(columns), 0, -1)):
        whole, others = by_width[:count], by_width[count:]
        needed = sum(widths[each] for each in whole) + sum(min(widths[each], least) for each in others)
        if needed <= width and widths[whole[-1]] <= _LONG:
            return set(whole)
    return set()


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows for spreadsheets, under a header. A cell that a spreadsheet would take for a formula begins with a quote sign, which
    makes it text.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> str:
    written = format_moment(value) if isinstance(value, datetime) else "" if value is None else str(value)
    as_text = "'" if written.startswith(_BEGINS_FORMULA) and not _NUMBER.fullmatch(written) else ""
    return as_text + readable(written)


def print_blocks(blocks: Iterable[tuple[Sequence[object], str, Sequence[str]]]) -> None:
    """For each block its facts in a line, what is to be read below it, and commands as they are typed, to be copied."""
    width = shutil.get_terminal_size().columns
    folded = textwrap.TextWrapper(width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    for facts, text, commands in blocks:
        click.echo(folded.fill("  ".join(readable(fact) for fact in facts)))
        click.echo(folded.fill(f"  {readable(text)}"))
        for command in commands:
            click.echo(f"  $ {command}")


def _print_lines(columns: Sequence[str], rows: list[list[str]], right: Sequence[str]) -> None:
    lines = [list(columns), *([" ".join(cell.split("\n")) for cell in row] for row in rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    places = [">" if column in right else "<" for column in columns]
    for line in lines:
        padded = (f"{cell:{place}{width}}" for cell, place, width in zip(line, places, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line; those without a value are left out."""
    shown = [(name, readable(value)) for name, value in facts if value not in (None, "", [], ())]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name:<{width}}  {value}")


def readable(value: object) -> str:
    """A value for people. Control characters from data never reach the terminal."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%MZ")
    return "".join(c if c.isprintable() or c in _KEPT else "\N{REPLACEMENT CHARACTER}" for c in str(value))
