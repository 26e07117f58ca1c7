"""`coverage`: who is charged in a period, and who is not."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from commands.completion import complete_process
from commands.failure import PERSON_NEEDED
from commands.output import counted, print_csv, print_json, print_table, readable, say
from commands.session import acting_user, database_option, json_option, open_runtime, options, user_option
from commands.values import PERIOD, read_customers
from engine.model.money import format_money

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.billing.coverage import CoverageRow
    from engine.services.repairing import Repair
    from engine.services.runtime import Runtime

COLUMNS = ("CUSTOMER", "STATE", "INSTANCE", "AMOUNT", "REFUNDED", "SINCE", "WHY", "DO")


_MENDING = ("dry_run", "ask_above", "limit", "yes")
_SHOWING = ("states", "left", "by", "against", "as_csv")


class _InSections(click.Command):
    """Options under headings: they are many, and most of them belong to one of two things to do."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"What is shown": [], "Mending": [], "Besides": []}
        for option in self.get_params(ctx):
            shown = option.name in ("period", "as_json", *_SHOWING)
            mending = option.name in ("repair", *_MENDING)
            if isinstance(option, click.Option) and (record := option.get_help_record(ctx)):
                sections["What is shown" if shown else "Mending" if mending else "Besides"].append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


@click.command(cls=_InSections)
@click.argument("process", shell_complete=complete_process)
@click.option("--period", required=True, type=PERIOD, metavar="PERIOD", help="The period, e.g. 2026-10.")
@click.option(
    "--state", "states", multiple=True, metavar="STATE", help="Only customers in this state; can be given several times."
)
@click.option("--left", is_flag=True, help="Only customers of whom something is still to come.")
@click.option("--by", type=click.Choice(["task", "assignee", "state"]), help="A summary by this, in place of the customers.")
@click.option("--against", metavar="FILE.csv|stripe", help="Compare with an outside list of customers, both ways.")
@click.option("--repair", is_flag=True, help="Start what is missing, from the last good instance, through the carry-over map.")
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
@click.option("--ask-above", type=click.IntRange(0), default=20, show_default=True, help="Ask before more than this.")
@click.option("--limit", type=click.IntRange(1), default=1_000, show_default=True, help="This many at most.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets; amounts in major units.")
@click.option("--live", is_flag=True, help="With --against stripe: allow a live Stripe key.")
@options(database_option, user_option, json_option)
@click.pass_context
def coverage(
    context: click.Context,
    process: str,
    period: str,
    states: tuple[str, ...],
    left: bool,
    by: str | None,
    against: str | None,
    repair: bool,
    dry_run: bool,
    ask_above: int,
    limit: int,
    yes: bool,
    as_csv: bool,
    live: bool,
    database: str,
    user: str | None,
    as_json: bool,
) -> int:
    """Show what became of each customer who should be billed in a period: who is charged, and who is not, and why.

    Who should be billed comes from the roster (`run-process customers`), so that a broken chain shows. Exit code 0 when nothing
    more is to come, 3 otherwise. With --repair, chains that stand still go on where they broke off, one bill after the other.
    """
    from engine.services.coverage import coverage as read_coverage

    _check_states(states)
    _check_together(context, repair=repair)
    if as_csv and (as_json or by is not None):
        raise click.UsageError("Expected --csv without --json and --by, but they stand together. Do: choose one.")
    with open_runtime(database, live=live) as runtime:
        if repair:
            return _repair(runtime, process, period, dry_run, ask_above if not yes else None, limit, acting_user(user), as_json)
        rows = read_coverage(runtime, process, period)
        only_ours: set[str] = set()
        if against is not None:
            rows, only_ours = _compared(runtime, process, rows, against)
    chosen = [row for row in rows if (not states or row.state.value in states) and not (left and row.settled)]
    if by is not None:
        _print_summary(chosen, by, as_json)
    else:
        _print_rows(chosen, as_json, as_csv, only_ours)
    _say_totals(rows, process, period)
    return 0 if all(row.settled for row in rows) and not only_ours else PERSON_NEEDED


def _check_together(context: click.Context, *, repair: bool) -> None:
    """Options that would have no effect are refused: who writes `--repair --state missing` expects something else to happen."""
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name in (_SHOWING if repair else _MENDING):
            wanted = f"{option.opts[0]} without --repair" if repair else f"{option.opts[0]} beside --repair"
            raise click.UsageError(f"Expected {wanted}, but it isn't so. Do: {'leave one out' if repair else 'add --repair'}.")


def _check_states(states: Iterable[str]) -> None:
    from engine.billing.coverage import CoverageState

    known = [state.value for state in CoverageState]
    for state in states:
        if state not in known:
            raise click.UsageError(f"Expected one of {', '.join(known)}, but {state!r} is none. Do: correct --state.")


# --- an outside list -------------------------------------------------------------------------------------------------


def _compared(runtime: Runtime, process: str, rows: list[CoverageRow], against: str) -> tuple[list[CoverageRow], set[str]]:
    """The rows with those whom only the other list has, and whom only we have."""
    from engine.billing.coverage import not_enrolled
    from engine.services.coverage import customer_item, customers_at_service

    if against == "stripe":
        theirs, name = customers_at_service(runtime), "Stripe"
    else:
        theirs, name = read_customers(Path(against), customer_item(runtime, process)), against
    ours = {row.customer for row in rows}
    added = [not_enrolled(process, customer, name) for customer in sorted(theirs - ours)]
    only_ours = {row.customer for row in rows if row.customer not in theirs and row.state.value != "ended"}
    marked = [
        replace(row, reason="; ".join(filter(None, (f"not in {name}", row.reason)))) if row.customer in only_ours else row
        for row in rows
    ]
    say(f"{counted(len(added), 'customer')} in {name} and not on the roster, {len(only_ours)} on the roster and not in {name}.")
    return sorted([*marked, *added], key=lambda row: row.customer), only_ours


