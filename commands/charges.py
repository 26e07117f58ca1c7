"""`charges`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from commands.completion import complete_instance, complete_process
from commands.output import counted, print_json, print_table, say
from commands.session import database_option, json_option, open_runtime, options
from commands.values import PERIOD
from engine.connector import ChargeState
from engine.model.money import format_money

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = (
    *("PERIOD", "CUSTOMER", "AMOUNT", "STATE", "REFUNDED", "ATTEMPTS", "INTENT", "APPROVED BY", "REASON", "AT", "LOOKED UP"),
    "INSTANCE",
)


@click.command()
@click.option(
    "--state",
    "states",
    type=click.Choice([state.value for state in ChargeState]),
    multiple=True,
    help="Only charges in this state; can be given several times.",
)
@click.option("--process", metavar="PROCESS", shell_complete=complete_process, help="Only charges of this process.")
@click.option("--period", type=PERIOD, metavar="PERIOD", help="Only charges for this period, e.g. 2026-10.")
@click.option("--customer", metavar="CUSTOMER", help="Only charges of this customer.")
@click.option(
    "--after", metavar="INSTANCE", shell_complete=complete_instance, help="Only charges behind this instance's: the next page."
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="How many at most.")
@options(database_option, json_option)
def charges(states: tuple[str, ...], after: str | None, limit: int, database: str, as_json: bool, **filters: str | None) -> None:
    """List the charge ledger: what was to be charged for whom, and what became of it.

    By period and customer, with the totals of those listed on stderr. Only what is succeeded is money. What is unknown or
    confirming is in doubt: LOOKED UP says when a worker finds out, or which incident waits for a person; the others show when
    they changed last. REFUNDED is what the customer has back, or is about to; run-process refunds lists each.
    """
    from engine.services.ledger import list_charges, totals

    chosen = {name: value for name, value in filters.items() if value is not None}
    with open_runtime(database) as runtime:
        found = list_charges(runtime, chosen, [ChargeState(state) for state in states], after, limit)
    if as_json:
        print_json(found)
    elif not found:
        say("No charge fits.")
    else:
        print_table(COLUMNS, [_cells(row) for row in found], right=("AMOUNT", "REFUNDED", "ATTEMPTS"))
    for (state, currency), (count, total) in totals(found).items():
        say(f"{state}: {counted(count, 'charge')}, {format_money(total, currency)} {currency}")
    if len(found) == limit:
        say(f"There may be more. Do: run-process charges --after {found[-1]['instance']}, with the same options.")


def _cells(row: dict[str, Any]) -> Sequence[object]:
    amount = f"{format_money(row['amount'], row['currency'])} {row['currency']}"
    refunded = format_money(row["refunded"], row["currency"]) if row["refunded"] else None
    return (
        *(row["period"], row["customer"], amount, row["state"], refunded, row["attempt"], row["intent"], row["approved_by"]),
        *(row["reason"], row["charged_at"] or row["updated_at"], row["incident"] or row["next_at"], row["instance"]),
    )
