"""Who works on a database, which of them live, and that a lease lasts as long as its worker shows signs of life."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from engine.clock import TurnedClock
from engine.connector import Completed, JobContext, JobRequest, Outcome
from engine.services.presence import Presence, WorkerView, list_workers
from engine.services.runtime import Runtime
from engine.services.working import Worker
from engine.store import jobs
from tests.builders.company import Company
from tests.doubles.connectors import RecordingConnector

LEASE = timedelta(seconds=60)


def present(runtime: Runtime, name: str = "w1", lease: timedelta = LEASE) -> Presence:
    return Presence(runtime, name, concurrency=4, lease=lease)


def test_a_worker_is_listed_while_it_runs_and_remembered_for_a_day(runtime: Runtime, clock: TurnedClock) -> None:
    with present(runtime):
        [worker] = list_workers(runtime)
        assert (worker.name, worker.state, worker.alive) == ("w1", "working", True)
        assert (worker.topics, worker.concurrency) == (("pay",), 4)
        assert worker.started_at == worker.seen_at == clock.now()
    assert list_workers(runtime) == []
    [ended] = list_workers(runtime, stopped=True)
    assert (ended.state, ended.alive, ended.stopped_at) == ("stopped", False, clock.now())
    clock.advance(timedelta(days=1, seconds=1))
    with present(runtime, "w2"):
        assert [each.name for each in list_workers(runtime, stopped=True)] == ["w2"]


def test_a_worker_is_asked_for_by_its_name(runtime: Runtime) -> None:
    with present(runtime, "a"), present(runtime, "b"), present(runtime, "b"):
        assert [each.name for each in list_workers(runtime, "b")] == ["b", "b"]
        assert list_workers(runtime, "c") == []


def test_a_worker_that_shows_no_sign_of_life_is_lost_until_it_shows_one(runtime: Runtime, clock: TurnedClock) -> None:
    with present(runtime) as worker:
        clock.advance(timedelta(seconds=60))
        assert [each.state for each in list_workers(runtime)] == ["working"]
        clock.advance(timedelta(seconds=1))
        assert [(each.state, each.alive) for each in list_workers(runtime)] == [("lost", False)]
        worker.beat()
        assert [each.state for each in list_workers(runtime)] == ["working"]


def test_a_worker_that_was_silent_for_days_is_known_again_at_its_next_sign_of_life(runtime: Runtime, clock: TurnedClock) -> None:
    with present(runtime, "slept") as slept:
        clock.advance(timedelta(days=2))
        with present(runtime, "other"):
            assert [each.name for each in list_workers(runtime)] == ["other"]
            slept.beat()
            assert [each.name for each in list_workers(runtime)] == ["other", "slept"]
    assert list_workers(runtime) == []


def test_a_worker_that_ends_takes_no_more_work(runtime: Runtime) -> None:
    with present(runtime) as worker:
        worker.stopping = True
        worker.beat()
        assert [(each.state, each.alive) for each in list_workers(runtime)] == [("stopping", False)]


def test_a_lease_lasts_as_long_as_its_worker_shows_signs_of_life(company: Company, clock: TurnedClock) -> None:
    company.approved()
    with present(company.runtime) as worker, company.runtime.database.transaction() as connection:
        [job] = jobs.lease_due(connection, "w1", ("pay",), clock.now(), clock.now() + LEASE, 5)
    worker.turn({job.id: job.fence})
    for _ in range(5):
        clock.advance(timedelta(seconds=45))
        worker.beat()
    assert leased(company, clock) == []
    clock.advance(LEASE)
    assert [(each.id, each.losses) for each in leased(company, clock)] == [(job.id, 1)]


def test_a_lease_that_another_worker_has_is_not_prolonged_by_the_one_that_lost_it(company: Company, clock: TurnedClock) -> None:
    company.approved()
    with present(company.runtime, "slow") as slow:
        [old] = leased(company, clock, "slow")
        clock.advance(LEASE)
        [new] = leased(company, clock, "fast")
        slow.turn({old.id: old.fence})
        clock.advance(timedelta(seconds=30))
        slow.beat()
        assert company.details("i1")["jobs"][0]["next_at"] == new.lease_until


def leased(company: Company, clock: TurnedClock, worker: str = "other") -> list[jobs.JobRow]:
    with company.runtime.database.transaction() as connection:
        return jobs.lease_due(connection, worker, ("pay",), clock.now(), clock.now() + LEASE, 5)


def test_a_loop_that_hangs_falls_silent_though_its_process_lives(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    beats = threading.Semaphore(0)
    monkeypatch.setattr(Presence, "beat", lambda _: beats.release())
    with present(runtime, lease=timedelta(seconds=0.04)):
        for _ in range(4):
            assert beats.acquire(timeout=10)
        assert not beats.acquire(timeout=0.2)


def test_a_worker_that_runs_renews_the_leases_of_slow_connectors(
    company: Company, pay: RecordingConnector, clock: TurnedClock, seen: Callable[[], WorkerView]
) -> None:
    taken: list[jobs.JobRow] = []

    def slow(_request: JobRequest, _context: JobContext) -> Outcome:
        for _ in range(4):  # each time the clock stands still until there was a sign of life
            clock.advance(timedelta(seconds=0.8))
            while (seen().seen_at, seen().in_flight) != (clock.now(), 1):
                threading.Event().wait(0.01)
            taken.extend(leased(company, clock))
        return Completed({"payment_id": "p"})

    pay.otherwise = slow
    company.approved()
    worker = Worker(company.runtime, "w1", concurrency=1, lease=timedelta(seconds=1))
    worker.run(until_idle=True)
    assert taken == []
    assert company.instance("i1").state == "completed"
    assert company.details("i1")["jobs"][0]["attempts"] == 1


@pytest.fixture
def seen(company: Company) -> Callable[[], WorkerView]:
    return lambda: list_workers(company.runtime)[0]
