"""Incidents and cancelling: what a person decides, and what may not be decided yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from engine.connector import BusinessError, ChargeState, Fatal, Retryable
from engine.errors import AlreadyBilled, ChargeInDoubt, DataRefused, EngineError, InstanceNotActive, NotFound
from engine.services import inspecting, presence, rerunning, resolving, worklist
from engine.services.resolving import Done, Ended
from engine.services.row_forms import work_line
from engine.services.runtime import Runtime
from engine.services.starting import reuse
from engine.services.working import Worker
from engine.store.tables import incidents, messages
from tests.builders.company import Company
from tests.doubles.connectors import RecordingConnector, charged_to, charging

# --- cancelling -----------------------------------------------------------------------------------------------------


def test_a_cancelled_instance_ends_with_its_reason_and_all_its_work(company: Company) -> None:
    instance = company.start()
    task = company.task(instance).id
    assert resolving.cancel(company.runtime, instance, "wrong customer", "olivia")
    assert (company.instance(instance).state, company.instance(instance).end_events) == ("cancelled", ())
    assert company.instance(instance).ended_at is not None
    assert worklist.task(company.runtime, task).state == "withdrawn"
    assert company.open(instance) == []
    assert company.events(instance)[-1] == "instance_cancelled"
    with pytest.raises(InstanceNotActive, match=f"Expected {instance} to be active, but it is cancelled"):
        resolving.cancel(company.runtime, instance, "again", "olivia")


@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_nobody_cancels_without_a_reason(company: Company, reason: str) -> None:
    instance = company.start()
    with pytest.raises(DataRefused, match="Expected a reason for cancelling"):
        resolving.cancel(company.runtime, instance, reason, "olivia")
    assert company.instance(instance).state == "active"


def test_cancelling_before_anything_was_charged_frees_the_bill(company: Company) -> None:
    old = company.start()
    assert resolving.cancel(company.runtime, old, "wrong amount", "olivia")
    new = company.start()
    assert new != old
    with pytest.raises(AlreadyBilled, match=new):
        company.start()


@pytest.mark.parametrize(
    ("state", "frees"),
    [
        (ChargeState.DECLINED, True),
        (ChargeState.CANCELED, True),
        (ChargeState.SUCCEEDED, False),
        (ChargeState.REQUIRES_ACTION, False),
    ],
)
def test_whether_the_bill_becomes_free_depends_on_what_its_charge_can_still_do(
    company: Company, pay: RecordingConnector, state: ChargeState, frees: bool
) -> None:
    pay.answers(charged_to(state))
    instance = company.approved()
    company.work()
    assert company.details(instance)["charges"][0]["state"] == str(state)
    assert resolving.cancel(company.runtime, instance, "given up", "olivia") is frees
    if frees:
        assert company.start() != instance
    else:
        with pytest.raises(AlreadyBilled, match=instance):
            company.start()


@pytest.mark.parametrize("state", [ChargeState.CONFIRMING, ChargeState.UNKNOWN])
def test_an_instance_whose_charge_is_in_doubt_is_not_cancelled(
    company: Company, pay: RecordingConnector, state: ChargeState
) -> None:
    pay.answers(charged_to(state))
    instance = company.approved()
    company.work()
    assert company.details(instance)["charges"][0]["state"] == str(state)
    before = company.events(instance)
    with pytest.raises(ChargeInDoubt, match="Expected no charge of i1 under way, but the outcome of one isn't known yet"):
        resolving.cancel(company.runtime, instance, "given up", "olivia")
    assert (company.instance(instance).state, company.events(instance)) == ("active", before)


def test_cancelling_resolves_the_incidents_of_its_jobs(company: Company, pay: RecordingConnector) -> None:
    pay.answers(Fatal("The key is wrong."))
    instance = company.approved()
    company.work()
    [incident] = resolving.open_incidents(company.runtime)
    resolving.cancel(company.runtime, instance, "given up", "olivia")
    assert resolving.open_incidents(company.runtime) == []
    with pytest.raises(EngineError, match="olivia resolved it"):
        resolving.retry(company.runtime, incident["id"], "tom")
    company.work()
    assert len(pay.requests) == 1


def test_cancelling_leaves_an_incident_open_that_is_about_money_and_no_job(company: Company) -> None:
    instance = company.start()
    with company.runtime.database.transaction() as connection:
        incident = {"instance_id": 1, "kind": "refused", "flow_node": "charge", "message": "Was charged twice.", "tried": 1}
        connection.execute(insert(incidents).values(**incident, created_at=company.runtime.now()))
    resolving.cancel(company.runtime, instance, "given up", "olivia")
    assert [each["id"] for each in resolving.open_incidents(company.runtime)] == ["x1"]
    assert resolving.resolve(company.runtime, "x1", "Refunded.", "olivia")["resolution"] == "Refunded."


def test_a_completed_instance_is_not_cancelled(company: Company) -> None:
    instance = company.billed()
    with pytest.raises(InstanceNotActive, match="it is completed"):
        resolving.cancel(company.runtime, instance, "too late", "olivia")


def test_a_new_instance_for_a_freed_bill_is_charged_once_and_belongs_to_the_chain(
    company: Company, pay: RecordingConnector
) -> None:
    pay.otherwise = charging
    first = company.billed()
    second = company.instance(first).next
    assert second is not None
    resolving.cancel(company.runtime, second, "wrong amount", "olivia")
    third = reuse(company.runtime, "billing", first, {}, "olivia")
    company.enter(third)
    company.approve(third)
    company.work()
    assert company.instance(third).state == "completed"
    assert [charge["instance"] for charge in company.details(third)["charges"]] == [third]


# --- incidents ------------------------------------------------------------------------------------------------------


def test_an_incident_says_what_where_how_often_and_what_to_do(company: Company, pay: RecordingConnector) -> None:
    pay.answers(Fatal("Expected a key, but there is none. Do: set one."))
    instance = company.approved()
    company.work()
    [incident] = resolving.open_incidents(company.runtime)
    assert (incident["id"], incident["instance"], incident["flow_node"], incident["tried"]) == ("x1", instance, "charge", 1)
    assert incident["commands"] == [
        "run-process retry x1",
        "run-process resolve x1 --reason TEXT (--done | --error CODE)",
        f"run-process cancel {instance} --reason TEXT",
    ]
    assert incident["kind"] == "refused"
    assert resolving.incident_of(company.runtime, "j1") == "x1"
    assert resolving.incident_of(company.runtime, "x1") == "x1"


def test_a_retried_job_has_all_its_attempts_again(company: Company, pay: RecordingConnector) -> None:
    pay.answers(Fatal("Down."), Fatal("Still down."))
    instance = company.approved()
    company.work()
    retried = resolving.retry(company.runtime, "x1", "olivia")
    assert (retried["resolved_by"], retried["commands"]) == ("olivia", [])
    company.work()
    assert [(each["id"], each["reason"], each["tried"]) for each in resolving.open_incidents(company.runtime)] == [
        ("x2", "Still down.", 2)
    ]
    resolving.retry(company.runtime, "x2", "olivia")
    company.work()
    assert company.instance(instance).state == "completed"
    assert resolving.open_incidents(company.runtime) == []
    assert [each["id"] for each in resolving.open_incidents(company.runtime, resolved=True)] == ["x1", "x2"]


def test_an_incident_is_retried_once(company: Company, pay: RecordingConnector) -> None:
    pay.answers(Fatal("Down."))
    company.approved()
    company.work()
    resolving.retry(company.runtime, "x1", "olivia")
    with pytest.raises(InstanceNotActive, match="Expected x1 to be open, but olivia resolved it"):
        resolving.retry(company.runtime, "x1", "tom")


@pytest.mark.parametrize("unknown", ["x99", "i1", "j7", "", "x"])
def test_an_unknown_incident_is_refused(company: Company, unknown: str) -> None:
    with pytest.raises(NotFound):
        resolving.retry(company.runtime, unknown, "olivia")


# --- what a person knows ends a job ---------------------------------------------------------------------------------


class KeepingConnector(RecordingConnector):
    """One that charges, as `stripe.charge` does."""

    intent_output = "payment_intent"

    def keeper(self, _: object) -> None:
        return None


@pytest.fixture
def charging_company(runtime_with: Callable[..., Runtime]) -> tuple[Company, KeepingConnector]:
    card = KeepingConnector()
    opened = Company(runtime_with(connectors={card.topic: card}))
    opened.deploy()
    return opened, card


def broken_off(company: Company, pay: RecordingConnector, *answers: Any) -> str:
    """An instance whose charge has an incident, x1."""
    pay.answers(*answers or [Fatal("Down.")])
    instance = company.approved()
    company.work()
    return instance


def test_work_that_was_done_otherwise_lets_its_instance_go_on_with_what_came_of_it(
    company: Company, pay: RecordingConnector
) -> None:
    instance = broken_off(company, pay)
    resolved = resolving.resolve(company.runtime, "x1", "Paid by bank transfer.", "olivia", Done({"payment_id": "transfer 7"}))
    assert (resolved["resolved_by"], resolved["resolution"], resolved["commands"]) == ("olivia", "Paid by bank transfer.", [])
    assert company.instance(instance).state == "completed"
    assert company.details(instance)["data"]["receipt"] == "transfer 7"
    [entry] = [e for e in inspecting.read_history(company.runtime, instance)[0] if e["event"] == "job_resolved"]
    assert (entry["by"], entry["details"]["reason"]) == ("olivia", "Paid by bank transfer.")
    assert len(pay.requests) == 1  # nobody called the connector again


def test_work_that_a_person_says_ended_in_an_error_takes_the_boundary_event(company: Company, pay: RecordingConnector) -> None:
    instance = broken_off(company, pay)
    resolving.resolve(company.runtime, "x1", "The bank told us.", "olivia", Ended("declined"))
    assert company.task(instance).flow_node == "call"
    assert company.details(instance)["data"]["problem"] == "The bank told us."


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        (None, "Expected to be told how j1 ended, because its instance waits for it. Do: --done"),
        (Ended("declind"), 'an error of pay, but "declind" is none. Do: write "declined"'),
        (Done({"payment": "7"}), 'an output of pay, but "payment" is none. Do: write "payment_id"'),
        (Done({"payment_id": 7}), "receipt: Expected text"),
        (Done({}), "Do: give the results that the diagram needs with --set NAME=VALUE; pay gives payment_id"),
    ],
)
def test_a_verdict_that_does_not_fit_changes_nothing(company: Company, pay: RecordingConnector, verdict: Any, says: str) -> None:
    instance = broken_off(company, pay)
    before = company.details(instance), company.events(instance)
    with pytest.raises(EngineError, match=says):
        resolving.resolve(company.runtime, "x1", "Why.", "olivia", verdict)
    assert (company.details(instance), company.events(instance)) == before


@pytest.mark.parametrize(
    ("verdict", "state", "reason"),
    [
        (Done({"payment_id": "pi_j1"}), "succeeded", "settled by olivia: Seen in the dashboard."),
        (Ended("declined"), "declined", "settled by olivia: Seen in the dashboard."),
    ],
)
def test_a_charge_in_doubt_is_settled_by_what_a_person_knows(
    charging_company: tuple[Company, KeepingConnector], verdict: Any, state: str, reason: str
) -> None:
    company, card = charging_company
    instance = broken_off(company, card, charged_to(ChargeState.CONFIRMING))
    with pytest.raises(ChargeInDoubt):
        resolving.cancel(company.runtime, instance, "stop", "olivia")
    resolving.resolve(company.runtime, "x1", "Seen in the dashboard.", "olivia", verdict)
    [charge] = company.details(instance)["charges"]
    assert (charge["state"], charge["reason"]) == (state, reason)
    assert "charge_settled" in company.events(instance)


def test_money_that_was_taken_is_not_resolved_away(charging_company: tuple[Company, KeepingConnector]) -> None:
    company, card = charging_company
    instance = broken_off(company, card, charged_to(ChargeState.SUCCEEDED))  # taken, and the diagram couldn't go on
    with pytest.raises(DataRefused, match=r"Expected nothing charged for .*, but the ledger says that it was\. Do: --done"):
        resolving.resolve(company.runtime, "x1", "No.", "olivia", Ended("declined"))
    assert company.charge_state(instance) == "succeeded"
    resolving.resolve(company.runtime, "x1", "Yes.", "olivia", Done({"payment_id": "pi_j1"}))
    assert company.instance(instance).state == "completed"


def test_a_message_takes_no_verdict_of_a_job(company: Company, pay: RecordingConnector) -> None:
    instance = company.billed()
    with company.runtime.database.transaction() as connection:
        connection.execute(update(messages).values(state="failed"))
        incident = {"instance_id": 1, "message_id": 1, "kind": "undelivered", "flow_node": "next", "message": "No.", "tried": 1}
        connection.execute(insert(incidents).values(**incident, created_at=company.runtime.now()))
    with pytest.raises(DataRefused, match="Expected the incident of a job for --done or --error, but x1 is none"):
        resolving.resolve(company.runtime, "x1", "Why.", "olivia", Done())
    assert resolving.resolve(company.runtime, "x1", "Started by hand.", "olivia")["resolution"] == "Started by hand."
    assert "incident_resolved" in company.events(instance)


# --- retry tells what became of it ----------------------------------------------------------------------------------


def retried(company: Company, incident: str, patience: float = 10) -> Any:
    return rerunning.rerun(company.runtime, resolving.put_back(company.runtime, incident, "olivia"), "olivia", patience)


def test_a_retried_job_is_run_where_no_worker_lives_and_its_end_is_told(company: Company, pay: RecordingConnector) -> None:
    instance = broken_off(company, pay, Fatal("Down."), Fatal("Still down."), Retryable("Busy."))
    failed = retried(company, "x1")
    assert (failed.state, failed.last_error) == ("failed", "Still down.")
    waits = retried(company, "x2")
    assert (waits.state, waits.last_error, waits.failures) == ("ready", "Busy.", 1)
    assert company.instance(instance).state == "active"


def test_a_retried_job_that_works_moves_its_instance_on(company: Company, pay: RecordingConnector) -> None:
    instance = broken_off(company, pay)
    assert retried(company, "x1").state == "done"
    assert company.instance(instance).state == "completed"
    assert inspecting.read_history(company.runtime, instance)[0][-1]["by"] == "olivia"


def test_a_retried_job_whose_connector_nobody_has_waits_for_a_worker_that_has_it(
    company: Company, pay: RecordingConnector, runtime_with: Callable[..., Runtime]
) -> None:
    instance = broken_off(company, pay)
    elsewhere = Company(runtime_with(connectors={}))
    assert retried(elsewhere, "x1", patience=0).state == "ready"
    company.work()
    assert company.instance(instance).state == "completed"


def test_a_retried_job_that_ends_in_an_error_is_not_told_as_if_all_were_well(company: Company, pay: RecordingConnector) -> None:
    instance = broken_off(company, pay, Retryable("Busy."), Fatal("Down."), BusinessError("declined", "The card was declined."))
    company.runtime.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined] # tests turn it
    company.work()
    assert work_line(retried(company, "x1")) == f"j1 {instance} pay: done, ended in declined: The card was declined."
    assert company.task(instance).flow_node == "call"


def test_a_job_that_works_at_last_keeps_no_word_of_what_kept_it(company: Company, pay: RecordingConnector) -> None:
    instance = broken_off(company, pay)
    assert work_line(retried(company, "x1")) == f"j1 {instance} pay: done"
    assert company.job(instance)["last_error"] is None


def test_a_living_worker_runs_a_retried_job_and_is_waited_for(company: Company, pay: RecordingConnector) -> None:
    instance = broken_off(company, pay)
    worker = Worker(company.runtime, "w2", concurrency=1)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        while not presence.list_workers(company.runtime):
            time.sleep(0.01)
        assert retried(company, "x1").state == "done"
    finally:
        worker.stop()
        thread.join()
    by = {entry["by"] for entry in inspecting.read_history(company.runtime, instance)[0] if entry["event"] == "job_completed"}
    assert by == {"worker w2"}
