"""Leases: a job is one worker's at a time, and nothing is saved for it but by whoever holds the newest lease."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.clock import TurnedClock
from engine.connector import Completed, Fatal, JobContext, JobRequest, Outcome, Retryable, Unknown
from engine.errors import LeaseLost
from engine.services import resolving
from engine.services.committing import commit_outcome
from engine.services.job_running import call_connector
from engine.services.runtime import Runtime
from engine.store import jobs
from engine.store.jobs import JobRow
from engine.store.tables import history
from tests.builders.company import Company
from tests.doubles.connectors import RecordingConnector, charging


class Killed(BaseException):
    """Stands for `kill -9`: nothing in the product may catch it."""


def killed(_request: JobRequest, _context: JobContext) -> Outcome:
    raise Killed


def lease(runtime: Runtime, worker: str = "w1", seconds: int = 300, limit: int = 1) -> list[JobRow]:
    now = runtime.now()
    with runtime.database.transaction() as connection:
        return jobs.lease_due(connection, worker, tuple(runtime.connectors), now, now + timedelta(seconds=seconds), limit)


def test_a_leased_job_is_not_given_to_another_worker_until_the_lease_ends(company: Company, clock: TurnedClock) -> None:
    company.approved()
    [first] = lease(company.runtime, "w1", seconds=60)
    assert lease(company.runtime, "w2") == []
    clock.advance(timedelta(seconds=60))
    [second] = lease(company.runtime, "w2")
    assert (second.id, second.worker, second.attempts) == (first.id, "w2", 2)
    assert second.fence > first.fence


def test_a_worker_whose_lease_was_taken_over_saves_nothing(company: Company, pay: RecordingConnector, clock: TurnedClock) -> None:
    instance = company.approved()
    [slow] = lease(company.runtime, "slow")
    clock.advance(timedelta(minutes=6))
    [fast] = lease(company.runtime, "fast")
    before = company.details(instance), company.events(instance)
    for outcome in (Completed({"payment_id": "pay_slow"}), Fatal("Late."), Retryable("Late."), Unknown("Late.")):
        with pytest.raises(LeaseLost, match=r"the lease of j1, but it is leased under a newer one. Do: nothing"):
            commit_outcome(company.runtime, slow, outcome, "worker slow")
    assert (company.details(instance), company.events(instance)) == before
    commit_outcome(company.runtime, fast, Completed({"payment_id": "pay_fast"}), "worker fast")
    assert company.details(instance)["data"]["receipt"] == "pay_fast"
    with pytest.raises(LeaseLost, match="it is done"):
        commit_outcome(company.runtime, slow, Completed({"payment_id": "pay_slow"}), "worker slow")


def test_a_worker_whose_lease_was_taken_over_cannot_touch_the_ledger_either(
    company: Company, pay: RecordingConnector, clock: TurnedClock
) -> None:
    pay.otherwise = charging
    instance = company.approved()
    [slow] = lease(company.runtime, "slow")
    clock.advance(timedelta(minutes=6))
    lease(company.runtime, "fast")
    with pytest.raises(LeaseLost):
        call_connector(company.runtime, slow)
    assert company.details(instance)["charges"] == []


def test_a_worker_that_was_overtaken_goes_on_with_other_work(
    company: Company, pay: RecordingConnector, clock: TurnedClock
) -> None:
    first, second = company.approved("a"), company.approved("b")

    def overtaken(request: JobRequest, context: JobContext) -> Outcome:
        clock.advance(timedelta(minutes=6))
        lease(company.runtime, "other")
        return Completed({"payment_id": "late"})

    pay.answers(overtaken)
    said: list[str] = []
    company.work(concurrency=1, report=lambda done: said.append(done.state))
    assert company.instance(second).state == "completed"
    assert company.instance(first).state == "active"
    assert "receipt" not in company.details(first)["data"]
    clock.advance(timedelta(minutes=6))
    company.work()
    assert company.instance(first).state == "completed"


def test_a_worker_that_died_leaves_its_job_to_another_when_the_lease_ends(
    company: Company, pay: RecordingConnector, clock: TurnedClock
) -> None:
    pay.answers(killed)
    instance = company.approved()
    with pytest.raises(Killed):
        company.work("dies")
    assert company.work("lives").jobs == 1
    assert company.instance(instance).state == "active"
    clock.advance(timedelta(minutes=6))
    company.work("lives")
    assert company.instance(instance).state == "completed"
    assert [request.attempt for request in pay.requests] == [1, 2]
    with company.runtime.database.reading() as connection:
        by = set(connection.execute(select(history.c.by).where(history.c.event == "job_completed")).scalars())
    assert by == {"worker lives"}


def test_a_job_that_was_cancelled_while_it_ran_saves_nothing(company: Company, pay: RecordingConnector) -> None:
    instance = company.approved()

    def cancelled(request: JobRequest, _: JobContext) -> Outcome:
        resolving.cancel(company.runtime, request.instance, "stop", "olivia")
        return Completed({"payment_id": "late"})

    pay.answers(cancelled)
    company.work()
    assert company.instance(instance).state == "cancelled"
    assert company.details(instance)["jobs"][-1]["state"] == "withdrawn"
    assert "receipt" not in company.details(instance)["data"]


def test_jobs_are_leased_in_the_order_in_which_they_are_due(
    company: Company, pay: RecordingConnector, clock: TurnedClock
) -> None:
    pay.answers(Retryable("Busy."))
    first = company.approved("a")
    company.work()
    second = company.approved("b")
    clock.advance(timedelta(hours=1))
    third = company.approved("c")
    company.work(concurrency=1)
    assert [request.instance for request in pay.requests] == [first, second, first, third]
