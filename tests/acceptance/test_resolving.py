"""When work fails or a month must not go on: incidents, retries, cancelling."""

from __future__ import annotations

import time

from tests.acceptance.program import PROCESS, Program, bill_of


def test_a_worker_without_a_key_leaves_charges_to_those_that_have_one(
    approved: Program, stripe: dict[str, str], another_account: dict[str, str]
) -> None:
    without = approved("work", "--until-idle")
    assert "Leaves stripe.charge to workers with Stripe's key. Do: set RUN_PROCESS_STRIPE_KEY" in without.stderr
    assert "Not done yet: 1 job" in without.stderr
    assert approved("incidents", "--json").json == []
    keyless = approved.start("work", "--name", "keyless")
    while approved.start("workers", "--name", "keyless").wait():
        time.sleep(0.1)
    assert "1 job of stripe.charge can be done by none of them" in approved("workers", code=3).stderr
    keyless.terminate()
    keyless.communicate(timeout=30)
    approved("work", "--until-idle", code=3, **another_account)
    retried = approved("retry", "x1", code=3)
    assert retried.stdout == "j1 i1 stripe.charge: waits for a worker\n"
    assert "Nobody has run it yet. stripe.charge is left to workers with Stripe's key." in retried.stderr
    assert "stripe.charge: done" in approved("work", "--until-idle", **stripe).stdout


def test_a_charge_that_cannot_be_made_is_an_incident_until_somebody_retries_it(
    approved: Program, stripe: dict[str, str], another_account: dict[str, str]
) -> None:
    wrong = approved("work", "--until-idle", code=3, **another_account)
    assert "Do: run-process incidents" in wrong.stderr
    [incident] = approved("incidents", "--json", code=3).json
    assert (incident["id"], incident["instance"], incident["job"], incident["flow_node"]) == ("x1", "i1", "j1", "charge")
    assert "customer" in incident["reason"]
    assert (incident["kind"], incident["commands"][0]) == ("refused", "run-process retry x1")
    assert (incident["customer"], incident["period"]) == tuple(
        approved("show", "i1", "--json").json[k] for k in ("customer", "period")
    )

    still = approved("retry", "j1", "--as", "olivia", code=3, **another_account)
    assert still.stdout.startswith("j1 i1 stripe.charge: failed Expected")
    assert "again, as x2." in still.stderr
    assert "olivia resolved it" in approved.refused("retry", "x1")
    assert approved("retry", "x2", "--as", "olivia", **stripe).stdout == "j1 i1 stripe.charge: done\n"
    resolved = approved("incidents", "--all", "--json").json  # and none is open: exit code 0
    assert [(each["resolved_by"], each["resolution"], each["commands"]) for each in resolved] == [
        ("olivia", "tried again", [])
    ] * 2


def test_all_incidents_of_a_kind_are_retried_together(
    approved: Program, stripe: dict[str, str], another_account: dict[str, str]
) -> None:
    approved("work", "--until-idle", code=3, **another_account)
    assert approved("retry", "--kind", "lost").stderr == "No open incident is of the kind lost.\n"
    assert "Expected one of refused" in approved("retry", "--kind", "other", code=2).stderr
    assert "neither" in approved("retry", code=2).stderr
    done = approved("retry", "x9", "x1", "x1", "--kind", "refused", code=1, **stripe)
    assert done.stdout == "j1 i1 stripe.charge: done\n"
    assert "x9" in done.stderr


def test_a_job_that_waits_for_its_next_attempt_has_it_when_somebody_asks(approved: Program, stripe: dict[str, str]) -> None:
    nobody = {**stripe, "RUN_PROCESS_STRIPE_URL": "http://127.0.0.1:9"}
    approved("work", "--until-idle", **nobody)
    assert approved("incidents", "--json").json == []
    assert approved("work", "--until-idle", **stripe).stdout == ""  # not yet
    hurried = approved("retry", "j1", "--as", "olivia", **stripe)
    assert hurried.stdout == "j1 i1 stripe.charge: done\n"
    assert ("job_hurried", "olivia") in [(e["event"], e["by"]) for e in approved("history", "i1", "--json").json]
    assert "Expected an open incident of j1" in approved.refused("retry", "j1")


def test_what_a_person_knows_lets_a_month_go_on_without_its_worker(approved: Program, another_account: dict[str, str]) -> None:
    approved("work", "--until-idle", code=3, **another_account)
    assert "name a payment, but it is empty" in approved.refused(
        "resolve", "x1", "--reason", "?", "--done", "--set", "payment_intent= "
    )
    told = approved("resolve", "x1", "--reason", "Paid in cash.", "--done", "--set", "payment_intent=cash", "--as", "olivia")
    assert told.stdout == "x1 is resolved; i1 goes on\n"
    [resolved] = approved("incidents", "--all", "--json").json
    assert (resolved["resolved_by"], resolved["resolution"]) == ("olivia", "Paid in cash.")
    [charge] = approved("charges", "--json").json
    assert (charge["state"], charge["reason"]) == ("succeeded", "settled by olivia: Paid in cash.")
    assert [job["flow_node"] for job in approved("show", "i1", "--json").json["jobs"]] == ["charge", "notify"]


def test_a_cancelled_month_keeps_its_reason_and_frees_its_period(deployed: Program) -> None:
    deployed("start", PROCESS, *bill_of("cus_1"))
    deployed.refused("cancel", "i1", "--reason", " ")
    cancelled = deployed("cancel", "i1", "--reason", "Wrong customer.", "--as", "olivia")
    assert cancelled.stdout == "i1 is cancelled; its period can be started again\n"
    assert "--reuse i1" in cancelled.stderr
    [entry] = [e for e in deployed("history", "i1", "--json").json if e["event"] == "instance_cancelled"]
    assert (entry["by"], entry["details"]["reason"]) == ("olivia", "Wrong customer.")
    assert "i1" in deployed.refused("cancel", "i1", "--reason", "Again.")
    assert deployed("start", PROCESS, *bill_of("cus_1")).stdout == "i2\n"


def test_a_month_that_was_charged_keeps_its_period(approved: Program, stripe: dict[str, str]) -> None:
    worker = approved("work", "--until-idle", **stripe | {"RUN_PROCESS_SMTP_URL": "smtp://127.0.0.1:9"})
    assert "Not done yet: 1 job" in worker.stderr
    done = approved("cancel", "i1", "--reason", "The mail server is gone for good.", "--json").json
    assert (done["state"], done["bill_freed"]) == ("cancelled", False)
    assert "is that bill" in approved.refused("start", PROCESS, *bill_of(done["customer"]))
