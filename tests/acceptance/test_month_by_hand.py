"""A month as people do it: each command by hand, each person under their own name."""

from __future__ import annotations

import email
import email.policy

from commands.demo.sandbox_customers import StripeSide
from connectors.stripe_sandbox import Sandbox
from tests.acceptance.program import (
    AMOUNT,
    APPROVAL,
    MANAGER,
    OPERATOR,
    PROCESS,
    PROCESSES,
    SALES,
    SHIPPED,
    Program,
    bill_of,
    settings,
)

GROUPS = f"groups:\n  Sales: [{SALES}]\n  Department Manager: [{MANAGER}]\n"


def test_from_an_empty_folder_to_next_months_task(
    run: Program, sandbox: Sandbox, stripe: dict[str, str], customers: StripeSide
) -> None:
    (run.folder / "run-process.yaml").write_text(GROUPS)
    customer = customers.enrol("Ann Abe", "ann@example.com", "pm_card_visa")

    assert run("deploy", PROCESSES, "--as", OPERATOR).stdout == SHIPPED
    assert run("start", PROCESS, *bill_of(customer), "--as", OPERATOR).stdout == "i1\n"

    [task] = run("tasks", "--json").json
    assert (task["id"], task["name"], task["group"]) == ("t1", "1. Charging amount entry", "Sales")
    assert "Sales" in run.refused("claim", "t1", "--as", MANAGER)
    assert run("claim", "t1", "--as", SALES).stdout == f"t1 is {SALES}'s\n"
    assert run("complete", "t1", *settings(**AMOUNT), "--as", SALES).stdout == "t1 is completed; i1 goes on\n"
    assert "Department Manager" in run.refused("complete", "t2", *settings(**APPROVAL), "--as", SALES)
    run("complete", "t2", *settings(**APPROVAL), RUN_PROCESS_USER=MANAGER)

    worked = run("work", "--until-idle", **stripe)
    assert [line.split()[2] for line in worked.stdout.splitlines()] == ["stripe.charge:", "email.send:", "next-billing:"]

    [mail] = (run.folder / "mail").glob("*.eml")
    message = email.message_from_bytes(mail.read_bytes(), policy=email.policy.default)
    text = message.get_body(("plain",)).get_content()
    assert message["To"] == "ann@example.com"
    assert "120.50" in text
    assert "Usage 20.50" in text

    first, second = run("chain", customer, "--json").json
    assert (first["state"], first["next"], second["previous"]) == ("completed", "i2", "i1")
    assert (first["charge"]["state"], first["charge"]["amount"], first["charge"]["approved_by"]) == ("succeeded", 12_050, MANAGER)
    assert (second["state"], second["period"], second["started_by"], second["charge"]) == ("active", "2026-11", "message", None)
    assert sandbox.control.state()["charged"]["eur"] >= 12_050

    people = {entry["event"]: entry["by"] for entry in run("history", "i1", "--json").json}
    assert (people["instance_started"], people["task_claimed"], people["task_completed"]) == (OPERATOR, SALES, MANAGER)


def test_last_months_amount_stands_beside_the_empty_field_and_never_inside_it(billed: Program) -> None:
    [task] = billed("tasks", "--json").json
    fields = {field["name"]: field for field in task["fields"]}
    assert (task["id"], task["period"]) == ("t3", "2026-11")
    assert {name for name, field in fields.items() if field["previous"] is not None} == {"billing_amount", "billing_details"}
    for name, before in (("billing_amount", "120.50 EUR"), ("billing_details", "Base fee 100.00\nUsage 20.50")):
        assert (fields[name]["value"], fields[name]["text"], fields[name]["previous_text"]) == (None, "", before)
    assert fields["email"]["value"] == "ann@example.com"

    form = billed("tasks", "t3").stdout.splitlines()
    header = next(line for line in form if line.startswith("FIELD"))
    row = next(line for line in form if line.startswith("billing_amount"))
    value, last_time = header.index("VALUE"), header.index("LAST TIME")
    assert row[value:last_time].strip() == ""
    assert row[last_time:].strip() == "120.50 EUR"
    assert "billing_amount" in billed.refused("complete", "t3", "--as", SALES)


def test_who_entered_the_amount_cannot_approve_it_though_the_groups_are_open_to_everyone(deployed: Program) -> None:
    deployed("start", PROCESS, *bill_of("cus_1"))
    deployed("complete", "t1", *settings(**AMOUNT), "--as", SALES)
    assert SALES in deployed.refused("claim", "t2", "--as", SALES)
    assert SALES in deployed.refused("complete", "t2", *settings(**APPROVAL), "--as", SALES)
    deployed("claim", "t2", "--as", MANAGER)


def test_a_released_task_is_offered_again_and_taking_it_from_someone_else_needs_a_reason(deployed: Program) -> None:
    deployed("start", PROCESS, *bill_of("cus_1"))
    deployed("claim", "t1", "--as", "tom")
    assert "tom" in deployed.refused("release", "t1", "--as", SALES)
    assert deployed("release", "t1", "--reason", "Tom is on holiday.", "--as", SALES, "--json").json["state"] == "offered"
    [released] = [e for e in deployed("history", "i1", "--json").json if e["event"] == "task_released"]
    assert (released["by"], released["details"]["claimed_by"]) == (SALES, "tom")
    assert released["details"]["reason"] == "Tom is on holiday."


def test_of_several_who_claim_at_once_one_wins_and_the_others_are_told_who(deployed: Program) -> None:
    deployed("start", PROCESS, *bill_of("cus_1"))
    people = ("ann", "bob", "cleo")
    claims = {person: deployed.start("claim", "t1", "--as", person) for person in people}
    said = {person: claim.communicate(timeout=60) for person, claim in claims.items()}
    [winner] = [person for person in people if claims[person].returncode == 0]
    assert said[winner] == (f"t1 is {winner}'s\n", "")
    for person in set(people) - {winner}:
        assert claims[person].returncode == 1
        assert said[person][0] == ""
        assert f"but {winner} has claimed it" in said[person][1]
