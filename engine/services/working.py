"""The worker: fires timers, delivers messages and runs jobs, many connectors in flight at once, until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import TypeAlias

import structlog

from engine.connector import Outcome
from engine.errors import LeaseLost
from engine.model.identifiers import Kind, format_id
from engine.services import receiving, start_timing
from engine.services.calling import return_next
from engine.services.chores import do_due_chores
from engine.services.cleaning import CLEANING
from engine.services.committing import commit_outcome
from engine.services.handing_over import deliver_next
from engine.services.job_running import call_connector
from engine.services.presence import Presence
from engine.services.reminding import REMINDING
from engine.services.row_forms import Worked
from engine.services.runtime import Runtime
from engine.services.timing import fire_next
from engine.store import calls, incidents, jobs, messages, sent_messages
from engine.store.database import may_pass
from engine.store.due import look
from engine.store.jobs import JobRow

log = structlog.get_logger("run_process.worker")

LEASE = timedelta(seconds=60)
"""How long a job is a worker's without a sign of life."""
_POLL_SECONDS = 0.5
_CHORES = (*CLEANING, REMINDING)
_CHORES_EVERY = timedelta(minutes=1)
_MOST_AT_ONCE = 20  # messages or timers, before jobs have their turn
_MOST_FAILURES = 20  # of the database, one after the other: about three minutes
_LONGEST_PAUSE = 10.0


class _NotBegun:
    """In place of an outcome: the worker was told to stop before the job had its turn."""


