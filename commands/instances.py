"""`start`, `instances`, `show`, `history`, `chain`, `cancel`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.completion import complete_instance, complete_process
from commands.failure import PERSON_NEEDED
from commands.output import print_facts, print_json, print_table, readable, say
from commands.session import acting_user, database_option, json_option, open_runtime, options, user_option
from commands.values import PERIOD, data_option, read_rows, read_settings, set_option
from engine.model.money import format_money

if TYPE_CHECKING:
    from engine.services.batches import RowReport
    from engine.services.lineage import Month
    from engine.services.runtime import Runtime

_instance = click.argument("instance_id", metavar="INSTANCE", shell_complete=complete_instance)


@click.command()
@click.argument("process", shell_complete=complete_process)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Start one instance a row; the header names data items. Safe to run twice.",
)
@click.option("--reuse", "reused", metavar="INSTANCE", shell_complete=complete_instance, help="Start from a finished instance.")
@options(set_option, data_option, database_option, user_option, json_option)
def start(
    process: str,
    settings: tuple[str, ...],
    data_file: Path | None,
    csv_file: Path | None,
    reused: str | None,
    database: str,
    user: str | None,
    as_json: bool,
) -> int:
    """Start instances of PROCESS by hand.

    One with --set or --data, many with --csv, or the next one after a finished instance with --reuse, which takes over what
    the carry-over map lets through. A customer's period is started once: a second start names the first. Exit code 3 when
    rows of a file were refused.
    """
    values = read_settings(settings, data_file)
    by = acting_user(user)
    from engine.services import starting  # slow to import: what was mistyped above is told at once
    from engine.services.inspecting import show as show_instance

    with open_runtime(database) as runtime:
        if csv_file is not None:
            if values or reused:
                raise click.UsageError("Expected --csv on its own, but it stands with --set, --data or --reuse.")
            return _start_rows(runtime, process, csv_file, by, as_json)
        if reused is not None:
            instance = starting.reuse(runtime, process, reused, values, by)
        else:
            instance = starting.start_by_hand(runtime, process, values, by)
        if as_json:
            print_json(show_instance(runtime, instance)[0])
        else:
            click.echo(instance)
    return 0


def _start_rows(runtime: Runtime, process: str, path: Path, by: str, as_json: bool) -> int:
    from engine.services.starting import start_rows

    reports: list[RowReport] = []

    def report(row: RowReport) -> None:
        reports.append(row)
        if not as_json:
            click.echo(readable(f"{path}:{row.line}: {row.outcome} {row.instance or row.reason}"))

    start_rows(runtime, process, read_rows(path), by, report)
    if as_json:
        print_json(reports)
    counts = {word: sum(row.outcome == word for row in reports) for word in ("started", "already", "refused")}
    say(", ".join(f"{count} {word}" for word, count in counts.items()))
    return PERSON_NEEDED if counts["refused"] else 0


@click.command()
@click.option("--process", metavar="PROCESS", shell_complete=complete_process, help="Only instances of this process.")
@click.option("--state", type=click.Choice(["active", "completed", "cancelled"]), help="Only instances in this state.")
@click.option("--customer", metavar="CUSTOMER", help="Only instances of this customer.")
@click.option("--period", type=PERIOD, metavar="PERIOD", help="Only instances of this period, e.g. 2026-10.")
@click.option("--after", metavar="INSTANCE", help="Only instances behind this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="How many at most.")
@options(database_option, json_option)
def instances(database: str, as_json: bool, after: str | None, limit: int, **filters: str | None) -> None:
    """List instances, oldest first."""
    from engine.services.inspecting import list_instances

    chosen = {name: value for name, value in filters.items() if value is not None}
    with open_runtime(database) as runtime:
        found = list_instances(runtime, chosen, after, limit)
    if as_json:
        print_json(found)
        return
    columns = ("INSTANCE", "PROCESS", "STATE", "CUSTOMER", "PERIOD", "STARTED", "BY", "PREVIOUS", "NEXT")
    called = any(i.called_by for i in found)  # few processes call others, and a terminal is narrow
    print_table(
        (*columns, "CALLED BY") if called else columns,
        [
            (
                *(i.id, f"{i.process}@{i.version}", i.state, i.customer, i.period, i.started_at),
                *(i.started_by, i.previous, i.next),
                *((i.called_by,) if called else ()),
            )
            for i in found
        ],
    )
    if len(found) == limit:
        say(f"There may be more. Do: run-process instances --after {found[-1].id}.")


@click.command()
@_instance
@options(database_option, json_option)
def show(instance_id: str, database: str, as_json: bool) -> None:
    """Show one instance in full: data, tasks, jobs, timers, messages, charges, incidents."""
    from engine.services.inspecting import data_for_people
    from engine.services.inspecting import show as show_instance

    with open_runtime(database) as runtime:
        instance, details = show_instance(runtime, instance_id)
        if as_json:
            print_json({**_fields(instance), **details})
            return
        details["data"] = data_for_people(runtime, instance_id)
        del details["previous_values"]  # shown beside the fields of the instance's forms
    print_facts((name, value) for name, value in _fields(instance).items() if name != "end_events")
    for title, rows in details.items():
        if rows:
            click.echo(f"\n{title.upper().replace('_', ' ')}")
            _print_section(rows)


def _fields(view: Any) -> dict[str, Any]:
    return {name: getattr(view, name) for name in view.__dataclass_fields__}


def _print_section(rows: Any) -> None:
    if isinstance(rows, dict):
        print_facts(rows.items())
        return
    plain = [row if isinstance(row, dict) else _fields(row) for row in rows]
    for row in plain:
        if "currency" in row:
            row["amount"] = f"{format_money(row['amount'], row['currency'])} {row['currency']}"
    hidden = {"fields", "parameters", "commands", "instance", "customer", "period", "currency"}
    columns = [name for name in plain[0] if name not in hidden and any(row[name] not in (None, "") for row in plain)]
    print_table([name.upper() for name in columns], [[row[name] for name in columns] for row in plain])


@click.command()
@_instance
@options(database_option, json_option)
def history(instance_id: str, database: str, as_json: bool) -> int:
    """Show what happened to an instance, when, and who did it.

    Entries are chained by hashes; exit code 3 when one was changed, removed or reordered afterwards.
    """
    from engine.services.inspecting import read_history

    with open_runtime(database) as runtime:
        entries, broken = read_history(runtime, instance_id)
    if as_json:
        print_json(entries)
    else:
        print_table(
            ("#", "AT", "EVENT", "BY", "DETAILS"),
            [(e["number"], e["at"], e["event"], e["by"], _details(e["details"])) for e in entries],
            right=("#",),
        )
    if broken is not None:
        say(f"Expected an unbroken history, but entry {broken} does not fit the ones before it. Do: tell an auditor.")
        return PERSON_NEEDED
    return 0


def _details(details: dict[str, Any]) -> str:
    return " ".join(f"{name}={_compact(value)}" for name, value in details.items() if value not in (None, [], {}))


def _compact(value: Any) -> str:
    if isinstance(value, list):
        return ">".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else readable(value)


@click.command()
@click.argument("customer", metavar="CUSTOMER|INSTANCE", shell_complete=complete_instance)
@click.option("--process", metavar="PROCESS", shell_complete=complete_process, help="Only the chain in this process.")
@options(database_option, json_option)
def chain(customer: str, process: str | None, database: str, as_json: bool) -> int:
    """Show a customer's months in a line: the instances, what was billed, gaps and forks. Exit code 3 when there is one.

    An instance stands for its customer; one that gives a charge back for whom it gives it back to.
    """
    from engine.services.lineage import lineage

    with open_runtime(database) as runtime:
        found = lineage(runtime, customer, process)
    if as_json:
        print_json([_month_fields(month) for month in found])
    else:
        columns = ("PERIOD", "INSTANCE", "VERSION", "STATE", "STARTED BY", "AMOUNT", "REFUNDED", "CHARGE", "NEXT", "FORK")
        print_table(columns, [_month_cells(month) for month in found], right=("VERSION", "AMOUNT", "REFUNDED"))
    return PERSON_NEEDED if any(month.fork or month.state == "missing" for month in found) else 0


def _month_fields(month: Month) -> dict[str, Any]:
    from engine.services.views import InstanceView

    about = _fields(month)
    instance = about.pop("instance")
    of = _fields(instance) if instance is not None else dict.fromkeys(InstanceView.__dataclass_fields__)
    return {**of, **about, "gap": instance is None}


def _month_cells(month: Month) -> tuple[object, ...]:
    instance = month.instance
    if instance is None:
        return (month.period, "", "", month.state, "", "", "", "", "", "")
    outcome = _charge_outcome(month.charge) if month.charge else ""
    billed = _sum(month.amount, month.currency), _sum(month.refunded or None, month.currency)
    known = (month.period, instance.id, instance.version, instance.state, instance.started_by)
    return (*known, *billed, outcome, instance.next, month.fork)


def _sum(amount: int | None, currency: str | None) -> str:
    return f"{format_money(amount, currency)} {currency}" if amount is not None and currency is not None else ""


def _charge_outcome(charge: dict[str, Any]) -> str:
    why = charge["reason"] if charge["state"] != "succeeded" else None
    return f"{charge['state']} ({why})" if why else str(charge["state"])


@click.command()
@_instance
@click.option("--reason", required=True, metavar="TEXT", help="Why; recorded.")
@options(database_option, user_option, json_option)
def cancel(instance_id: str, reason: str, database: str, user: str | None, as_json: bool) -> None:
    """End an instance by hand.

    When nothing was charged, its period is free again and can be started anew. The chain does not go on by itself.
    """
    from engine.services.inspecting import instance as ask_instance
    from engine.services.resolving import cancel as cancel_instance

    with open_runtime(database) as runtime:
        freed = cancel_instance(runtime, instance_id, reason, acting_user(user))
        instance = ask_instance(runtime, instance_id)
    if as_json:
        print_json({**_fields(instance), "bill_freed": freed})
        return
    if instance.period is None:  # a process that doesn't repeat
        click.echo(f"{instance.id} is cancelled")
        return
    bill = "its period can be started again" if freed else "its period stays billed"
    click.echo(f"{instance.id} is cancelled; {bill}")
    again = f"run-process start {instance.process} --set ITEM=VALUE ... starts {instance.period} anew; " if freed else ""
    say(f"Do: {again}run-process start {instance.process} --reuse {instance.id} goes on with the period after it.")
