"""`close`, `reopen`, `periods`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from commands.completion import complete_process
from commands.failure import PERSON_NEEDED
from commands.output import counted, print_json, print_table, readable, say
from commands.session import acting_user, database_option, json_option, open_runtime, options, user_option
from commands.values import PERIOD
from engine.model.money import format_money

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.services.runtime import Runtime

_process = click.argument("process", shell_complete=complete_process)
_period = click.option("--period", required=True, type=PERIOD, metavar="PERIOD", help="The period, e.g. 2026-10.")
_SHOWN = 20


@click.command()
@_process
@_period
@click.option("--unreconciled", metavar="REASON", help="Close whatever Stripe's records say; why is recorded.")
@click.option("--live", is_flag=True, help="Compare with real payments: allow a live Stripe key.")
@options(database_option, user_option, json_option)
def close(process: str, period: str, unreconciled: str | None, database: str, user: str | None, live: bool, as_json: bool) -> int:
    """Close a period of PROCESS: nothing of it can start, be charged or change any more.

    Refused with exit code 3, and what is in the way, while anything is open, unresolved or missing, or Stripe's own records say
    otherwise (`run-process reconcile`). What is recorded: who and when, the totals, and a digest of all rows.

    Some of what reconcile finds stays for good: a refund made in Stripe's dashboard, a payment by hand that is to be kept. Once
    somebody has looked into it, --unreconciled closes nevertheless; Stripe isn't asked then.
    """
    from engine.services.period_closing import close as close_period

    by = acting_user(user)
    if unreconciled is not None and not unreconciled.strip():
        raise click.UsageError("Expected a reason, but it is empty. Do: --unreconciled 'why'.")
    with open_runtime(database, live=live) as runtime:
        compare = list if unreconciled else (lambda: _differences(runtime, process, period))
        closing = close_period(runtime, process, period, by, compare, unreconciled)
    if as_json:
        print_json({**asdict(closing), "unsettled": [{**asdict(row), "only_ours": False} for row in closing.unsettled]})
    if closing.record is not None:
        if not as_json:
            click.echo(f"{period} of {process} is closed: {_totals(closing.record.totals or {})}")
        return 0
    left = [f"{row.customer}: {row.state.value}: {row.reason}" for row in closing.unsettled]
    remedy = f"run-process coverage {process} --period {period} --left"
    if not left:
        again = f"run-process close {process} --period {period} --unreconciled REASON"
        remedy = f"run-process reconcile {process} --period {period}, and where nothing can be mended any more, {again}"
    _list_left([*left, *closing.unreconciled], remedy, as_json)
    return PERSON_NEEDED


def _list_left(left: list[str], remedy: str, as_json: bool) -> None:
    if not as_json:
        for line in left[:_SHOWN]:
            click.echo(readable(line))
    more = f" ({len(left) - _SHOWN} more)" if len(left) > _SHOWN else ""
    say(f"It stays open: {counted(len(left), 'thing')} in the way{more}. Do: {remedy}.")


def _differences(runtime: Runtime, process: str, period: str) -> list[str]:
    from engine.services.reconciling import reconcile

    return reconcile(runtime, process, period).unreconciled


@click.command()
@_process
@_period
@click.option("--reason", required=True, metavar="TEXT", help="Why; recorded.")
@options(database_option, user_option, json_option)
def reopen(process: str, period: str, reason: str, database: str, user: str | None, as_json: bool) -> None:
    """Let a closed period of PROCESS change again."""
    from engine.services.period_closing import reopen as reopen_period

    with open_runtime(database) as runtime:
        row = reopen_period(runtime, process, period, reason, acting_user(user))
    if as_json:
        print_json(row)
    else:
        click.echo(f"{period} of {process} is open again")


@click.command()
@_process
@click.option("--verify", is_flag=True, help="Work closed ones out anew, and compare; this takes longer.")
@options(database_option, json_option)
def periods(process: str, verify: bool, database: str, as_json: bool) -> int:
    """List the periods of PROCESS: an open one as it stands, a closed one as it was recorded.

    With --verify, a closed one that isn't what was recorded is shown as changed, as it stands now, and the exit code is 3.
    """
    from engine.services.listing_periods import CHANGED, list_periods

    with open_runtime(database) as runtime:
        found = list_periods(runtime, process, verify=verify)
    if as_json:
        print_json(found)
    else:
        rows = [(p.period, p.state, p.customers, _totals(p.totals), p.by, p.at, p.reason) for p in found]
        print_table(("PERIOD", "STATE", "CUSTOMERS", "TOTALS", "BY", "AT", "WHY"), rows, right=("CUSTOMERS",))
    return PERSON_NEEDED if any(p.state == CHANGED for p in found) else 0


def _totals(totals: Mapping[str, Any]) -> str:
    states = ", ".join(f"{count} {state}" for state, count in totals.get("states", {}).items())
    sums = [
        f"{format_money(sum_, currency)} {currency} {state}"
        for currency, of_currency in totals.get("amounts", {}).items()
        for state, sum_ in of_currency.items()
    ]
    return "; ".join(filter(None, (states, ", ".join(sums))))
