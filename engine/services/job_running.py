"""Run a leased job: call its connector outside any transaction, then commit the outcome with the BPMN step it causes."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from engine.clock import Clock
from engine.connector import (
    BusinessError,
    Charge,
    ChargeLedger,
    ChargeResult,
    Completed,
    Connector,
    Fatal,
    JobRequest,
    Outcome,
    Retryable,
    Unknown,
)
from engine.errors import EngineError, LeaseLost
from engine.execution.advance import advance
from engine.execution.state import load_state
from engine.execution.transition import CompleteJob, FailJob
from engine.model.identifiers import Kind, format_id
from engine.model.text import shown
from engine.services.applying import apply_transition
from engine.services.charging import JobLedger
from engine.services.runtime import Runtime
from engine.store import charges, history, incidents, instances, jobs
from engine.store.instances import InstanceRow
from engine.store.jobs import JobRow

log = structlog.get_logger("run_process.worker")

_MOST_LEASES = 20  # more than any retry policy asks for


@dataclass(frozen=True)
class _Context:
    clock: Clock
    ledger: ChargeLedger


# --- outside any transaction ----------------------------------------------------------------------------------------


def call_connector(runtime: Runtime, job: JobRow) -> Outcome:
    """Call the job's connector. Raises LeaseLost when somebody else holds the job by now; nothing else."""
    connector = runtime.connectors[job.topic]
    if job.attempts > _MOST_LEASES:
        return Fatal(
            f"Expected the connector {job.topic!r} to give an outcome, but {_MOST_LEASES} workers were lost while it ran. "
            "Do: look at what it is given, and at the workers' logs."
        )
    try:
        return connector.run(_request(runtime, job, connector), _Context(runtime.clock, JobLedger(runtime, job)))
    except LeaseLost:
        raise
    except EngineError as error:
        return Fatal(str(error))
    except ValidationError as error:
        return Fatal(_parameters_refused(job, error))
    except DBAPIError as error:
        # Whatever was sent before stands in the ledger, and the next run looks before it sends anything.
        return Retryable(f"Expected the database to answer, but it failed ({type(error.orig).__name__}). Do: check the database.")
    except Exception as error:
        log.error("connector_failed", job=format_id(Kind.JOB, job.id), topic=job.topic, error=type(error).__name__)
        log.debug("connector_failed", exc_info=True)
        return Fatal(
            f"Expected the connector {job.topic!r} to give an outcome, but it failed with {type(error).__name__}. "
            "Do: run the worker with --debug, and report what it shows."
        )


def _parameters_refused(job: JobRow, error: ValidationError) -> str:
    wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'they'}: {each['msg']}" for each in error.errors(include_input=False))
    return (
        f"Expected parameters that {job.topic} accepts, but {wrong}. "
        f"Do: correct what {job.flow_node!r} passes and deploy; this instance keeps its version, so cancel it and start it anew."
    )


def _request(runtime: Runtime, job: JobRow, connector: Connector) -> JobRequest:
    with runtime.database.reading() as connection:
        instance = instances.get(connection, job.instance)
        definition = runtime.definition(connection, instance.process, instance.version)
    return JobRequest(
        id=format_id(Kind.JOB, job.id),
        topic=job.topic,
        parameters=connector.parameters.model_validate(dict(job.parameters)),
        attempt=job.attempts,
        process=instance.process,
        version=instance.version,
        instance=format_id(Kind.INSTANCE, instance.id),
        flow_node=job.flow_node,
        customer=instance.customer,
        period=instance.period,
        resources=definition.resources,
    )


# --- the commit -----------------------------------------------------------------------------------------------------


def commit_outcome(runtime: Runtime, job: JobRow, outcome: Outcome, by: str) -> JobRow:
    """Store a job's outcome and the BPMN step it causes in one transaction; the job as it is afterwards.

    A charge's result is stored in any case, also when the diagram can't go on with it: then as an incident. Raises
    LeaseLost when somebody else holds the job by now; nothing is stored then.
    """
    with runtime.database.transaction() as connection:
        instance = instances.lock(connection, job.instance, ended_too=True)
        jobs.check_fence(connection, job.id, job.fence)
        commit = _Commit(connection, runtime, job, instance, by)
        commit.charge(getattr(outcome, "charge", None))
        match outcome:
            case Completed() if refused := _outputs_refused(job, outcome):
                commit.incident(refused)
            case Completed():
                commit.step(CompleteJob(job.token, outcome.outputs), "job_completed", {"outputs": dict(outcome.outputs)})
            case BusinessError():
                details = {"error": outcome.code, "reason": outcome.message}
                commit.step(FailJob(job.token, outcome.code, outcome.message), "job_failed", details)
                jobs.note(connection, job.id, f"{outcome.code}: {outcome.message}")
            case Retryable():
                commit.later(outcome.reason, _pause(runtime.configuration.retry_after, job.attempts, outcome.after))
            case Unknown():
                commit.later(outcome.reason, _pause(runtime.configuration.reconcile_after, job.attempts, None))
            case Fatal():
                commit.incident(outcome.reason)
            case _:
                commit.incident(
                    f"Expected the connector {job.topic!r} to give an outcome, but it gave {shown(outcome)}. "
                    "Do: report it to whoever made the connector."
                )
        return jobs.get(connection, job.id)


