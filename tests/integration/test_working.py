"""The worker: leases, outcomes, retries, and what is saved when something breaks off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

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
from engine.errors import ChargeInDoubt, ConfigurationInvalid
from engine.services import job_running, resolving, working
from engine.services.configuration import Configuration
from engine.services.runtime import Runtime
from engine.services.working import Worker
from tests.builders.company import CardCompany, Company
from tests.builders.drawing import (
    boundary,
    carry_over,
    diagram,
    end,
    exclusive,
    files,
    flows,
    form_field,
    parallel,
    service,
    start,
    user,
)
from tests.doubles.connectors import RecordingConnector, charge_up_to, charged_to, charging

MINUTE = timedelta(minutes=1)


class Killed(BaseException):
    """Stands for `kill -9`: nothing in the product may catch it."""


def job_of(company: Company, instance: str) -> dict[str, Any]:
    return company.details(instance)["jobs"][-1]


def charge_state(company: Company, instance: str) -> str | None:
    charges = company.details(instance)["charges"]
    return charges[0]["state"] if charges else None


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
    assert (job_of(company, instance)["state"], job_of(company, instance)["next_at"]) == ("done", None)
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
        waits = job_of(patient, instance)["next_at"] - clock.now()
        assert pause <= waits <= pause * 1.1  # spread a little, so that many don't come back at once
        clock.advance(pause - timedelta(seconds=1))
        patient.work()
        assert len(pay.requests) == tries
        clock.advance(pause * 0.1 + timedelta(seconds=1))
    backlog = patient.work()
    assert (len(pay.requests), backlog.jobs, backlog.incidents) == (3, 0, 1)
    [incident] = resolving.open_incidents(patient.runtime)
    assert (incident["reason"], incident["tried"]) == ("The server is busy.", 3)
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
    assert job_of(company, instance)["next_at"] - clock.now() >= timedelta(hours=2)
    clock.advance(timedelta(hours=3))
    company.work()
    assert job_of(company, instance)["next_at"] - clock.now() >= MINUTE


def test_work_that_cannot_succeed_needs_a_person_at_once(company: Company, pay: RecordingConnector) -> None:
    pay.answers(Fatal("The key is wrong."))
    instance = company.approved()
    assert company.work().incidents == 1
    assert (job_of(company, instance)["state"], job_of(company, instance)["last_error"]) == ("failed", "The key is wrong.")
    assert company.instance(instance).state == "active"


def test_work_whose_outcome_is_unknown_is_looked_up_later_and_its_doubt_is_stored(
    company: Company, pay: RecordingConnector, clock: TurnedClock
) -> None:
    in_doubt = charge_up_to(ChargeState.UNKNOWN)
    pay.answers(lambda request, context: Unknown("No answer.", in_doubt(request, context)))
    instance = company.approved()
    assert company.work().jobs == 1
    assert charge_state(company, instance) == "unknown"
    assert company.events(instance)[-2:] == ["charge_unknown", "job_postponed"]
    pay.answers(
        lambda request, context: Completed({"payment_id": "pay_1"}, charge_up_to(ChargeState.SUCCEEDED)(request, context))
    )
    clock.advance(timedelta(minutes=2))
    company.work()
    assert charge_state(company, instance) == "succeeded"
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
    assert job_of(company, bad)["state"] == "failed"
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
        broken.setattr(job_running, "apply_transition", killed)
        with pytest.raises(Killed):
            company.work()
    assert charge_state(company, instance) == "confirming"
    assert company.instance(instance).state == "active"
    clock.advance(timedelta(minutes=6))
    company.work("w2")
    assert charge_state(company, instance) == "succeeded"
    assert company.instance(instance).state == "completed"


def test_a_charge_that_was_taken_is_stored_though_the_diagram_cannot_go_on(company: Company, pay: RecordingConnector) -> None:
    taken = charge_up_to(ChargeState.SUCCEEDED)
    pay.answers(lambda request, context: Completed({"payment_id": 7}, taken(request, context)))
    instance = company.approved()
    assert company.work().incidents == 1
    assert charge_state(company, instance) == "succeeded"
    assert company.instance(instance).state == "active"
    assert company.events(instance)[-2:] == ["charge_succeeded", "incident_created"]


def test_a_charge_that_was_taken_is_stored_though_its_outputs_cannot_be(company: Company, pay: RecordingConnector) -> None:
    taken = charge_up_to(ChargeState.SUCCEEDED)
    pay.answers(lambda request, context: Completed({"payment_id": object()}, taken(request, context)))  # type: ignore[dict-item]
    instance = company.approved()
    assert company.work().incidents == 1
    assert charge_state(company, instance) == "succeeded"


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
    assert charge_state(company, instance) == "succeeded"


# --- many at once ---------------------------------------------------------------------------------------------------


def test_twenty_jobs_are_in_flight_at_once(company: Company, pay: RecordingConnector) -> None:
    instances = [company.approved(f"c{number}") for number in range(20)]
    together = threading.Barrier(20)

    def wait_for_all(request: JobRequest, _: JobContext) -> Outcome:
        together.wait(20)  # breaks unless all twenty are here
        return Completed({"payment_id": request.id})

    pay.otherwise = wait_for_all
    backlog = company.work(concurrency=20)
    assert (backlog.jobs, backlog.incidents) == (0, 0)
    assert {company.instance(instance).state for instance in instances} == {"completed"}


def test_a_worker_is_idle_only_when_what_its_last_job_caused_is_done_as_well(company: Company, pay: RecordingConnector) -> None:
    """The connector takes longer than the worker waits between two looks."""

    def slow(_request: JobRequest, _context: JobContext) -> Outcome:
        threading.Event().wait(0.6)
        return Completed({"payment_id": "p"})

    pay.answers(slow)
    instance = company.approved()
    backlog = company.work()
    assert (backlog.jobs, backlog.messages) == (0, 0)
    assert company.instance(instance).next is not None


def test_no_more_jobs_are_in_flight_than_was_asked_for(company: Company, pay: RecordingConnector) -> None:
    for number in range(8):
        company.approved(f"c{number}")
    now, most = 0, 0
    lock = threading.Lock()

    def count(_request: JobRequest, _context: JobContext) -> Outcome:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.02)
        with lock:
            now -= 1
        return Completed({"payment_id": "p"})

    pay.otherwise = count
    company.work(concurrency=3)
    assert most == 3


def test_two_workers_share_the_work_and_do_nothing_twice(company: Company, pay: RecordingConnector) -> None:
    for number in range(30):
        company.approved(f"c{number}")
    workers = [threading.Thread(target=company.work, args=(f"w{number}", 4)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert len(pay.requests) == len({request.id for request in pay.requests}) == 30


def test_a_worker_that_is_told_to_stop_finishes_what_is_in_flight_and_takes_nothing_more(
    company: Company, pay: RecordingConnector
) -> None:
    first, second = company.approved("a"), company.approved("b")
    worker = Worker(company.runtime, "w1", concurrency=1)

    def stop(_request: JobRequest, _context: JobContext) -> Outcome:
        worker.stop()
        return Completed({"payment_id": "p"})

    pay.otherwise = stop
    backlog = worker.run()
    assert (company.instance(first).state, company.instance(second).state) == ("completed", "active")
    assert (backlog.jobs, backlog.messages) == (1, 1)


# --- branches -------------------------------------------------------------------------------------------------------


def branching() -> dict[str, bytes]:
    """Two charges beside each other; when a person decides so, everything ends."""
    nodes = [
        start(), start("again", "m_next"), exclusive("merge"), parallel("split"),
        service("a", {"amount": "1"}, {"receipt": "${payment_id}"}), service("b", {"amount": "2"}, {"receipt": "${payment_id}"}),
        boundary("a_declined", "a"), boundary("b_declined", "b"), user("stop", form_field("approved", "boolean")),
        exclusive("stop_it", "stop_it-joined"), exclusive("joined"), end("stopped", inside="<terminateEventDefinition/>"),
        end("next", "m_next"),
    ]  # fmt: skip
    ways = [
        "start -> merge -> split -> a -> joined -> next", "again -> merge", "split -> b -> joined", "a_declined -> joined",
        "b_declined -> joined", "split -> stop -> stop_it -> stopped if ${approved}", "stop_it -> joined",
    ]  # fmt: skip
    items = {
        "customer": "{type: string, carry: copy}", "month": "{type: month, carry: next}",
        "approved": "{type: boolean, carry: drop}", "receipt": "{type: string, carry: drop}",
    }  # fmt: skip
    return files(diagram(*nodes, flows(*ways)), carry_over(items))


def test_work_that_the_diagram_withdraws_needs_nobody_any_more_and_is_never_taken_up_again(
    company: Company, pay: RecordingConnector
) -> None:
    company.deploy(branching())
    instance = company.start()
    pay.otherwise = Fatal("The key is wrong.")
    assert company.work().incidents == 2
    [first, second] = resolving.open_incidents(company.runtime)
    resolving.retry(company.runtime, first["id"], "olivia")
    company.do(instance, "mia", approved=True)
    assert company.instance(instance).end_events == ("stopped",)
    assert resolving.open_incidents(company.runtime) == []
    with pytest.raises(Exception, match="Expected x2 to be open, but mia resolved it"):
        resolving.retry(company.runtime, second["id"], "olivia")
    called = len(pay.requests)
    assert company.work().jobs == 0
    assert len(pay.requests) == called
    assert {job["state"] for job in company.details(instance)["jobs"]} == {"withdrawn"}


def test_a_diagram_cannot_leave_a_charge_in_doubt_behind(company: Company, pay: RecordingConnector) -> None:
    company.deploy(branching())
    instance = company.start()
    pay.otherwise = charged_to(ChargeState.UNKNOWN)
    company.work()
    with pytest.raises(ChargeInDoubt, match="this step would withdraw one whose outcome isn't known yet"):
        company.do(instance, "mia", approved=True)
    assert company.instance(instance).state == "active"


def test_a_worker_outlives_a_database_that_fails_for_a_while(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = company.approved()
    failing = iter([True, False, True, False, False])
    real = working.commit_outcome

    def commit(*arguments: Any) -> Any:
        if next(failing, False):
            raise OperationalError("COMMIT", {}, Exception("disk I/O error"))
        return real(*arguments)

    monkeypatch.setattr(working, "commit_outcome", commit)
    assert company.work().incidents == 0
    assert company.instance(instance).state == "completed"
