"""The commands of a month's end: who is charged, who is not, mend it, close it."""

from __future__ import annotations

import csv
import io
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from commands.demo.sandbox_customers import KEY, StripeSide
from connectors.stripe.client import build_client
from connectors.stripe_sandbox import start_sandbox
from tests.acceptance.program import DATABASE, PROCESS, PROCESSES, Program, approve, bill_of, enter

OCTOBER, NOVEMBER = "2026-10", "2026-11"


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Program]:
    """October waits for its charge, at a Stripe account that nobody else uses."""
    with start_sandbox() as sandbox:
        settings = {"RUN_PROCESS_STRIPE_URL": sandbox.url, "RUN_PROCESS_STRIPE_KEY": KEY, "RUN_PROCESS_STRIPE_RATE": "1000"}
        run = Program(tmp_path, settings)
        customer = StripeSide(sandbox.url, sandbox.control).enrol("Ann Abe", "ann@example.com", "pm_card_visa")
        run("deploy", PROCESSES / f"{PROCESS}.bpmn")
        run("start", PROCESS, *bill_of(customer))
        enter(run, "t1")
        approve(run, "t2")
        yield run


def write(folder: Path, *lines: str) -> str:
    path = folder / "customers.csv"
    path.write_text("\n".join(["id,name,email,currency", *lines]) + "\n", encoding="utf-8")
    return path.name


COLUMNS = ("stripe_customer_id=id", "customer_name=name", "email=email", "currency=currency")
MAPPED = tuple(word for column in COLUMNS for word in ("--column", column))


def test_a_file_of_customers_is_enrolled_after_a_trial(deployed: Program) -> None:
    file = write(deployed.folder, "cus_a,Ann,ann@example.com,USD", "cus_b,Bob,not an address,USD")
    enrol = ("customers", "enrol", PROCESS, "--csv", file, *MAPPED, "--period", OCTOBER)
    trial = deployed(*enrol, "--dry-run", code=3)
    assert trial.stderr == "Nothing was kept; it would be: 1 enrolled, 0 already, 1 refused\n"
    assert deployed("customers", "list", PROCESS, "--json").json == []
    done = deployed(*enrol, code=3)
    assert "customers.csv:2: enrolled i" in done.stdout
    assert "customers.csv:3: refused email: Expected" in done.stdout
    again = deployed(*enrol, code=3)
    assert again.stderr == "0 enrolled, 1 already, 1 refused\n"
    [customer] = deployed("customers", "list", PROCESS, "--json").json
    assert (customer["customer"], customer["standing"], customer["first_period"]) == ("cus_a", "billed", OCTOBER)
    shown = deployed("customers", "show", PROCESS, "cus_a").stdout
    assert "ann@example.com" in shown


def test_a_month_is_answered_for_until_it_is_closed(alone: Program) -> None:
    [row] = alone("coverage", PROCESS, "--period", OCTOBER, "--json", code=3).json
    assert {"customer", "state", "instance", "reason", "amount", "currency"} <= row.keys()
    assert (row["state"], row["settled"]) == ("waiting", False)
    close = ("close", PROCESS, "--period", OCTOBER)
    kept = alone(*close, code=3)
    assert "waiting: stripe.charge (j1)" in kept.stdout
    assert "--left" in kept.stderr
    alone("work", "--until-idle")
    done = alone("coverage", PROCESS, "--period", OCTOBER)
    assert done.stderr == "2026-10: 1 customer: 1 charged.\ncharged 120.50 EUR.\n"
    assert alone(*close, "--as", "ada").stdout.startswith(f"2026-10 of {PROCESS} is closed: 1 charged; 120.50 EUR")
    assert "is closed" in alone.refused("start", PROCESS, *bill_of("cus_late"))
    [october, november] = alone("periods", PROCESS, "--json").json
    assert (october["state"], october["by"], november["state"]) == ("closed", "ada", "open")
    assert "Expected somebody to be billed for 2020-01" in alone.refused("close", PROCESS, "--period", "2020-01")
    alone("reopen", PROCESS, "--period", OCTOBER, "--reason", "One was forgotten.")
    alone("start", PROCESS, *bill_of("cus_late"))


