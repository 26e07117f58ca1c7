"""`reconcile`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.completion import complete_process
from commands.failure import PERSON_NEEDED
from commands.output import counted, print_csv, print_json, print_table, readable, say
from commands.session import database_option, json_option, open_runtime, options
from commands.values import PERIOD
from engine.errors import DataRefused
from engine.model.money import format_money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.billing.finding import Finding, Side
    from engine.services.reconciling import Reconciliation

COLUMNS = ("FINDING", "CUSTOMER", "INSTANCE", "OURS", "AT STRIPE", "WHAT TO DO")
_SIDE = ("id", "state", "amount", "currency", "customer", "at")
CSV_COLUMNS = (
    *("kind", "customer", "charge_key", "instance"),
    *(f"ours_{name}" for name in _SIDE),
    *(f"theirs_{name}" for name in _SIDE),
    "message",
)


@click.command()
@click.argument("process", shell_complete=complete_process)
@click.option("--period", type=PERIOD, metavar="PERIOD", required=True, help="The period whose bills are compared, e.g. 2026-10.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets, amounts in major units.")
@click.option("--live", is_flag=True, help="Compare with real payments: allow a live Stripe key.")
@options(database_option, json_option)
def reconcile(process: str, period: str, as_csv: bool, live: bool, database: str, as_json: bool) -> int:
    """Compare a period's charges and refunds with Stripe's own records, both ways.

    All payments and refunds at Stripe since the period's first charge are read, page by page. A finding says what the ledger has,
    what Stripe has and what to do: money taken without a bill, a bill without money, differing amounts, currencies or customers,
    payments beside a bill or by hand, refunds that only one side knows, and charges in doubt. A payment of our customers that is
    for something else is none once its metadata at Stripe says so with the key process.

    Nothing is changed, here or there. Needs Stripe's key, as work does. Totals stand on stderr. Exit code 3 when anything was
    found; when Stripe didn't show everything, nothing was compared, and it is 1.
    """
    if as_csv and as_json:
        raise click.UsageError("Expected --json or --csv, but there are both. Do: choose one.")
    from engine.services.reconciling import reconcile as compare

    with open_runtime(database, live=live) as runtime:
        done = compare(runtime, process, period)
    if as_json:
        print_json(done)
    elif as_csv:
        print_csv(CSV_COLUMNS, [_csv_row(finding) for finding in done.findings])
    elif done.findings:
        print_table(COLUMNS, [_row(finding) for finding in done.findings])
    _sum_up(done)
    return PERSON_NEEDED if done.unreconciled else 0


def _row(finding: Finding) -> Sequence[object]:
    ours, theirs = _in_words(finding.ours), _in_words(finding.theirs)
    return finding.kind, finding.customer, finding.instance, ours, theirs, finding.message


def _in_words(side: Side | None) -> str:
    if side is None:
        return "nothing"
    parts = (_money(side.amount, side.currency), side.currency, side.state, side.id, side.customer, readable(side.at))
    return " ".join(part for part in parts if part)


def _csv_row(finding: Finding) -> Sequence[object]:
    known = (finding.kind, finding.customer, finding.charge_key, finding.instance)
    return *known, *_csv_side(finding.ours), *_csv_side(finding.theirs), finding.message


def _csv_side(side: Side | None) -> Sequence[object]:
    if side is None:
        return (None,) * len(_SIDE)
    return side.id, side.state, _money(side.amount, side.currency), side.currency, side.customer, side.at


def _money(amount: int, currency: str) -> str:
    try:
        return format_money(amount, currency)
    except DataRefused:  # a payment by hand in a currency that ISO 4217 doesn't have
        return str(amount)


def _sum_up(done: Reconciliation) -> None:
    mode = "live" if done.livemode else "test"
    asked = f"since {readable(done.since)} until {readable(done.until)}, in {mode} mode"
    compared = f"{counted(done.charges, 'charge')} with {counted(done.payments, 'payment')} and {counted(done.refunds, 'refund')}"
    say(f"Compared {compared} at Stripe {asked}.")
    for total in done.totals:
        charged = (
            f"charged {_money(total.charged_ours, total.currency)}, at Stripe {_money(total.charged_theirs, total.currency)}"
        )
        back = (
            f"refunded {_money(total.refunded_ours, total.currency)}, at Stripe {_money(total.refunded_theirs, total.currency)}"
        )
        settled = f"; paid otherwise {_money(total.settled, total.currency)}" if total.settled else ""
        say(f"{total.currency}: {charged}; {back}{settled}")
    for sentence in done.unreconciled[len(done.findings) :]:
        say(sentence)
    say(f"{counted(len(done.findings), 'finding')}." if done.unreconciled else "Both sides agree.")
