"""Run work that was put back again, and tell what really became of it.

A message, a timer and a call need nothing but the database, so they have their turn here and now. A job needs its connector's
settings: where a worker lives that has the connector, that one does it and it is waited for; else it is run here. One whose
connector nobody has waits for a worker that has it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from engine.model.identifiers import Kind, parse_id
from engine.services import receiving
from engine.services.calling import return_one
from engine.services.committing import commit_outcome
from engine.services.handing_over import deliver
from engine.services.job_running import call_connector
from engine.services.presence import list_workers
from engine.services.runtime import Runtime
from engine.services.timing import fire
from engine.services.working import Work
from engine.store import jobs
from engine.store.jobs import JobRow

_LEASE = timedelta(minutes=5)  # nobody renews it
_LOOK_SECONDS = 0.2


def rerun(runtime: Runtime, put_back: Mapping[str, Any], by: str, patience: float) -> Work:
    """Run the work that was just put back (`resolving.put_back`); the work as it is afterwards.

    A living worker is waited for as many seconds as `patience`: a job that it hasn't finished then is told as it is.
    """
    message = put_back["message"]
    if message is not None and message.startswith(Kind.SENT_MESSAGE):
        return receiving.deliver(runtime, parse_id(Kind.SENT_MESSAGE, message), by)
    if message is not None:
        return deliver(runtime, parse_id(Kind.MESSAGE, message), by)
    if put_back["timer"] is not None:
        return fire(runtime, parse_id(Kind.TIMER, put_back["timer"]), by)
    if put_back["call"] is not None:
        return return_one(runtime, parse_id(Kind.CALL, put_back["call"]), by)
    number = parse_id(Kind.JOB, put_back["job"])
    with runtime.database.reading() as connection:
        topic = jobs.get(connection, number).topic
    living = any(worker.alive and topic in worker.topics for worker in list_workers(runtime))
    if not living and topic in runtime.connectors:
        done = _run_here(runtime, number, by)
        if done is not None:
            return done
    if not living and topic not in runtime.connectors:
        patience = 0
    return _wait_for(runtime, number, patience)


def _run_here(runtime: Runtime, number: int, by: str) -> JobRow | None:
    now = runtime.now()
    with runtime.database.transaction() as connection:
        job = jobs.lease_one(connection, number, by, now, now + _LEASE)
    return None if job is None else commit_outcome(runtime, job, call_connector(runtime, job), by)


def _wait_for(runtime: Runtime, number: int, patience: float) -> JobRow:
    for _ in range(max(1, round(patience / _LOOK_SECONDS))):
        with runtime.database.reading() as connection:
            job = jobs.get(connection, number)
        if job.state not in (jobs.READY, jobs.LEASED) or job.last_error is not None:
            break
        time.sleep(_LOOK_SECONDS)
    return job
