"""`reconcile`: the ledger next to Stripe's own records, as an operator and an auditor read it."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from commands.demo.sandbox_customers import KEY, StripeSide
from connectors.stripe.client import build_client
from connectors.stripe_sandbox import Sandbox, start_sandbox
from engine.store import tables
from engine.store.database import Database
from tests.acceptance.program import DATABASE, PROCESS, PROCESSES, Program, approve, bill_of, enter

FORMULA = "=HYPERLINK(A1)"


@pytest.fixture(scope="module")
def account() -> Iterator[Sandbox]:
    """A Stripe account that nobody else uses."""
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def charged(account: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], str]:
    """A folder in which October was charged to one customer, the settings for its account, and the customer's id."""
    folder = tmp_path_factory.mktemp("charged")
    settings = {"RUN_PROCESS_STRIPE_URL": account.url, "RUN_PROCESS_STRIPE_KEY": KEY, "RUN_PROCESS_STRIPE_RATE": "1000"}
    run = Program(folder, settings)
    customer = StripeSide(account.url, account.control).enrol("Ann Abe", "ann@example.com", "pm_card_visa")
    run("deploy", PROCESSES / f"{PROCESS}.bpmn")
    run("start", PROCESS, *bill_of(customer))
    enter(run, "t1")
    approve(run, "t2")
    run("work", "--until-idle")
    return folder, settings, customer


@pytest.fixture
def run(charged: tuple[Path, dict[str, str], str], tmp_path: Path) -> Program:
    shutil.copytree(charged[0], tmp_path, dirs_exist_ok=True)
    return Program(tmp_path, charged[1])


def change(run: Program, **values: object) -> None:
    """Let the one charge look otherwise."""
    database = Database(f"sqlite:///{run.folder / DATABASE}")
    with database.transaction() as connection:
        connection.execute(update(tables.charges).values(**values))
    database.close()


def reconcile(run: Program, *options: str, code: int) -> tuple[str, str]:
    done = run("reconcile", PROCESS, "--period", "2026-10", *options, code=code)
    return done.stdout, done.stderr


def test_a_month_that_agrees_with_stripe_prints_nothing_but_totals(run: Program) -> None:
    stdout, stderr = reconcile(run, code=0)
    lines = stderr.splitlines()
    assert stdout == ""
    assert lines[0].startswith("Compared 1 charge with 1 payment and 0 refunds at Stripe since 2026-10-01 00:00Z until ")
    assert lines[1:] == ["EUR: charged 120.50, at Stripe 120.50; refunded 0.00, at Stripe 0.00", "Both sides agree."]


def test_a_finding_shows_both_sides_and_what_to_do(run: Program) -> None:
    change(run, amount=12_000)
    stdout, stderr = reconcile(run, code=3)
    header, line = stdout.splitlines()
    assert header.split()[:4] == ["FINDING", "CUSTOMER", "INSTANCE", "OURS"]
    assert line.startswith("amount_differs")
    assert "120.00 EUR succeeded pi_" in line
    assert "120.50 EUR succeeded pi_" in line
    assert "Do: run-process history i1" in line
    assert stderr.splitlines()[1:] == ["EUR: charged 120.00, at Stripe 120.50; refunded 0.00, at Stripe 0.00", "1 finding."]


def test_programs_get_minor_units_and_both_sides(
    run: Program, account: Sandbox, charged: tuple[Path, dict[str, str], str]
) -> None:
    client = build_client(KEY, account.url)
    ours = {"charge_key": f"{PROCESS}|nobody|2026-10", "process": PROCESS, "period": "2026-10", "instance": "i9"}
    card = client.v1.customers.retrieve(charged[2]).invoice_settings.default_payment_method
    paid = client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "jpy",
            "customer": charged[2],
            "payment_method": str(card),
            "confirm": True,
            "off_session": True,
            "metadata": ours,
        }
    )
    stdout, _ = reconcile(run, "--json", code=3)
    done = run("reconcile", PROCESS, "--period", "2026-10", "--json", code=3).json
    assert (done["charges"], done["payments"], done["livemode"], done["other_mode"]) == (1, 2, False, 0)
    [finding] = done["findings"]
    assert (finding["kind"], finding["customer"], finding["ours"]) == ("charged_without_bill", "nobody", None)
    assert (finding["theirs"]["id"], finding["theirs"]["amount"], finding["theirs"]["currency"]) == (paid.id, 500, "JPY")
    assert stdout.count("\n") == 1
    client.v1.refunds.create({"payment_intent": paid.id})
    reconcile(run, code=0)


def test_spreadsheets_get_rows_without_formulas(run: Program) -> None:
    change(run, customer=FORMULA, amount=12_000)
    stdout, _ = reconcile(run, "--csv", code=3)
    [row] = csv.DictReader(io.StringIO(stdout))
    assert row["customer"] == f"'{FORMULA}"
    assert (row["kind"], row["ours_amount"], row["theirs_amount"], row["ours_currency"]) == (
        "amount_differs",
        "120.00",
        "120.50",
        "EUR",
    )
    assert row["theirs_at"].endswith("Z")


def test_a_ledger_of_the_other_mode_is_not_taken_for_reconciled(run: Program) -> None:
    change(run, livemode=True)
    _, stderr = reconcile(run, code=3)
    assert "1 in live mode, which were not compared" in stderr
    assert "Both sides agree" not in stderr


def test_what_cannot_be_compared_is_told_plainly_and_without_the_key(run: Program, account: Sandbox) -> None:
    compare = ("reconcile", PROCESS, "--period", "2026-10")
    live = "sk_live_secretsecret"
    messages = [
        run.refused(*compare, RUN_PROCESS_STRIPE_KEY=""),
        run.refused(*compare, RUN_PROCESS_STRIPE_KEY=live),
        run.refused(*compare, "--live"),
        run(*compare, code=1, RUN_PROCESS_STRIPE_URL="http://127.0.0.1:9").stderr,  # the permit that it took is stored
        run.refused("reconcile", "nothing", "--period", "2026-10"),
        run.refused("reconcile", PROCESS, "--period", "2026-10-01"),
        run.refused("reconcile", PROCESS, code=2),
        run.refused("reconcile", PROCESS, "--period", "October", code=2),
        run.refused(*compare, "--csv", "--json", code=2),
    ]
    assert "RUN_PROCESS_STRIPE_KEY" in messages[0]
    assert "Nothing was compared" in messages[3]
    assert all(live not in message and KEY not in message for message in messages)


def test_a_key_that_may_not_read_everything_is_told_as_that(run: Program, account: Sandbox) -> None:
    account.control.add_fault("refused", method="GET", path="/v1/refunds")
    stdout, stderr = reconcile(run, code=1)
    assert stdout == ""
    assert "may read PaymentIntents, charges and refunds" in stderr
