"""A worker's presence: it is registered while it runs, shows signs of life, and keeps its leases while it does.

The signs come from a thread of their own, so that a connector that takes long costs no lease; but only while the worker's loop
turns: one that hangs falls silent, and others take its jobs.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType

import structlog
from sqlalchemy import Connection

from engine.services.runtime import Runtime
from engine.store import jobs, workers
from engine.store.database import may_pass
from engine.store.workers import WorkerRow

log = structlog.get_logger("run_process.worker")

_BEATS_IN_A_LEASE = 4
_REMEMBERED = timedelta(days=1)
SILENT_AFTER = timedelta(seconds=60)
"""A worker without a sign of life for so long is taken for lost."""


class Presence:
    """Registers a worker for the duration of the block. `turn` is called by its loop, again and again."""

    def __init__(self, runtime: Runtime, name: str, concurrency: int, lease: timedelta) -> None:
        self.stopping = False
        self._runtime = runtime
        self._name = name
        self._concurrency = concurrency
        self._lease = lease
        self._number: int | None = None
        self._held: Mapping[int, int] = {}
        self._silent_beats = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="presence", daemon=True)

    def __enter__(self) -> Presence:
        now = self._runtime.now()
        with self._runtime.database.transaction() as connection:
            workers.forget(connection, now - _REMEMBERED)
            self._register(connection, now)
        self._thread.start()
        return self

    def _register(self, connection: Connection, now: datetime) -> None:
        values = {
            "name": self._name,
            "host": socket.gethostname(),
            "process_id": os.getpid(),
            "program": _program(),
            "topics": sorted(self._runtime.connectors),
            "concurrency": self._concurrency,
        }
        self._number = workers.add(connection, values, now)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        if error is None:
            self._write(workers.stopped)

    def turn(self, held: Mapping[int, int]) -> None:
        """The loop is alive, and holds these leases (job -> fencing token)."""
        self._held = held
        self._silent_beats = 0

    def _beat_on(self) -> None:
        while not self._ended.wait(self._lease.total_seconds() / _BEATS_IN_A_LEASE):
            self._silent_beats += 1
            if self._silent_beats <= _BEATS_IN_A_LEASE:
                self.beat()

    def beat(self) -> None:
        """One sign of life: in the registry, and the leases prolonged."""
        state = workers.STOPPING if self.stopping else workers.WORKING
        held = self._held

        def sign(connection: Connection, number: int, now: datetime) -> None:
            jobs.renew(connection, held, now + self._lease)
            if not workers.seen(connection, number, state, len(held), now):
                self._register(connection, now)  # it was silent for so long that it was forgotten

        self._write(sign)

    def _write(self, change: Callable[[Connection, int, datetime], None]) -> None:
        """A database that fails now may answer the next time; until then the worker is as silent as if it were gone."""
        assert self._number is not None
        try:
            with self._runtime.database.transaction() as connection:
                change(connection, self._number, self._runtime.now())
        except Exception as error:
            if not may_pass(error):
                raise
            log.warning("sign_of_life_failed", reason=type(error).__name__)


def _program() -> str:
    from importlib.metadata import PackageNotFoundError, version  # looks through all that is installed

    try:
        return version("run-process")
    except PackageNotFoundError:
        return "not installed"


# --- questions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as people and programs see it. `state`: working, stopping, stopped, or lost (silent for a minute)."""

    name: str
    host: str
    process_id: int
    program: str
    state: str
    in_flight: int
    concurrency: int
    topics: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None

    @property
    def alive(self) -> bool:
        """Whether it takes work: neither lost nor about to end."""
        return self.state == workers.WORKING


def list_workers(runtime: Runtime, name: str | None = None, *, stopped: bool = False) -> list[WorkerView]:
    """The workers of this database, or those of one name; with `stopped` also those that ended in order within a day."""
    with runtime.database.reading() as connection:
        rows = workers.listing(connection, stopped=stopped)
    return [_view(row, runtime.now()) for row in rows if name is None or row.name == name]


def unserved(runtime: Runtime) -> dict[str, int]:
    """Topic -> how many jobs are due that no living worker has the connector for."""
    with runtime.database.reading() as connection:
        due = jobs.count_due(connection, runtime.now())
    served = {topic for worker in list_workers(runtime) if worker.alive for topic in worker.topics}
    return {topic: count for topic, count in due.items() if topic not in served}


def _view(row: WorkerRow, now: datetime) -> WorkerView:
    lost = row.state != workers.STOPPED and now - row.seen_at > SILENT_AFTER
    return WorkerView(
        name=row.name,
        host=row.host,
        process_id=row.process_id,
        program=row.program,
        state="lost" if lost else row.state,
        in_flight=row.in_flight,
        concurrency=row.concurrency,
        topics=tuple(row.topics),
        started_at=row.started_at,
        seen_at=row.seen_at,
        stopped_at=row.stopped_at,
    )
