"""A refund as people do it: asked for by one, approved by another, given back through Stripe, told by e-mail, and listed."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest

from engine.connector import RefundState
from tests.acceptance.program import MANAGER, PROCESS, PROCESSES, SALES, Program, settings

BILL = {"stripe_customer_id": "", "billing_month": "2026-10", "customer_name": "Ann Abe", "email": "ann@example.com"}
WHY = {"refund_reason": "requested_by_customer", "refund_comment": "Two hours of usage were counted twice."}


@pytest.fixture
def refunding(billed: Program) -> Program:
    """i1 was charged 120.50 EUR; i3 is to give some of it back, and waits for Sales (t4)."""
    assert billed("deploy", PROCESSES / "refund.bpmn").stdout == "refund@1\n"
    [row] = billed("charges", "--json").json
    given = settings(**{**BILL, "stripe_customer_id": row["customer"], "currency": "EUR"})
    assert billed("start", "refund", *given, "--as", SALES).stdout == "i3\n"
    return billed


def ask(run: Program, task: str, **values: str) -> None:
    run("complete", task, *settings(**WHY, **values), "--as", SALES)


def approve(run: Program, task: str) -> None:
    run("complete", task, *settings(approval="approve"), "--as", MANAGER)


def refund_mail(run: Program) -> str:
    texts = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in _mails(run)]
    [found] = [each for each in texts if "refunded" in each["Subject"]]
    return f"{found['To']} {found['Subject']} {found.get_body(('plain',)).get_content()}"


def _mails(run: Program) -> list[Path]:
    return sorted((run.folder / "mail").glob("*.eml"))


def test_a_refund_from_the_request_to_the_mail(refunding: Program, stripe: dict[str, str]) -> None:
    run = refunding
    ask(run, "t4", refund_amount="20.50")
    assert SALES in run.refused("complete", "t5", *settings(approval="approve"), "--as", SALES)
    approve(run, "t5")
    worked = run("work", "--until-idle", **stripe)
    assert [line.split()[1:3] for line in worked.stdout.splitlines()] == [["i3", "stripe.refund:"], ["i3", "email.send:"]]

    [refund] = run("refunds", "--json").json
    assert (refund["amount"], refund["currency"], refund["state"]) == (2_050, "EUR", "succeeded")
    assert (refund["requested_by"], refund["approved_by"], refund["bill"], refund["instance"]) == (SALES, MANAGER, "i1", "i3")
    assert refund["comment"] == WHY["refund_comment"]
    [charge] = run("charges", "--json").json
    assert (charge["state"], charge["amount"], charge["refunded"]) == ("succeeded", 12_050, 2_050)
    assert "20.50" in run("charges").stdout
    mail = refund_mail(run)
    assert all(part in mail for part in ("ann@example.com", "€20.50", "October 2026"))

    events = {entry["event"]: entry["details"] for entry in run("history", "i1", "--json").json}
    assert (events["charge_refunded"]["instance"], events["charge_refunded"]["refund"]) == ("i3", refund["refund"])
    assert run("show", "i3", "--json").json["refunds"][0]["id"] == refund["id"]
    assert "REFUNDS" in run("show", "i3").stdout


def test_a_refund_can_be_asked_about_at_once(refunding: Program, stripe: dict[str, str]) -> None:
    run = refunding
    ask(run, "t4", refund_amount="20.50")
    approve(run, "t5")
    run("work", "--until-idle", **stripe)
    [row] = run("refunds", "--json").json
    assert run("refunds", "--look-up", row["id"], "--json", **stripe).json[0]["state"] == "succeeded"
    assert "RUN_PROCESS_STRIPE_KEY" in run.refused("refunds", "--look-up", row["id"])


def test_all_that_is_left_is_given_back_and_then_nothing_more(refunding: Program, stripe: dict[str, str]) -> None:
    run = refunding
    ask(run, "t4")
    approve(run, "t5")
    run("work", "--until-idle", **stripe)
    [row] = run("charges", "--json").json
    given = settings(**{**BILL, "stripe_customer_id": row["customer"], "currency": "EUR"})
    assert run("start", "refund", *given).stdout == "i4\n"
    ask(run, "t6", refund_amount="0.50")
    approve(run, "t7")
    run("work", "--until-idle", **stripe)
    task = run("tasks", "t8", "--json").json
    fields = {field["name"]: field["value"] for field in task["fields"]}
    assert (task["name"], task["group"]) == ("Settle refused refund", "Sales")
    assert "all of it was given back" in fields["refusal"]
    run("complete", "t8", *settings(refusal_result="give_up"), "--as", SALES)
    assert run("show", "i4", "--json").json["end_events"] == ["not_refunded"]
    assert [refund["amount"] for refund in run("refunds", "--json").json] == [12_050]


def test_the_list_of_refunds_is_chosen_from_and_totals_stand_on_stderr(refunding: Program, stripe: dict[str, str]) -> None:
    run = refunding
    empty = run("refunds")
    assert (empty.stdout, empty.stderr) == ("", "No refund fits.\n")
    ask(run, "t4", refund_amount="20.50")
    approve(run, "t5")
    run("work", "--until-idle", **stripe)
    done = run("refunds")
    header, line = done.stdout.splitlines()
    assert header.split()[:4] == ["PERIOD", "CUSTOMER", "AMOUNT", "STATE"]
    assert [line.split()[0], *line.split()[2:5]] == ["2026-10", "20.50", "EUR", "succeeded"]
    assert done.stderr == "succeeded: 1 refund, 20.50 EUR\n"
    for fitting in (["--process", PROCESS], ["--period", "2026-10"], ["--state", "succeeded", "--state", "pending"]):
        assert len(run("refunds", "--json", *fitting).json) == 1, fitting
    for other in (["--process", "refund"], ["--period", "2026-11"], ["--state", "failed"], ["--customer", "cus_other"]):
        assert run("refunds", "--json", *other).json == [], other
    key = run("refunds", "--json").json[0]["id"]
    assert run("refunds", "--json", "--after", key).json == []
    assert "j999" in run.refused("refunds", "--after", "j999")
    message = run.refused("refunds", "--state", "paid", code=2)
    assert all(state.value in message for state in RefundState)


def test_a_refund_that_was_cancelled_by_hand_frees_nothing_because_it_has_no_bill(refunding: Program) -> None:
    done = refunding("cancel", "i3", "--reason", "A mistake.")
    assert (done.stdout, done.stderr) == ("i3 is cancelled\n", "")
    assert refunding("start", "refund", "--reuse", "i3").stdout == "i4\n"