# --- showing ---------------------------------------------------------------------------------------------------------


def _print_rows(rows: Sequence[CoverageRow], as_json: bool, as_csv: bool, only_ours: set[str]) -> None:
    if as_json:
        print_json([{**asdict(row), "only_ours": row.customer in only_ours} for row in rows])
    elif as_csv:
        columns = ("customer", "state", "settled", "instance", "amount", "refunded", "currency", "since", "reason", "command")
        print_csv(columns, (_csv_cells(row) for row in rows))
    else:
        print_table(COLUMNS, [_cells(row) for row in rows], right=("AMOUNT", "REFUNDED"))


def _money(amount: int | None, currency: str | None) -> str:
    return format_money(amount, currency) if amount is not None and currency is not None else ""


def _csv_cells(row: CoverageRow) -> Sequence[object]:
    amounts = (_money(row.amount, row.currency), _money(row.refunded, row.currency) if row.refunded else "", row.currency)
    settled = "yes" if row.settled else "no"
    return (row.customer, row.state.value, settled, row.instance, *amounts, row.since, row.reason, row.command)


def _cells(row: CoverageRow) -> Sequence[object]:
    amount = f"{_money(row.amount, row.currency)} {row.currency}" if row.amount is not None else ""
    refunded = f"{_money(row.refunded, row.currency)} {row.currency}" if row.refunded else ""
    return (row.customer, row.state.value, row.instance, amount, refunded, row.since, row.reason, row.command)


def _print_summary(rows: Sequence[CoverageRow], by: str, as_json: bool) -> None:
    from engine.billing.coverage import summarise

    groups = list(summarise(rows, by))
    if as_json:
        print_json(groups)
        return
    shown = [(group["name"], group["customers"], group["overdue"], group["since"], _sums(group["amounts"])) for group in groups]
    print_table((by.upper(), "CUSTOMERS", "OVERDUE", "OLDEST SINCE", "AMOUNTS"), shown, right=("CUSTOMERS", "OVERDUE"))


def _sums(amounts: dict[str, dict[str, int]]) -> str:
    totals = {of: sum(sum_ for state, sum_ in sums.items() if state != "refunded") for of, sums in amounts.items()}
    return ", ".join(f"{format_money(total, of)} {of}" for of, total in totals.items())


def _say_totals(rows: Sequence[CoverageRow], process: str, period: str) -> None:
    from engine.billing.coverage import count_states, repair_command, sum_amounts

    counts = ", ".join(f"{count} {state}" for state, count in count_states(rows).items() if count)
    say(f"{period}: {counted(len(rows), 'customer')}" + (f": {counts}." if counts else "."))
    for currency, sums in sum_amounts(rows).items():
        say("; ".join(f"{state} {format_money(sum_, currency)} {currency}" for state, sum_ in sums.items()) + ".")
    if any(row.command == repair_command(process, period) for row in rows):
        say(f"Do: run-process coverage {process} --period {period} --repair --dry-run shows what would be started.")


# --- mending ---------------------------------------------------------------------------------------------------------


def _repair(
    runtime: Runtime, process: str, period: str, dry_run: bool, ask_above: int | None, limit: int, by: str, as_json: bool
) -> int:
    from engine.services.repairing import broken, repair

    found = broken(runtime, process, period)
    rows = found[:limit]
    if dry_run:
        _show_plan(rows, period, as_json)
        return PERSON_NEEDED if rows else 0
    if ask_above is not None and len(rows) > ask_above and not _agreed(len(rows)):
        say("Nothing was started. Do: the same with --dry-run shows what would be, with --yes it is done without asking.")
        return PERSON_NEEDED
    done: list[Repair] = []

    def report(mended: Repair) -> None:
        done.append(mended)
        if not as_json:
            what = " ".join(filter(None, (mended.outcome, mended.instance)))
            click.echo(readable(f"{mended.customer} {mended.period}: {what}" + (f" ({mended.reason})" if mended.reason else "")))

    repair(runtime, process, period, rows, by, report)
    if as_json:
        print_json(done)
    counts = Counter(mended.outcome for mended in done)
    say(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + "." if done else "Nothing is missing.")
    if len(found) > limit:
        say(f"{len(found) - limit} are left. Do: the same again.")
    return PERSON_NEEDED if counts["failed"] or len(found) > limit else 0


def _agreed(number: int) -> bool:
    """Whether the person at the terminal wants so many mended; without a terminal nobody does."""
    terminal = sys.stdin is not None and sys.stdin.isatty()
    return terminal and click.confirm(f"{counted(number, 'customer')} would be mended. Go on?", err=True)


def _show_plan(rows: Sequence[CoverageRow], period: str, as_json: bool) -> None:
    from engine.services.repairing import Repair

    if as_json:
        print_json([asdict(Repair(row.customer, "would", row.instance, period, row.reason)) for row in rows])
        return
    if rows:
        print_table(("CUSTOMER", "STATE", "WHY"), [(row.customer, row.state.value, row.reason) for row in rows])
    say(f"{counted(len(rows), 'customer')} would be mended." if rows else "Nothing is missing.")
