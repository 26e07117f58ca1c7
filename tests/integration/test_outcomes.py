"""Outcomes: what is stored when a connector answers, whatever it answers, and when nobody foresaw it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from engine.clock import TurnedClock
from engine.connector import (
    BusinessError,
    ChargeState,
    Completed,
    Fatal,
    JobContext,
    JobRequest,
    Outcome,
    Retryable,
    Unknown,
)
from engine.errors import ConfigurationInvalid
from engine.services import committing, handing_over, resolving
from engine.services.configuration import Configuration
from engine.services.runtime import Runtime
from tests.builders.company import CardCompany, Company
from tests.doubles.connectors import RecordingConnector, charge_up_to, charging

MINUTE = timedelta(minutes=1)


class Killed(BaseException):
    """Stands for `kill -9`: nothing in the product may catch it."""


# --- outcomes -------------------------------------------------------------------------------------------------------


def test_a_connector_is_handed_its_parameters_and_the_bill_and_nothing_else(company: Company, pay: RecordingConnector) -> None:
    instance = company.approved(name="Acme")
    company.work()
    [request] = pay.requests
    assert request.parameters.model_dump() == {"amount": 500, "purpose": "Bill", "template": None}
    assert (request.customer, request.period, request.instance, request.attempt) == ("acme", "2026-10", instance, 1)
    assert (request.process, request.version, request.flow_node, request.id) == ("billing", 1, "charge", "j1")


def test_a_job_that_is_done_moves_the_instance_on(company: Company) -> None:
    instance = company.billed()
    assert company.details(instance)["data"]["receipt"] == "pay_1"
    assert (company.job(instance)["state"], company.job(instance)["next_at"]) == ("done", None)
    assert company.instance(instance).state == "completed"


def test_a_business_error_takes_the_boundary_event_and_going_back_is_a_new_job(company: Company, pay: RecordingConnector) -> None:
    pay.answers(BusinessError("declined", "The card was declined."))
    instance = company.approved()
    company.work()
    assert company.task(instance).flow_node == "call"
    assert company.details(instance)["data"]["problem"] == "The card was declined."
    company.do(instance, "sara")
    company.work()
    assert [job["state"] for job in company.details(instance)["jobs"]] == ["done", "done"]
    assert [request.id for request in pay.requests] == ["j1", "j2"]
    assert company.instance(instance).state == "completed"


def test_work_that_failed_harmlessly_is_tried_again_after_its_pauses_and_then_needs_a_person(
    company: Company, pay: RecordingConnector, clock: TurnedClock, runtime_with: Callable[..., Runtime]
) -> None:
    patient = Company(runtime_with(configure=lambda: Configuration(retry_after=(MINUTE, 5 * MINUTE))))
    pay.otherwise = Retryable("The server is busy.")
    instance = patient.approved()
    for tries, pause in ((1, MINUTE), (2, 5 * MINUTE)):
        backlog = patient.work()
        assert (len(pay.requests), backlog.jobs, backlog.incidents) == (tries, 1, 0)
        waits = patient.job(instance)["next_at"] - clock.now()
        assert pause <= waits <= pause * 1.1  # spread a little, so that many don't come back at once
        clock.advance(pause - timedelta(seconds=1))
        patient.work()
        assert len(pay.requests) == tries
        clock.advance(pause * 0.1 + timedelta(seconds=1))
    backlog = patient.work()
    assert (len(pay.requests), backlog.jobs, backlog.incidents) == (3, 0, 1)
    [incident] = resolving.open_incidents(patient.runtime)
    assert incident["reason"] == "The server is busy. Do: see to it that pay can do its work, then retry."
    assert (incident["kind"], incident["tried"]) == ("exhausted", 3)
    assert [request.attempt for request in pay.requests] == [1, 2, 3]
    assert patient.events(instance).count("job_postponed") == 2
    clock.advance(timedelta(days=400))
    patient.work()
    assert len(pay.requests) == 3


def test_a_connector_may_ask_for_a_longer_pause_and_not_for_a_shorter_one(
    company: Company, pay: RecordingConnector, clock: TurnedClock
) -> None:
    pay.answers(Retryable("Busy.", timedelta(hours=2)), Retryable("Busy.", timedelta(0)))
    instance = company.approved()
    company.work()
    assert company.job(instance)["next_at"] - clock.now() >= timedelta(hours=2)
    clock.advance(timedelta(hours=3))
    company.work()
    assert company.job(instance)["next_at"] - clock.now() >= MINUTE


def test_work_that_cannot_succeed_needs_a_person_at_once(company: Company, pay: RecordingConnector) -> None:
    pay.answers(Fatal("The key is wrong."))
    instance = company.approved()
    assert company.work().incidents == 1
    assert (company.job(instance)["state"], company.job(instance)["last_error"]) == ("failed", "The key is wrong.")
    assert company.instance(instance).state == "active"


def test_work_whose_outcome_is_unknown_is_looked_up_later_and_its_doubt_is_stored(
    company: Company, pay: RecordingConnector, clock: TurnedClock
) -> None:
    in_doubt = charge_up_to(ChargeState.UNKNOWN)
    pay.answers(lambda request, context: Unknown("No answer.", in_doubt(request, context)))
    instance = company.approved()
    assert company.work().jobs == 1
    assert company.charge_state(instance) == "unknown"
    assert company.events(instance)[-2:] == ["charge_unknown", "job_postponed"]
    pay.answers(
        lambda request, context: Completed({"payment_id": "pay_1"}, charge_up_to(ChargeState.SUCCEEDED)(request, context))
    )
    clock.advance(timedelta(minutes=2))
    company.work()
    assert company.charge_state(instance) == "succeeded"
    assert company.instance(instance).state == "completed"


def test_a_doubt_that_stays_needs_a_person(company: Company, pay: RecordingConnector, clock: TurnedClock) -> None:
    pay.otherwise = Unknown("No answer.")
    company.approved()
    for _ in range(4):
        assert company.work().incidents == 0
        clock.advance(timedelta(days=2))
    assert company.work().incidents == 1


# --- what connectors do wrong ---------------------------------------------------------------------------------------


def raising(error: BaseException) -> Callable[[JobRequest, JobContext], Outcome]:
    def answer(_request: JobRequest, _context: JobContext) -> Outcome:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (raising(ZeroDivisionError("secret sk_live_1")), "'pay' to give an outcome, but it failed with ZeroDivisionError"),
        (raising(ConfigurationInvalid("Expected a key, but there is none. Do: set one.")), "Expected a key, but there is none"),
        (lambda *_: None, "to give an outcome, but it gave nothing"),
        (lambda *_: "done", 'to give an outcome, but it gave "done"'),
        (Completed({"payment_id": object()}), "outputs that can be stored, but they can't"),  # type: ignore[dict-item] # on purpose
        (Completed({"payment_id": {1: {2}}}), "outputs that can be stored, but they can't"),  # type: ignore[dict-item] # on purpose
        (Completed({"payment_id": 7}), "receipt: Expected text for the type string, but it is 7"),
        (Completed({"payment_id": "a\ud800"}), r"receipt: .*U\+D800"),
        (Completed({}), "payment_id"),
        (BusinessError("odd", "Odd."), "a boundary event at 'charge' for the error 'odd', but there is none"),
        (BusinessError("declined", "bell\x07"), r"problem: .*U\+0007"),
        (Fatal("bad \ud800 \x00 answer 💶"), "bad \ud800 \x00 answer 💶"),
    ],
)  # fmt: skip
def test_what_a_connector_does_wrong_is_an_incident_and_the_worker_goes_on(
    company: Company, pay: RecordingConnector, answer: Any, says: str
) -> None:
    import re

    bad, good = company.approved("bad"), company.approved("good")
    pay.answers(answer)
    backlog = company.work(concurrency=1)
    assert backlog.incidents == 1
    [incident] = resolving.open_incidents(company.runtime)
    assert incident["instance"] == bad
    assert incident["reason"] == says if "\x00" in says else re.search(says, incident["reason"])
    assert "sk_live" not in incident["reason"]
    assert company.job(bad)["state"] == "failed"
    assert company.instance(good).state == "completed"
    resolving.retry(company.runtime, incident["id"], "olivia")
    company.work()
    assert company.instance(bad).state == "completed"


def test_a_worker_leaves_jobs_to_those_who_have_the_connector(company: Company, runtime_with: Callable[..., Runtime]) -> None:
    without = Company(runtime_with(connectors={}))
    instance = without.approved()
    assert (without.work().incidents, without.work().jobs) == (0, 1)
    company.work()
    assert company.instance(instance).state == "completed"


def test_parameters_that_the_connector_refuses_need_a_person_and_are_not_shown(
    card_company: CardCompany, stripe_charge: RecordingConnector
) -> None:
    instance = card_company.start("not-a-stripe-id-but-private")
    card_company.enter(instance)
    card_company.approve(instance)
    assert card_company.work().incidents == 1
    [incident] = resolving.open_incidents(card_company.runtime)
    assert "stripe_customer: String should match pattern" in incident["reason"]
    assert "private" not in incident["reason"]
    assert stripe_charge.requests == []


# --- the charge and the step ----------------------------------------------------------------------------------------


def test_a_charge_and_the_step_it_causes_are_saved_together(
    company: Company, pay: RecordingConnector, monkeypatch: pytest.MonkeyPatch, clock: TurnedClock
) -> None:
    pay.otherwise = charging
    instance = company.approved()

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(committing, "apply_transition", killed)
        with pytest.raises(Killed):
            company.work()
    assert company.charge_state(instance) == "confirming"
    assert company.instance(instance).state == "active"
    clock.advance(timedelta(minutes=6))
    company.work("w2")
    assert company.charge_state(instance) == "succeeded"
    assert company.instance(instance).state == "completed"


def test_a_charge_that_was_taken_is_stored_though_the_diagram_cannot_go_on(company: Company, pay: RecordingConnector) -> None:
    taken = charge_up_to(ChargeState.SUCCEEDED)
    pay.answers(lambda request, context: Completed({"payment_id": 7}, taken(request, context)))
    instance = company.approved()
    assert company.work().incidents == 1
    assert company.charge_state(instance) == "succeeded"
    assert company.instance(instance).state == "active"
    assert company.events(instance)[-2:] == ["charge_succeeded", "incident_created"]


def test_a_charge_that_was_taken_is_stored_though_its_outputs_cannot_be(company: Company, pay: RecordingConnector) -> None:
    taken = charge_up_to(ChargeState.SUCCEEDED)
    pay.answers(lambda request, context: Completed({"payment_id": object()}, taken(request, context)))  # type: ignore[dict-item]
    instance = company.approved()
    assert company.work().incidents == 1
    assert company.charge_state(instance) == "succeeded"


def test_a_success_in_the_ledger_is_never_overwritten(company: Company, pay: RecordingConnector) -> None:
    taken = charge_up_to(ChargeState.SUCCEEDED)
    pay.answers(lambda request, context: Completed({"payment_id": 7}, taken(request, context)))
    instance = company.approved()
    company.work()
    [incident] = resolving.open_incidents(company.runtime)

    def declined(request: JobRequest, _: JobContext) -> Outcome:
        from engine.connector import ChargeResult

        return BusinessError("declined", "Declined.", ChargeResult("billing|acme|2026-10", ChargeState.DECLINED))

    pay.answers(declined)
    resolving.retry(company.runtime, incident["id"], "olivia")
    company.work()
    assert company.charge_state(instance) == "succeeded"


# --- what is counted ------------------------------------------------------------------------------------------------


def test_look_ups_and_failures_are_counted_apart(
    company: Company, pay: RecordingConnector, clock: TurnedClock, runtime_with: Callable[..., Runtime]
) -> None:
    pauses = {"retry_after": (MINUTE,) * 2, "reconcile_after": (MINUTE,) * 2}
    patient = Company(runtime_with(configure=lambda: Configuration(**pauses)))
    pay.answers(Retryable("Busy."), Unknown("No answer."), Retryable("Busy."), Unknown("No answer."), Unknown("No answer."))
    instance = patient.approved()
    for _ in range(4):
        assert patient.work().incidents == 0
        clock.advance(2 * MINUTE)
    assert patient.work().incidents == 1
    [incident] = resolving.open_incidents(patient.runtime)
    assert (incident["kind"], incident["tried"]) == ("in_doubt", 5)
    assert "Do: find out outside what happened; retry looks it up again" in incident["reason"]
    assert patient.job(instance)["state"] == "failed"


def test_what_is_only_put_off_uses_up_no_attempt_and_is_no_event(
    company: Company, pay: RecordingConnector, clock: TurnedClock
) -> None:
    pay.queued = [Retryable("Too many requests.", timedelta(seconds=2), counts=False)] * 30
    instance = company.approved()
    before = company.events(instance)
    for _ in range(30):
        assert company.work().incidents == 0
        clock.advance(timedelta(seconds=3))
    assert (company.events(instance), company.job(instance)["last_error"]) == (before, "Too many requests.")
    company.work()
    assert company.instance(instance).state == "completed"


def test_a_job_that_its_workers_die_with_again_and_again_needs_a_person(
    company: Company, pay: RecordingConnector, clock: TurnedClock
) -> None:
    instance = company.approved()
    pay.otherwise = raising(Killed())
    for _ in range(21):
        with pytest.raises(Killed):
            company.work()
        clock.advance(2 * MINUTE)
    assert company.work().incidents == 1
    [incident] = resolving.open_incidents(company.runtime)
    assert (incident["kind"], incident["instance"]) == ("lost", instance)
    assert "21 workers were lost while it ran" in incident["reason"]


# --- what nobody foresaw --------------------------------------------------------------------------------------------


def broken(*_: Any, **__: Any) -> Any:
    raise TypeError("sk_live_secret")


@pytest.mark.parametrize("place", ["advance", "apply_transition"])
def test_a_defect_in_the_step_is_an_incident_and_the_money_stays_recorded(
    company: Company, pay: RecordingConnector, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    pay.otherwise = charging
    instance = company.approved()
    with monkeypatch.context() as patched:
        patched.setattr(committing, place, broken)
        assert company.work().incidents == 1
    [incident] = resolving.open_incidents(company.runtime)
    assert (incident["kind"], incident["instance"]) == ("defect", instance)
    assert "failed with TypeError in broken" in incident["reason"]
    assert "sk_live" not in incident["reason"]
    assert company.charge_state(instance) == "succeeded"
    resolving.retry(company.runtime, incident["id"], "olivia")
    company.work()
    assert company.instance(instance).state == "completed"
    assert company.charge_state(instance) == "succeeded"


@pytest.mark.parametrize(("times", "state"), [(1, "succeeded"), (2, "confirming")])
def test_a_defect_while_the_charge_is_recorded_is_an_incident_of_its_job_alone(
    company: Company, pay: RecordingConnector, monkeypatch: pytest.MonkeyPatch, times: int, state: str
) -> None:
    pay.otherwise = charging
    bad, good = company.approved("bad"), company.approved("good")
    real, failing = committing.charges.apply, iter([True] * times)

    def apply(*arguments: Any) -> Any:
        return broken() if next(failing, False) else real(*arguments)

    monkeypatch.setattr(committing.charges, "apply", apply)
    assert company.work(concurrency=1).incidents == 1
    [incident] = resolving.open_incidents(company.runtime)
    assert (incident["kind"], incident["instance"], company.charge_state(bad)) == ("defect", bad, state)
    assert company.instance(good).state == "completed"


def test_a_defect_while_a_message_is_delivered_is_an_incident_and_others_arrive(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = company.approved("bad"), company.approved("good")
    real, failing = handing_over.start_instance, iter([True])

    def start_one(*arguments: Any) -> Any:
        return broken() if next(failing, False) else real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(handing_over, "start_instance", start_one)
        assert company.work(concurrency=1).incidents == 1
    [incident] = resolving.open_incidents(company.runtime)
    assert (incident["kind"], incident["instance"]) == ("defect", bad)
    assert company.instance(good).next is not None
    resolving.retry(company.runtime, incident["id"], "olivia")
    company.work()
    assert company.instance(bad).next is not None