def test_a_broken_chain_is_shown_and_mended(billed: Program) -> None:
    billed("cancel", "i2", "--reason", "Entered twice.", "--as", "olivia")
    coverage = ("coverage", PROCESS, "--period", NOVEMBER)
    missing = billed(*coverage, code=3)
    assert "i2 was cancelled by olivia: Entered twice." in missing.stdout
    assert f"Do: run-process coverage {PROCESS} --period {NOVEMBER} --repair --dry-run" in missing.stderr
    assert "1 customer would be mended" in billed(*coverage, "--repair", "--dry-run", code=3).stderr
    assert "started i3" in billed(*coverage, "--repair").stdout
    assert billed(*coverage, "--repair").stderr == "Nothing is missing.\n"
    months = billed("chain", "i1", "--json").json
    assert [(month["period"], month["id"], month["state"], month["gap"], month["fork"]) for month in months] == [
        (OCTOBER, "i1", "completed", False, None),
        (NOVEMBER, "i2", "cancelled", False, None),
        (NOVEMBER, "i3", "active", False, None),
    ]


def test_who_is_paused_is_billed_again_where_they_are_resumed(billed: Program) -> None:
    billed("cancel", "i2", "--reason", "They pause.")
    customer = billed("show", "i1", "--json").json["customer"]
    billed("customers", "pause", PROCESS, customer, "--from", NOVEMBER, "--reason", "Holiday.", "--as", "olivia")
    [row] = billed("coverage", PROCESS, "--period", NOVEMBER, "--json").json
    assert (row["state"], row["reason"]) == ("paused", "from 2026-11 by olivia: Holiday.")
    resumed = billed("customers", "resume", PROCESS, customer, "--from", "2026-12", "--reason", "Back.")
    assert "i3 is their bill for 2026-12." in resumed.stderr
    gaps = billed("chain", "i1", "--json").json
    assert [(month["period"], month["state"]) for month in gaps if month["gap"]] == [(NOVEMBER, "paused")]


def test_an_outside_list_is_compared_both_ways(alone: Program) -> None:
    alone("work", "--until-idle")
    write(alone.folder, "cus_other,Eve,eve@example.com,USD")
    (alone.folder / "theirs.csv").write_text("stripe_customer_id\ncus_other\n", encoding="utf-8")
    told = alone("coverage", PROCESS, "--period", OCTOBER, "--against", "theirs.csv", "--json", code=3)
    theirs, ours = sorted(told.json, key=lambda row: row["customer"] != "cus_other")
    assert (theirs["state"], theirs["reason"]) == ("missing", "in theirs.csv, but not on the roster")
    assert (ours["state"], ours["only_ours"], ours["reason"]) == ("charged", True, "not in theirs.csv")
    same = alone("coverage", PROCESS, "--period", OCTOBER, "--against", "stripe")
    assert same.stderr.startswith("0 customers in Stripe and not on the roster, 0 on the roster and not in Stripe.")


def test_a_spreadsheet_never_takes_a_cell_for_a_formula(deployed: Program) -> None:
    deployed("start", PROCESS, *bill_of("cus_a"))
    deployed("cancel", "i1", "--reason", "=cmd|' /C calc'!A0")
    printed = deployed("coverage", PROCESS, "--period", OCTOBER, "--csv", code=3).stdout
    [row] = csv.DictReader(io.StringIO(printed))
    assert row["state"] == "missing"
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())


def test_a_file_that_is_no_csv_of_data_items_is_refused_as_a_whole(deployed: Program) -> None:
    def told(text: str, *options: str) -> str:
        (deployed.folder / "odd.csv").write_text(text, encoding="utf-8")
        return deployed.refused("customers", "enrol", PROCESS, "--csv", "odd.csv", *options)

    assert "Expected commas between the columns, but there are semicolons" in told("email;currency\na@example.com;USD\n")
    assert "but the first line is empty" in told("")
    assert "'email' stands there again" in told("email,email\n")
    assert "'phone' is none. Do: rename it, or say with --column" in told("email,phone\na@example.com,1\nb@example.com,2\n")


def test_a_row_without_a_first_period_is_told_how_to_get_one(deployed: Program) -> None:
    file = write(deployed.folder, "cus_a,Ann,ann@example.com,USD")
    assert "--period" in deployed("customers", "enrol", PROCESS, "--csv", file, *MAPPED, code=3).stdout


def test_what_is_decided_must_fit_and_the_command_that_tells_why_works(deployed: Program) -> None:
    deployed("start", PROCESS, *bill_of("cus a"))
    early = deployed.refused("customers", "pause", PROCESS, "cus a", "--from", "2026-01", "--reason", "Holiday.")
    assert "but they are on the roster from 2026-10 on" in early
    command = early.partition("Do: run-process ")[2].removesuffix(" tells what was decided.")
    assert "first_period  2026-10" in deployed(*shlex.split(command)).stdout