def _outputs_refused(job: JobRow, outcome: Completed) -> str | None:
    """Why a connector's outputs can't be stored; None where they can."""
    try:
        json.dumps(dict(outcome.outputs))
    except (TypeError, ValueError, RecursionError) as error:
        return (
            f"Expected the connector {job.topic!r} to give outputs that can be stored, but they can't ({error}). "
            "Do: report it to whoever made the connector."
        )
    return None


def _pause(pauses: tuple[timedelta, ...], attempts: int, asked: timedelta | None) -> timedelta | None:
    """The pause before the next attempt, with up to a tenth of jitter so that many don't come back at once."""
    if attempts > len(pauses):
        return None
    pause = max(pauses[attempts - 1], asked or timedelta())
    return pause * (1 + random.random() / 10)  # noqa: S311 - spreads load; nothing secret


@dataclass(frozen=True)
class _Commit:
    """One outcome being committed."""

    connection: Connection
    runtime: Runtime
    job: JobRow
    instance: InstanceRow
    by: str

    def charge(self, result: ChargeResult | None) -> None:
        """Store how a charge stands, with its history entry."""
        if result is None:
            return
        charges.apply(self.connection, result, self.runtime.now())
        charge = charges.find(self.connection, result.charge_key)
        if charge is not None:
            self._note("charge_" + str(charge.state), _charge_details(charge))

    def step(self, trigger: CompleteJob | FailJob, event: str, details: Mapping[str, Any]) -> None:
        """Take the BPMN step; when the diagram can't, keep the job and call a person."""
        executable = self.runtime.executable(self.connection, self.instance.process, self.instance.version)
        cause = (event, {"job": format_id(Kind.JOB, self.job.id), "flow_node": self.job.flow_node, **details})
        try:
            with self.connection.begin_nested():
                state = load_state(self.instance.token_state)
                transition = advance(executable, state, trigger, self.runtime.clock)
                apply_transition(self.connection, self.runtime, self.instance, executable, transition, cause, self.by)
        except EngineError as error:
            self.incident(str(error))
        else:
            incidents.resolve_of_job(self.connection, self.job.id, self.by, self.runtime.now())

    def later(self, reason: str, pause: timedelta | None) -> None:
        """Try again after a pause; after the last one a person is needed."""
        if pause is None:
            self.incident(reason)
            return
        run_at = self.runtime.now() + pause
        jobs.postpone(self.connection, self.job.id, run_at, reason)
        self._note("job_postponed", {"reason": reason, "next_at": run_at.isoformat()})

    def incident(self, reason: str) -> None:
        """No worker takes the job any more; a person is told."""
        jobs.fail(self.connection, self.job.id, reason)
        number = incidents.add(
            self.connection,
            {
                "instance_id": self.instance.id,
                "job_id": self.job.id,
                "flow_node": self.job.flow_node,
                "message": reason,
                "tried": self.job.attempts,
                "created_at": self.runtime.now(),
            },
        )
        self._note("incident_created", {"incident": format_id(Kind.INCIDENT, number), "reason": reason})

    def _note(self, event: str, details: Mapping[str, Any]) -> None:
        entry = {"job": format_id(Kind.JOB, self.job.id), "flow_node": self.job.flow_node, **details}
        history.append(self.connection, self.instance.id, self.runtime.now(), self.by, [(event, entry)])


def _charge_details(charge: Charge) -> dict[str, Any]:
    request = charge.request
    return {
        "amount": request.amount,
        "currency": request.currency,
        "approved_by": request.approved_by,
        "intent": charge.intent,
        "attempt": charge.attempt,
        "reason": charge.reason,
    }
