"""`charges`: the ledger as an operator and an auditor read it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, update

from engine.connector import ChargeState
from engine.store import tables
from engine.store.database import Database
from tests.acceptance.program import DATABASE, Program

LATER = datetime(2026, 12, 24, 18, 30, tzinfo=UTC)


def change(run: Program, **values: object) -> None:
    """Let the one charge look otherwise."""
    database = Database(f"sqlite:///{run.folder / DATABASE}")
    with database.transaction() as connection:
        connection.execute(update(tables.charges).values(**values))
    database.close()


def add(run: Program, *rows: tuple[str, str, ChargeState]) -> None:
    """More charges (customer, period, state), each of an instance of its own."""
    database = Database(f"sqlite:///{run.folder / DATABASE}")
    with database.transaction() as connection:
        instance = dict(connection.execute(tables.instances.select().where(tables.instances.c.id == 1)).mappings().one())
        charge = dict(connection.execute(tables.charges.select()).mappings().first() or {})
        for number, (customer, period, state) in enumerate(rows, start=100):
            connection.execute(
                insert(tables.instances).values(**{**instance, "id": number, "customer": customer, "period": period})
            )
            own = {"charge_key": f"p|{customer}|{period}", "intent": f"pi_{number}", "instance_id": number, "state": state}
            connection.execute(insert(tables.charges).values(**{**charge, **own, "customer": customer, "period": period}))
    database.close()


def test_a_charge_is_listed_with_who_approved_it_and_the_total_stands_on_stderr(billed: Program) -> None:
    done = billed("charges")
    header, line = done.stdout.splitlines()
    assert header.split()[:4] == ["PERIOD", "CUSTOMER", "AMOUNT", "STATE"]
    assert [line.split()[0], *line.split()[2:6]] == ["2026-10", "120.50", "EUR", "succeeded", "1"]
    assert "mia" in line.split()
    assert line.split()[-1] == "i1"
    assert done.stderr == "succeeded: 1 charge, 120.50 EUR\n"


def test_programs_get_minor_units_and_nothing_else_on_stdout(billed: Program) -> None:
    [row] = billed("charges", "--json").json
    assert (row["amount"], row["currency"], row["state"], row["instance"]) == (12_050, "EUR", "succeeded", "i1")
    assert (row["process"], row["next_at"], row["incident"]) == ("monthly-card-charge", None, None)
    assert row["charged_at"].endswith("Z")


def test_a_ledger_without_charges_is_an_empty_list(deployed: Program) -> None:
    done = deployed("charges", "--json")
    assert (done.json, done.stderr) == ([], "")


def test_the_ledger_is_chosen_from_by_state_process_period_and_customer(billed: Program) -> None:
    add(
        billed,
        ("cus_b", "2026-11", ChargeState.DECLINED),
        ("cus_a", "2026-11", ChargeState.UNKNOWN),
        ("cus_a", "2026-12", ChargeState.DECLINED),
    )

    def found(*options: str) -> list[tuple[str, str]]:
        return [(row["period"], row["instance"]) for row in billed("charges", "--json", *options).json]

    assert found() == [("2026-10", "i1"), ("2026-11", "i101"), ("2026-11", "i100"), ("2026-12", "i102")]
    assert found("--state", "declined") == [("2026-11", "i100"), ("2026-12", "i102")]
    assert found("--state", "unknown", "--state", "declined", "--period", "2026-11") == [("2026-11", "i101"), ("2026-11", "i100")]
    assert found("--customer", "cus_a") == [("2026-11", "i101"), ("2026-12", "i102")]
    assert found("--process", "monthly-card-charge", "--customer", "cus_b") == [("2026-11", "i100")]
    assert found("--process", "other") == []


@pytest.mark.parametrize("states", [(), ("--state", "succeeded", "--state", "declined", "--state", "unknown")])
def test_the_ledger_is_read_page_by_page_without_gap_or_repetition(billed: Program, states: tuple[str, ...]) -> None:
    kinds = (ChargeState.DECLINED, ChargeState.UNKNOWN, ChargeState.SUCCEEDED)
    add(billed, *((f"cus_{number % 3}", f"2026-{11 + number // 3}", kinds[number % 3]) for number in range(6)))
    everything = [row["instance"] for row in billed("charges", "--json", *states).json]
    seen: list[str] = []
    while True:
        after = ("--after", seen[-1]) if seen else ()
        done = billed("charges", "--limit", 2, "--json", *after, *states)
        seen += [row["instance"] for row in done.json]
        if f"--after {seen[-1]}" not in done.stderr:
            break
    assert seen == everything
    assert len(everything) == 7


def test_a_charge_in_doubt_shows_when_it_is_looked_up_or_which_incident_waits(approved: Program, stripe: dict[str, str]) -> None:
    key, nobody = stripe["RUN_PROCESS_STRIPE_KEY"], "http://127.0.0.1:9"
    # the charge is prepared, and its job waits for another try
    approved("work", "--until-idle", RUN_PROCESS_STRIPE_KEY=key, RUN_PROCESS_STRIPE_URL=nobody)
    database = Database(f"sqlite:///{approved.folder / DATABASE}")
    with database.transaction() as connection:
        connection.execute(update(tables.charges).values(state=ChargeState.UNKNOWN))
        connection.execute(update(tables.jobs).values(run_at=LATER))
    [row] = approved("charges", "--state", "unknown", "--json").json
    assert (row["next_at"], row["incident"]) == ("2026-12-24T18:30:00Z", None)
    assert "2026-12-24 18:30Z" in approved("charges").stdout

    with database.transaction() as connection:
        connection.execute(update(tables.jobs).values(state="failed"))
        incident = {"instance_id": 1, "job_id": 1, "kind": "in_doubt", "flow_node": "charge", "message": "?", "tried": 5}
        connection.execute(insert(tables.incidents).values(**incident, created_at=LATER))
    database.close()
    [row] = approved("charges", "--json").json
    assert (row["next_at"], row["incident"]) == (None, "x1")
    assert approved("charges").stdout.splitlines()[1].split()[-2:] == ["x1", "i1"]


def test_what_comes_from_outside_is_shown_safely(billed: Program) -> None:
    change(billed, customer="\x1b[31mred\x07", reason="two\nlines", approved_by="\u202egnp")
    done = billed("charges")
    assert len(done.stdout.splitlines()) == 2
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x07" not in done.stdout
    assert "\u202e" not in done.stdout
    [row] = billed("charges", "--json").json
    assert row["customer"] == "\x1b[31mred\x07"


def test_totals_are_by_state_and_currency(billed: Program) -> None:
    add(billed, ("cus_a", "2026-11", ChargeState.SUCCEEDED), ("cus_b", "2026-11", ChargeState.DECLINED))
    assert billed("charges").stderr.splitlines() == ["declined: 1 charge, 120.50 EUR", "succeeded: 2 charges, 241.00 EUR"]


def test_a_wrong_state_is_told_the_right_ones(billed: Program) -> None:
    message = billed.refused("charges", "--state", "paid", code=2)
    assert all(state.value in message for state in ChargeState)


def test_a_page_behind_an_instance_without_a_charge_is_refused(billed: Program) -> None:
    assert "i2 has none" in billed.refused("charges", "--after", "i2")
    assert "i999" in billed.refused("charges", "--after", "i999")
