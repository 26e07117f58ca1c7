"""The worker: delivers messages and runs jobs, many connectors in flight at once, until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import TypeAlias

import structlog
from sqlalchemy.exc import DBAPIError

from engine.connector import Outcome
from engine.errors import LeaseLost
from engine.model.identifiers import Kind, format_id
from engine.services.handing_over import deliver_next
from engine.services.job_running import call_connector, commit_outcome
from engine.services.runtime import Runtime
from engine.store import incidents, jobs, messages
from engine.store.jobs import JobRow
from engine.store.messages import MessageRow

log = structlog.get_logger("run_process.worker")

_LEASE = timedelta(minutes=5)
_POLL_SECONDS = 0.5
_MOST_FAILURES = 20  # of the database, one after the other

Report: TypeAlias = Callable[[JobRow | MessageRow], None]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is left when a worker stops: work that waits for its time, and incidents that wait for a person."""

    jobs: int
    messages: int
    incidents: int


class Worker:
    """One worker. `name` stands in history and leases; `concurrency` is how many connectors are called at once."""

    def __init__(self, runtime: Runtime, name: str, concurrency: int = 20, report: Report = lambda _: None) -> None:
        self._runtime = runtime
        self._name = name
        self._concurrency = concurrency
        self._report = report
        self._stopping = False
        self._stop_asked: SimpleQueue[None] = SimpleQueue()
        self._in_flight: dict[Future[Outcome], JobRow] = {}
        self._failures = 0

    def stop(self) -> None:
        """Take no more work; `run` returns when what is in flight is committed.

        Safe in a signal handler: it takes no lock that the interrupted code may hold, as setting an Event would.
        """
        self._stopping = True
        self._stop_asked.put(None)

    def run(self, *, until_idle: bool = False) -> Backlog:
        """Work until `stop`, or with `until_idle` until nothing is due."""
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="connector") as pool:
            while not self._stopping:
                if self._do_what_is_due(pool) or self._in_flight:
                    continue
                if until_idle:
                    break
                self._pause()
            while self._in_flight:
                self._commit_finished(_POLL_SECONDS)
        return self._backlog()

    def _do_what_is_due(self, pool: ThreadPoolExecutor) -> bool:
        """One round; whether there was anything. A database that fails is tried again: what was not saved is done anew."""
        try:
            busy = self._deliver_messages() | self._lease_jobs(pool) | self._commit_finished(_POLL_SECONDS)
        except DBAPIError as error:
            self._failures += 1
            log.warning("database_failed", reason=type(error.orig).__name__, failures=self._failures)
            if self._failures >= _MOST_FAILURES:
                raise
            self._pause()
            return True
        self._failures = 0
        return busy

    def _pause(self) -> None:
        with suppress(Empty):
            self._stop_asked.get(timeout=_POLL_SECONDS)

    @property
    def _by(self) -> str:
        return f"worker {self._name}"

    def _deliver_messages(self) -> bool:
        delivered = False
        while not self._stopping and (message := deliver_next(self._runtime, self._by)) is not None:
            delivered = True
            self._report(message)
            self._commit_finished(0)
        return delivered

    def _lease_jobs(self, pool: ThreadPoolExecutor) -> bool:
        free = self._concurrency - len(self._in_flight)
        if free <= 0:
            return False
        now = self._runtime.now()
        with self._runtime.database.transaction() as connection:
            leased = jobs.lease_due(connection, self._name, tuple(self._runtime.connectors), now, now + _LEASE, free)
        for job in leased:
            self._in_flight[pool.submit(call_connector, self._runtime, job)] = job
        return bool(leased)

    def _commit_finished(self, seconds: float) -> bool:
        """Commit what connectors have finished, waiting up to `seconds` for the first; whether there was any."""
        if not self._in_flight:
            return False
        done, _ = wait(self._in_flight, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            self._commit(self._in_flight[future], future)
            del self._in_flight[future]
        return bool(done)

    def _commit(self, job: JobRow, future: Future[Outcome]) -> None:
        try:
            self._report(commit_outcome(self._runtime, job, future.result(), self._by))
        except LeaseLost as lost:
            log.warning("lease_lost", job=format_id(Kind.JOB, job.id), reason=str(lost))

    def _backlog(self) -> Backlog:
        with self._runtime.database.reading() as connection:
            return Backlog(jobs.count_open(connection), messages.count_waiting(connection), len(incidents.listing(connection)))