def test_many_are_mended_only_once_somebody_agreed(deployed: Program) -> None:
    for number in (1, 2):
        deployed("start", PROCESS, *bill_of(f"cus_{number}"))
        deployed("cancel", f"i{number}", "--reason", "Entered twice.")
    repair = ("coverage", PROCESS, "--period", OCTOBER, "--repair", "--ask-above", "1")
    before = deployed.stored()
    nobody = deployed(*repair, code=3)
    assert (nobody.stdout, deployed.stored()) == ("", before)
    assert "Nothing was started." in nobody.stderr
    assert "--yes" in nobody.stderr
    assert deployed(*repair, "--yes").stderr == "2 started.\n"
    assert deployed(*repair, "--dry-run").stderr == "Nothing is missing.\n"


@pytest.mark.parametrize(
    "options",
    [
        ("--repair", "--state", "missing"),
        ("--repair", "--against", "stripe"),
        ("--yes",),
        ("--csv", "--by", "state"),
        ("--csv", "--json"),
    ],
)
def test_options_of_coverage_that_would_have_no_effect_are_refused(deployed: Program, options: tuple[str, ...]) -> None:
    deployed.refused("coverage", PROCESS, "--period", OCTOBER, *options, code=2)


def test_the_options_of_coverage_stand_under_what_they_are_for(run: Program) -> None:
    told = run("coverage", "--help").stdout
    places = [
        told.index(part) for part in ("What is shown:", "  --against", "Mending:", "  --repair", "  --yes", "Besides:", "--help")
    ]
    assert places == sorted(places)


def test_only_what_repair_starts_is_said_to_be_mended_by_it(deployed: Program) -> None:
    (deployed.folder / "theirs.csv").write_text("stripe_customer_id\ncus_other\n", encoding="utf-8")
    told = deployed("coverage", PROCESS, "--period", OCTOBER, "--against", "theirs.csv", code=3)
    assert "customers enrol" in told.stdout
    assert "--repair" not in told.stderr


def test_a_month_that_stripe_will_never_agree_with_is_closed_with_a_reason(alone: Program) -> None:
    alone("work", "--until-idle")
    [charge] = alone("charges", "--json").json
    stripe = build_client(KEY, alone.environment["RUN_PROCESS_STRIPE_URL"])
    stripe.v1.refunds.create({"payment_intent": charge["intent"], "amount": 1})
    close = ("close", PROCESS, "--period", OCTOBER)
    kept = alone(*close, code=3)
    assert f"run-process reconcile {PROCESS}" in kept.stderr
    assert f"run-process close {PROCESS} --period {OCTOBER} --unreconciled REASON" in kept.stderr
    alone.refused(*close, "--unreconciled", " ", code=2)
    alone(*close, "--unreconciled", "Given back in the dashboard, as agreed.")
    assert alone("periods", PROCESS, "--json").json[0]["reason"] == "Given back in the dashboard, as agreed."


def test_a_damaged_instance_is_cancelled_as_coverage_says(billed: Program) -> None:
    with closing(sqlite3.connect(billed.folder / DATABASE)) as database, database:
        database.execute("UPDATE instances SET token_state = 'damaged' WHERE id = 2")
    [row] = billed("coverage", PROCESS, "--period", NOVEMBER, "--json", code=3).json
    assert (row["state"], row["reason"]) == ("unresolved", "the stored state of i2 is damaged")
    command = row["command"].removeprefix("run-process ").replace("TEXT", "Damaged.")
    assert billed(*command.split()).stdout == "i2 is cancelled; its period can be started again\n"
    assert "started i3" in billed("coverage", PROCESS, "--period", NOVEMBER, "--repair").stdout


@pytest.mark.parametrize("by", ["task", "assignee", "state"])
def test_a_morning_meeting_gets_a_summary(approved: Program, by: str) -> None:
    approved("start", PROCESS, *bill_of("cus_b"))
    rows = approved("coverage", PROCESS, "--period", OCTOBER, "--by", by, "--json", code=3).json
    expected = {"task": ["1. Charging amount entry"], "assignee": ["Sales"], "state": ["open", "waiting"]}
    assert [row["name"] for row in rows] == expected[by]
