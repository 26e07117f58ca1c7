"""`customers`: the roster of who should be billed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.completion import complete_process
from commands.failure import PERSON_NEEDED
from commands.output import print_facts, print_json, print_table, readable, say
from commands.session import acting_user, database_option, json_option, open_runtime, options, user_option
from commands.values import PERIOD, read_rows, read_settings, set_option
from engine.errors import DataRefused
from engine.model.identifiers import Kind, format_id

if TYPE_CHECKING:
    from engine.billing.roster import RosterEvent
    from engine.services.batches import Row, RowReport
    from engine.services.runtime import Runtime

_process = click.argument("process", shell_complete=complete_process)
_customer = click.argument("customer")
_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; recorded.")


@click.group()
def customers() -> None:
    """The roster: who should be billed, from which period on, and who is paused or has ended."""


@customers.command("list")
@_process
@click.option("--after", metavar="CUSTOMER", default="", help="Only customers behind this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="How many at most.")
@options(database_option, json_option)
def list_(process: str, after: str, limit: int, database: str, as_json: bool) -> None:
    """List the roster of PROCESS, by customer."""
    from engine.services.enrolling import list_customers

    with open_runtime(database) as runtime:
        found = list_customers(runtime, process, after, limit)
    if as_json:
        print_json(found)
        return
    rows = [(c.customer, c.standing, c.since, c.first_period, c.reason, c.by, c.at) for c in found]
    print_table(("CUSTOMER", "STANDING", "SINCE", "FIRST PERIOD", "WHY", "BY", "AT"), rows)
    if len(found) == limit:
        say(f"There may be more. Do: run-process customers list {process} --after {found[-1].customer}.")


@customers.command(short_help="Show what was decided about a customer.")
@_process
@_customer
@options(database_option, json_option)
def show(process: str, customer: str, database: str, as_json: bool) -> None:
    """Show a customer of PROCESS: since when they are billed, and what was decided about them."""
    from engine.services.enrolling import show_customer

    with open_runtime(database) as runtime:
        view, events = show_customer(runtime, process, customer)
    if as_json:
        print_json({**asdict(view), "events": [_event_json(event) for event in events]})
        return
    print_facts((name, value) for name, value in asdict(view).items() if name != "data")
    print_facts((f"data.{name}", value) for name, value in view.data.items())
    if events:
        print_table(("EVENT", "FROM", "WHY", "BY", "AT"), [(e.event, e.from_period, e.reason, e.by, e.at) for e in events])


@customers.command(short_help="Enrol customers, and start their first period.")
@_process
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Enrol a customer a row; the header names data items. Safe to run twice.",
)
@click.option(
    "--column", "columns", multiple=True, metavar="ITEM=HEADER", help="FILE's column with a data item; only these count."
)
@click.option("--period", type=PERIOD, metavar="PERIOD", help="The first period, for rows that name none.")
@click.option("--dry-run", is_flag=True, help="Do it all the same way, and keep nothing.")
@options(set_option, database_option, user_option, json_option)
def enrol(
    process: str,
    csv_file: Path | None,
    columns: tuple[str, ...],
    period: str | None,
    dry_run: bool,
    settings: tuple[str, ...],
    database: str,
    user: str | None,
    as_json: bool,
) -> int:
    """Enrol customers of PROCESS, and start their first period. Each is enrolled once.

    One with --set, many with --csv. Exit code 3 when rows were refused.
    """
    values, names = read_settings(settings, None), _columns(columns)
    if bool(values) == (csv_file is not None):
        raise click.UsageError("Expected either --set or --csv, but there are both or none. Do: give one of them.")
    rows: Iterator[Row] = read_rows(csv_file, names) if csv_file is not None else iter([(1, values)])
    by = acting_user(user)
    with open_runtime(database) as runtime:
        if csv_file is not None:
            rows = _with_known_columns(runtime, process, csv_file, rows)
        reports = _enrol(runtime, process, rows, by, csv_file, period, dry_run, as_json)
    counts = {word: sum(row.outcome == word for row in reports) for word in ("enrolled", "already", "refused")}
    trial = "Nothing was kept; it would be: " if dry_run else ""
    say(trial + ", ".join(f"{count} {word}" for word, count in counts.items()))
    return PERSON_NEEDED if counts["refused"] else 0


def _with_known_columns(runtime: Runtime, process: str, path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    """The same rows. Raises DataRefused for a column that is no data item: all of them would be refused for it, one by one."""
    from engine.services.enrolling import data_items

    known = data_items(runtime, process)
    begun: list[Row] = []
    for line, values in rows:
        begun.append((line, values))
        if isinstance(values, DataRefused):
            continue
        for name in values:
            if name not in known:
                raise DataRefused(
                    f"{path}:1: Expected columns that are data items of {process}, but {name!r} is none. "
                    "Do: rename it, or say with --column ITEM=HEADER which columns count."
                )
        break
    return chain(begun, rows)


def _columns(given: tuple[str, ...]) -> dict[str, str]:
    """Header -> data item."""
    names = {}
    for each in given:
        item, equals, header = each.partition("=")
        if not equals or not item.strip() or not header.strip():
            raise click.UsageError(f"Expected ITEM=HEADER after --column, but {each!r} is not of that form.")
        names[header.strip()] = item.strip()
    return names


def _enrol(
    runtime: Runtime, process: str, rows: Any, by: str, path: Path | None, period: str | None, dry_run: bool, as_json: bool
) -> list[RowReport]:
    from engine.services.enrolling import enrol_rows

    reports: list[RowReport] = []

    def report(row: RowReport) -> None:
        reports.append(row)
        if not as_json:
            told = " ".join(filter(None, (row.outcome, row.instance, row.reason)))
            click.echo(readable(f"{path}:{row.line}: {told}" if path is not None else told))

    enrol_rows(runtime, process, rows, by, report, first_period=period, dry_run=dry_run)
    if as_json:
        print_json(reports)
    return reports


_from = click.option(
    "--from", "period", type=PERIOD, metavar="PERIOD", help="The first period that is not billed. Default: the next one."
)


@customers.command(short_help="Bill a customer for no period from one on.")
@_process
@_customer
@_from
@_reason
@options(database_option, user_option, json_option)
def pause(process: str, customer: str, period: str | None, reason: str, database: str, user: str | None, as_json: bool) -> None:
    """Bill a customer for no period from this one on, until they are resumed."""
    from engine.services.enrolling import pause as pause_customer

    with open_runtime(database) as runtime:
        _tell(customer, pause_customer(runtime, process, customer, period, reason, acting_user(user)), as_json)


@customers.command(short_help="Bill a customer for no period from one on, for ever.")
@_process
@_customer
@_from
@_reason
@options(database_option, user_option, json_option)
def end(process: str, customer: str, period: str | None, reason: str, database: str, user: str | None, as_json: bool) -> None:
    """Bill a customer for no period from this one on: their contract has ended."""
    from engine.services.enrolling import end as end_customer

    with open_runtime(database) as runtime:
        _tell(customer, end_customer(runtime, process, customer, period, reason, acting_user(user)), as_json)


@customers.command(short_help="Bill a customer again.")
@_process
@_customer
@click.option("--from", "period", required=True, type=PERIOD, metavar="PERIOD", help="The first period that is billed again.")
@_reason
@options(database_option, user_option, json_option)
def resume(process: str, customer: str, period: str, reason: str, database: str, user: str | None, as_json: bool) -> int:
    """Bill a customer again from this period on: their chain goes on there."""
    from engine.services.enrolling import resume as resume_customer
    from engine.services.repairing import repair_customer

    by = acting_user(user)
    with open_runtime(database) as runtime:
        _tell(customer, resume_customer(runtime, process, customer, period, reason, by), as_json)
        started = repair_customer(runtime, process, customer, period, by)
    if started.outcome == "failed":
        say(f"Their chain doesn't go on: {started.reason}")
        return PERSON_NEEDED
    if started.instance is not None:
        say(f"{started.instance} is their bill for {started.period}.")
    return 0


def _tell(customer: str, event: RosterEvent, as_json: bool) -> None:
    if as_json:
        print_json(_event_json(event))
    else:
        click.echo(readable(f"{customer} is {event.event} from {event.from_period} on"))


def _event_json(event: RosterEvent) -> dict[str, Any]:
    instance = format_id(Kind.INSTANCE, event.instance) if event.instance is not None else None
    return {**asdict(event), "instance": instance}
