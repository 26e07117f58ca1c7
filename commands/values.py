"""Values on the command line: `--set item=value`, `--data FILE`, `--csv FILE`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from engine.connector import Value
from engine.errors import ConfigurationInvalid, DataRefused
from engine.model.text import did_you_mean

_LARGEST = 50_000_000


class _PeriodType(click.ParamType[str]):
    """A month or a date: a mistyped one would look like a period in which nothing happened."""

    name = "period"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from engine.model.period import period_of_any_kind  # loads a library that most commands don't need

        try:
            return period_of_any_kind(value)
        except DataRefused as error:
            raise click.UsageError(str(error)) from error


PERIOD = _PeriodType()

set_option = click.option(
    "--set", "settings", multiple=True, metavar="ITEM=VALUE", help="A data item's value; amounts in major units (120.50)."
)
data_option = click.option(
    "--data",
    "data_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Data items as a JSON object; amounts as text in major units.",
)


def read_settings(settings: tuple[str, ...], data_file: Path | None) -> dict[str, Value]:
    """The values of `--data`, with those of `--set` over them. Raises UsageError, DataRefused."""
    values: dict[str, Value] = dict(_read_object(data_file)) if data_file else {}
    given: set[str] = set()
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"Expected ITEM=VALUE after --set, but {setting!r} is not of that form.")
        if name.strip() in given:
            raise click.UsageError(f"Expected each item once, but --set {name.strip()} stands twice.")
        given.add(name.strip())
        values[name.strip()] = value
    return values


def _read_object(path: Path) -> Mapping[str, Value]:
    try:
        document = json.loads(_read_text(path), parse_float=_refuse_float, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:  # a plain ValueError: a number of thousands of digits
        where = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataRefused(f"{path}{where}: Expected a JSON object, but it isn't one. Do: correct the file.") from error
    if not isinstance(document, dict):
        raise DataRefused(f"{path}: Expected a JSON object of data items, but it is something else. Do: write {{...}}.")
    return document


def _refuse_float(text: str) -> Value:
    raise DataRefused(f'Expected no fractions among JSON numbers, but there is {text}. Do: write it as text, "{text}".')


def _without_duplicates(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, value in pairs:
        if name in values:
            raise DataRefused(f"Expected each data item once, but {name!r} stands twice. Do: remove one.")
        values[name] = value
    return values


def read_rows(path: Path, names: Mapping[str, str] | None = None) -> Iterator[tuple[int, dict[str, Value] | DataRefused]]:
    """The rows of a CSV file with a header of data items: line number and values, or why the row can't be read. With `names`
    (header -> data item) only those columns count. Raises DataRefused for a header that hasn't got them, or isn't one.
    """
    text = _read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)  # newline="": only line feeds end lines, no other separator
    try:
        header = next(reader, None)
    except csv.Error as error:
        raise DataRefused(f"{path}:1: Expected a CSV header, but {error}. Do: correct the quotes.") from error
    _check_header(path, header or [])
    header = _renamed(path, header or [], names)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, DataRefused(f"Expected a CSV row, but {error}. Do: correct the quotes.")
            continue
        if not row:
            continue
        if len(row) != len(header):
            yield line, DataRefused(f"Expected {len(header)} values, but there are {len(row)}. Do: correct the row.")
        else:
            yield line, {item: value for item, value in zip(header, row, strict=True) if item}


def _check_header(path: Path, header: list[str]) -> None:
    if not any(header):
        raise DataRefused(f"{path}:1: Expected a header that names data items, but the first line is empty. Do: write one.")
    if len(header) == 1 and any(separator in header[0] for separator in ";\t|"):
        raise DataRefused(
            f"{path}:1: Expected commas between the columns, but there are semicolons, tabs or bars. "
            "Do: save it as CSV with commas."
        )
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataRefused(f"{path}:1: Expected each column once, but {twice!r} stands there again. Do: rename or remove one.")


def _renamed(path: Path, header: list[str], names: Mapping[str, str] | None) -> list[str]:
    """The data item of each column; empty for one that isn't wanted."""
    if not names:
        return header
    for name in names:
        if name not in header:
            raise DataRefused(f"{path}:1: Expected a column {name!r}, but there is none. {did_you_mean(name, header)}")
    return [names.get(name, "") for name in header]


def read_customers(path: Path, item: str) -> set[str]:
    """The customers in a CSV file: its column of that name, else its only one. Raises DataRefused, ConfigurationInvalid."""
    found = set()
    for line, row in read_rows(path):
        if isinstance(row, DataRefused):
            raise DataRefused(f"{path}:{line}: {row}")
        if item not in row and len(row) > 1:
            raise DataRefused(f"{path}:1: Expected a column {item}, but there is none. Do: name the customers' column so.")
        customer = row.get(item, next(iter(row.values())))
        found.add(str(customer).strip())
    return found - {""}


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigurationInvalid(f"Expected {path} to have at most {_LARGEST:,} bytes, but it has more. Do: split it.")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataRefused(f"{path}: Expected text in UTF-8, but it isn't. Do: save it as UTF-8.") from error
    except OSError as error:
        raise ConfigurationInvalid(f"Expected to read {path}, but the system says: {error.strerror}. Do: check it.") from error