Work: TypeAlias = Worked
Report: TypeAlias = Callable[[Work], None]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is left when a worker stops: work that waits for its time, and incidents that wait for a person."""

    jobs: int
    messages: int
    incidents: int


class Worker:
    """One worker. `name` stands in history and leases; `concurrency` is how many connectors are called at once.

    A few more jobs are leased than are called, so that no thread waits for the next; when the worker stops, they are given
    back. While it lives, its leases of `lease` are renewed; when it dies, others take its jobs when they end.
    """

    def __init__(
        self, runtime: Runtime, name: str, concurrency: int = 20, report: Report = lambda _: None, lease: timedelta = LEASE
    ) -> None:
        self._runtime = runtime
        self._name = name
        self._concurrency = concurrency
        self._report = report
        self._lease = lease
        self._stopping = False
        self._stop_asked: SimpleQueue[None] = SimpleQueue()
        self._in_flight: dict[Future[Outcome | _NotBegun], JobRow] = {}
        self._failures = 0
        self._chores: Future[None] = Future()
        self._chores.set_result(None)
        self._chores_at = runtime.now()
        self._presence = Presence(runtime, name, concurrency, lease)

    def stop(self) -> None:
        """Take no more work; `run` returns when what is in flight is committed, and the rest is given back.

        Safe in a signal handler: it takes no lock that the interrupted code may hold, as setting an Event would.
        """
        self._stopping = True
        self._stop_asked.put(None)

    def run(self, *, until_idle: bool = False) -> Backlog:
        """Work until `stop`, or with `until_idle` until nothing is due."""
        with self._presence, _threads(1, "chores") as chores, _threads(self._concurrency, "connector") as pool:
            while not self._stopping:
                self._presence.turn(self._held())
                self._begin_chores(chores)
                if self._do_what_is_due(pool) or self._in_flight:
                    continue
                if until_idle and self._chores.done():
                    break
                self._pause(_POLL_SECONDS)
            self._finish()
        return self._backlog()

    def _begin_chores(self, pool: ThreadPoolExecutor) -> None:
        """See once a minute whether there are chores, in a thread of their own: they can take minutes."""
        now = self._runtime.now()
        if now >= self._chores_at and self._chores.done():
            self._chores_at = now + _CHORES_EVERY
            self._chores = pool.submit(self._do_chores)
            self._chores.add_done_callback(lambda _: self._stop_asked.put(None))  # no pause is longer than they are

    def _do_chores(self) -> None:
        try:
            do_due_chores(self._runtime, _CHORES, self._by, lambda: self._stopping)
        except Exception as error:  # they are due again when their claim ends
            log.warning("chores_failed", reason=type(error).__name__)
            log.debug("chores_failed", exc_info=True)

    def _finish(self) -> None:
        self._presence.stopping = True
        if self._in_flight:
            self._presence.beat()  # nobody is to send more work here
            log.info("stopping", waits_for=len(self._in_flight))
        while self._in_flight:
            self._presence.turn(self._held())
            self._guarded(lambda: self._commit_finished(_POLL_SECONDS))

    # --- rounds -----------------------------------------------------------------------------------------------------

    def _do_what_is_due(self, pool: ThreadPoolExecutor) -> bool:
        """One round; whether there was anything."""
        return self._guarded(lambda: self._fire_and_deliver() | self._lease_jobs(pool) | self._commit_finished(_POLL_SECONDS))

    def _guarded(self, work: Callable[[], bool]) -> bool:
        """A database that fails is tried again, after longer and longer pauses: what was not saved is done anew."""
        try:
            busy = work()
        except Exception as error:
            if not may_pass(error):
                raise
            self._failures += 1
            log.warning("database_failed", reason=type(error).__name__, failures=self._failures)
            if self._failures >= _MOST_FAILURES:
                raise
            self._pause(min(_POLL_SECONDS * 2 ** (self._failures - 1), _LONGEST_PAUSE))
            return True
        self._failures = 0
        return busy

    def _pause(self, seconds: float) -> None:
        with suppress(Empty):
            self._stop_asked.get(timeout=seconds)

    @property
    def _by(self) -> str:
        return f"worker {self._name}"

    # --- timers and messages ----------------------------------------------------------------------------------------

    def _fire_and_deliver(self) -> bool:
        """Some of what needs nothing but the database; whether there was any."""
        with self._runtime.database.reading() as connection:
            due = look(connection, self._runtime.now())
        return (
            (due.timers and self._some_of(fire_next))
            | (due.messages and self._some_of(deliver_next))
            | (due.sent_messages and self._some_of(receiving.deliver_next))
            | (due.start_timers and self._some_of(start_timing.start_next))
            | (due.calls and self._some_of(return_next))
        )

    def _some_of(self, do_next: Callable[[Runtime, str], Work | None]) -> bool:
        """Some of what is due; whether there was any. What connectors have finished meanwhile need not wait."""
        for done in range(_MOST_AT_ONCE):
            piece = None if self._stopping else do_next(self._runtime, self._by)
            if piece is None:
                return done > 0
            self._report(piece)
            self._commit_finished(0)
        return True

    # --- jobs -------------------------------------------------------------------------------------------------------

    def _held(self) -> dict[int, int]:
        """Job -> fencing token of every lease."""
        return {job.id: job.fence for job in self._in_flight.values()}

    def _lease_jobs(self, pool: ThreadPoolExecutor) -> bool:
        ahead = max(1, self._concurrency // 4)
        wanted = self._concurrency + ahead - len(self._in_flight)
        if wanted < ahead or self._stopping:  # in batches: one transaction leases several
            return False
        now = self._runtime.now()
        with self._runtime.database.transaction() as connection:
            leased = jobs.lease_due(connection, self._name, tuple(self._runtime.connectors), now, now + self._lease, wanted)
        for job in leased:
            self._in_flight[pool.submit(self._call, job)] = job
        return bool(leased)

    def _call(self, job: JobRow) -> Outcome | _NotBegun:
        """In a thread of the pool."""
        return _NotBegun() if self._stopping else call_connector(self._runtime, job)

    def _give_back(self, job: JobRow) -> None:
        with self._runtime.database.transaction() as connection:
            jobs.give_back(connection, job.id, job.fence)

    def _commit_finished(self, seconds: float) -> bool:
        """Commit what connectors have finished, waiting up to `seconds` for the first; whether there was any."""
        if not self._in_flight:
            return False
        done, _ = wait(self._in_flight, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in [each for each in self._in_flight if each in done]:  # in the order in which they were leased
            self._commit(self._in_flight[future], future)
            del self._in_flight[future]
        return bool(done)

    def _commit(self, job: JobRow, future: Future[Outcome | _NotBegun]) -> None:
        try:
            outcome = future.result()
            if isinstance(outcome, _NotBegun):
                self._give_back(job)
            else:
                self._report(commit_outcome(self._runtime, job, outcome, self._by))
        except LeaseLost as lost:
            log.warning("lease_lost", job=format_id(Kind.JOB, job.id), reason=str(lost))

    def _backlog(self) -> Backlog:
        with self._runtime.database.reading() as connection:
            counts = (each.count_waiting(connection) for each in (messages, sent_messages, calls))
            return Backlog(jobs.count_open(connection), sum(counts), len(incidents.listing(connection)))


@contextmanager
def _threads(number: int, name: str) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(number, thread_name_prefix=name)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
