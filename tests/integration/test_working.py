"""The worker: many jobs at once, chores, and how it ends."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from engine.clock import TurnedClock
from engine.connector import (
    ChargeState,
    Completed,
    Fatal,
    JobContext,
    JobRequest,
    Outcome,
)
from engine.errors import ChargeInDoubt
from engine.services import resolving, working
from engine.services.working import Worker
from tests.builders.company import Company
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
from tests.doubles.connectors import RecordingConnector, charged_to

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


# --- giving back ----------------------------------------------------------------------------------------------------


def test_a_worker_that_is_told_to_stop_gives_back_what_it_has_not_begun(company: Company, pay: RecordingConnector) -> None:
    for customer in "abcdef":
        company.approved(customer)
    worker = Worker(company.runtime, "w1", concurrency=4)

    def stop(_request: JobRequest, _context: JobContext) -> Outcome:
        worker.stop()
        return Completed({"payment_id": "p"})

    pay.otherwise = stop
    backlog = worker.run()
    begun = len(pay.requests)
    assert 1 <= begun <= 5
    assert backlog.jobs == 6 - begun
    left = [company.job(f"i{number}") for number in range(1, 7)]
    assert [job["attempts"] for job in left if job["state"] == "ready"] == [0] * (6 - begun)
    pay.otherwise = Completed({"payment_id": "p"})
    company.work("w2")  # at once: no lease has to end
    assert {company.instance(f"i{number}").state for number in range(1, 7)} == {"completed"}


# --- chores ---------------------------------------------------------------------------------------------------------


def test_a_worker_looks_for_chores_at_once_and_then_each_minute(
    company: Company, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(working, "do_due_chores", lambda _runtime, _chores, by, _stop: seen.append(by))
    worker = Worker(company.runtime, "w1")
    worker.run(until_idle=True)
    assert seen == ["worker w1"]
    idle = Worker(company.runtime, "w2")
    thread = threading.Thread(target=idle.run)
    thread.start()
    while seen.count("worker w2") < 1:
        threading.Event().wait(0.01)
    clock.advance(timedelta(seconds=59))
    threading.Event().wait(0.7)
    assert seen.count("worker w2") == 1
    clock.advance(timedelta(seconds=1))
    while seen.count("worker w2") < 2:
        threading.Event().wait(0.01)
    idle.stop()
    thread.join()


def test_a_database_that_fails_at_a_chore_stops_no_worker(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    monkeypatch.setattr(working, "do_due_chores", fails)
    instance = company.approved()
    company.work()
    assert company.instance(instance).state == "completed"


def test_a_chore_that_takes_long_keeps_no_job_waiting(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(working, "do_due_chores", lambda *_: done.wait(30))
    instance = company.approved()

    def tell(_: object) -> None:
        done.set()

    company.work(concurrency=1, report=tell)
    assert company.instance(instance).state == "completed"
