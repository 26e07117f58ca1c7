"""`refunds`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from commands.completion import complete_process
from commands.output import counted, print_json, print_table, say
from commands.session import acting_user, database_option, json_option, live_option, open_runtime, options, user_option
from commands.values import PERIOD
from engine.connector import RefundState
from engine.model.money import format_money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.services.runtime import Runtime

COLUMNS = (
    *("PERIOD", "CUSTOMER", "AMOUNT", "STATE", "REASON", "REQUESTED BY", "APPROVED BY", "REFUND", "PROBLEM", "AT", "LOOKED UP"),
    *("BILL", "INSTANCE", "ID"),
)


@click.command()
@click.option(
    "--state",
    "states",
    type=click.Choice([state.value for state in RefundState]),
    multiple=True,
    help="Only refunds in this state; can be given several times.",
)
@click.option("--process", metavar="PROCESS", shell_complete=complete_process, help="Only refunds of this process's charges.")
@click.option("--period", type=PERIOD, metavar="PERIOD", help="Only refunds of charges for this period, e.g. 2026-10.")
@click.option("--customer", metavar="CUSTOMER", help="Only refunds to this customer.")
@click.option("--after", metavar="ID", help="Only refunds behind this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="How many at most.")
@click.option("--look-up", "asked", metavar="ID", help="First ask Stripe how this refund stands now, and record it.")
@options(database_option, user_option, live_option, json_option)
def refunds(
    states: tuple[str, ...],
    after: str | None,
    limit: int,
    asked: str | None,
    database: str,
    user: str | None,
    live: bool,
    as_json: bool,
    **filters: str | None,
) -> None:
    """List refunds: what was to be given back of which charge, who asked for it and who approved it.

    By period and customer of the charge, with the totals of those listed on stderr. What is succeeded is given back; what is
    pending waits for the bank, and a worker looks it up. What is unknown or submitting is in doubt: LOOKED UP says when a worker
    finds out, or which incident waits for a person.

    A bank can send back even what succeeded. Workers ask Stripe daily for 40 days, --look-up asks at once; then it is recorded as
    failed, an incident calls a person, and as much of the charge can be refunded anew.
    """
    from engine.services.ledger import list_refunds, totals

    chosen = {name: value for name, value in filters.items() if value is not None}
    with open_runtime(database, live=live) as runtime:
        if asked is not None:
            _look_up(runtime, asked, acting_user(user))
        found = list_refunds(runtime, chosen, [RefundState(state) for state in states], after, limit)
    if as_json:
        print_json(found)
    elif not found:
        say("No refund fits.")
    else:
        print_table(COLUMNS, [_cells(row) for row in found], right=("AMOUNT",))
    for (state, currency), (count, total) in totals(found).items():
        say(f"{state}: {counted(count, 'refund')}, {format_money(total, currency)} {currency}")
    if len(found) == limit:
        say(f"There may be more. Do: run-process refunds --after {found[-1]['id']}, with the same options.")


def _look_up(runtime: Runtime, asked: str, by: str) -> None:
    from engine.services.cleaning import keeper_of
    from engine.services.pending_refunds import look_up

    look_up(runtime, keeper_of(runtime), asked, by)


def _cells(row: dict[str, Any]) -> Sequence[object]:
    amount = f"{format_money(row['amount'], row['currency'])} {row['currency']}"
    return (
        *(row["period"], row["customer"], amount, row["state"], row["reason"], row["requested_by"], row["approved_by"]),
        *(row["refund"], row["problem"], row["refunded_at"] or row["updated_at"], row["incident"] or row["next_at"]),
        *(row["bill"], row["instance"], row["id"]),
    )
