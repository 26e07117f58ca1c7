"""Incidents and cancelling: what a person decides, and what may not be decided yet."""

from __future__ import annotations

import pytest

from engine.connector import ChargeState, Fatal
from engine.errors import AlreadyBilled, ChargeInDoubt, DataRefused, EngineError, InstanceNotActive, NotFound
from engine.services import resolving, worklist
from engine.services.starting import reuse
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
    assert incident["commands"] == ["run-process retry x1", f"run-process cancel {instance} --reason TEXT"]
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
        ("x2", "Still down.", 1)
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
