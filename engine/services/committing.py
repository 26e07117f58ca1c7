"""Commit a job's outcome and the BPMN step that it causes, in one transaction."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from engine.connector import (
    BusinessError,
    Charge,
    ChargeResult,
    Completed,
    Fatal,
    Outcome,
    RefundResult,
    Retryable,
    Unknown,
)
from engine.errors import EngineError, LeaseLost
from engine.execution.advance import advance
from engine.execution.state import load_state
from engine.execution.transition import CompleteJob, FailJob
from engine.model.identifiers import Kind, format_id
from engine.model.moment import format_moment
from engine.model.text import shown, with_remedy
from engine.services import refunding
from engine.services.applying import apply_transition
from engine.services.job_running import MOST_LOSSES
from engine.services.raising import Trouble, raise_incident, unexpected
from engine.services.runtime import Runtime
from engine.store import charges, history, incidents, jobs
from engine.store.database import may_pass
from engine.store.instances import InstanceRow
from engine.store.jobs import JobRow
from engine.store.sending import savepoint

log = structlog.get_logger("run_process.worker")


def commit_outcome(runtime: Runtime, job: JobRow, outcome: Outcome, by: str) -> JobRow:
    """Store a job's outcome and the BPMN step it causes; the job as it is afterwards.

    A charge's or refund's result is stored in any case, also when the diagram can't go on with it: then as an incident. What
    fails here in an unexpected way is an incident too. Raises LeaseLost when somebody else holds the job by now, and what the
    database raises while it can't be used: nothing is stored then.
    """
    money = _Money(getattr(outcome, "charge", None), getattr(outcome, "refund", None))
    try:
        with runtime.database.transaction() as connection:
            commit = _begin(connection, runtime, job, by, money)
            commit.money(money)
            return commit.outcome(outcome) or jobs.get(connection, job.id)
    except _CantGoOn as stuck:  # all of it was taken back, the charge's result as well
        kind, what = stuck.kind, stuck.what
    except Exception as error:
        if isinstance(error, LeaseLost) or may_pass(error):
            raise
        log.error("commit_failed", job=format_id(Kind.JOB, job.id), error=type(error).__name__)
        log.debug("commit_failed", exc_info=True)
        kind, what = incidents.DEFECT, unexpected(error)
    with runtime.database.transaction() as connection:
        commit = _begin(connection, runtime, job, by, money)
        _record(commit, money)
        commit.incident(kind, what)
        return jobs.get(connection, job.id)


@dataclass(frozen=True, slots=True)
class _Money:
    """What an outcome says of money: how a charge ended, and a refund."""

    charge: ChargeResult | None
    refund: RefundResult | None


def _record(commit: _Commit, money: _Money) -> None:
    """The results beside an incident. Where even that fails, the row stays in doubt and the incident tells of it."""
    try:
        with savepoint(commit.connection):
            commit.money(money)
    except Exception as error:
        if may_pass(error):
            raise
        log.error("charge_not_recorded", job=format_id(Kind.JOB, commit.job.id), error=type(error).__name__)


class _CantGoOn(Exception):
    """The outcome is there, but the step that it causes can't be taken."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind, self.what = kind, what


def _begin(connection: Connection, runtime: Runtime, job: JobRow, by: str, money: _Money) -> _Commit:
    if money.refund is not None:
        refunding.lock_both(connection, job.instance, money.refund.refund_key)
    instance, held = jobs.lock_with_instance(connection, job.id)
    jobs.check_fence(held, job.id, job.fence)
    return _Commit(connection, runtime, job, instance, by)


@dataclass(frozen=True)
class _Commit:
    """One outcome being committed; the instance is locked, the lease is ours."""

    connection: Connection
    runtime: Runtime
    job: JobRow
    instance: InstanceRow
    by: str

    def money(self, money: _Money) -> None:
        """Store how a charge and a refund stand, with their history entries."""
        if money.charge is not None:
            self._charge(money.charge)
        if money.refund is not None:
            refunding.record(self.connection, self.job, money.refund, self.runtime.now(), self.by)

    def _charge(self, result: ChargeResult) -> None:
        charges.apply(self.connection, result, self.runtime.now())
        charge = charges.find(self.connection, result.charge_key)
        if charge is not None:
            self._note("charge_" + str(charge.state), charge_details(charge))

    def outcome(self, outcome: Outcome) -> JobRow | None:
        """Do what the outcome asks for; the job as it is afterwards, where that is known without a look."""
        match outcome:
            case Completed() if refused := _outputs_refused(self.job, outcome):
                self.incident(incidents.REFUSED, refused)
            case Completed():
                trigger = CompleteJob(self.job.token, outcome.outputs)
                at = self.step(trigger, "job_completed", {"outputs": dict(outcome.outputs)})
                return replace(self.job, state=jobs.DONE, ended_at=at, lease_until=None, worker=None, last_error=None)
            case BusinessError():
                details = {"error": outcome.code, "reason": outcome.message}
                if outcome.general is not None:
                    details["general"] = outcome.general
                self.step(FailJob(self.job.token, outcome.code, outcome.message, outcome.general), "job_failed", details)
                jobs.note(self.connection, self.job.id, f"{outcome.code}: {outcome.message}")
            case Retryable():
                self._retry(outcome)
            case Unknown():
                self._look_up(outcome)
            case Fatal():
                self.incident(incidents.LOST if self.job.losses > MOST_LOSSES else incidents.REFUSED, outcome.reason)
            case _:
                self.incident(
                    incidents.REFUSED,
                    f"Expected the connector {self.job.topic!r} to give an outcome, but it gave {shown(outcome)}. "
                    "Do: report it to whoever made the connector.",
                )
        return None

    def step(self, trigger: CompleteJob | FailJob, event: str, details: Mapping[str, Any]) -> datetime:
        """Take the BPMN step, and give the moment that it stands under. Raises _CantGoOn when the diagram can't."""
        executable = self.runtime.executable(self.connection, self.instance.process, self.instance.version)
        cause = (event, {"job": format_id(Kind.JOB, self.job.id), "flow_node": self.job.flow_node, **details})
        try:
            transition = advance(executable, load_state(self.instance.token_state), trigger, self.runtime.clock)
            return apply_transition(self.connection, self.runtime, self.instance, executable, transition, cause, self.by)
        except EngineError as error:
            raise _CantGoOn(incidents.STUCK, str(error)) from error
        except Exception as error:
            if may_pass(error):
                raise
            log.error("step_failed", job=format_id(Kind.JOB, self.job.id), error=type(error).__name__)
            log.debug("step_failed", exc_info=True)
            raise _CantGoOn(incidents.DEFECT, unexpected(error)) from error

    def incident(self, kind: str, what: str) -> None:
        """No worker takes the job any more; a person is told."""
        jobs.fail(self.connection, self.job.id, what)
        raise_incident(self.connection, self.runtime, self.instance.id, Trouble.of_job(self.job, kind, what), self.by)

    def _retry(self, outcome: Retryable) -> None:
        """Try again after a pause; after the last one a person is needed."""
        pauses = self.runtime.configuration.retry_after
        if not outcome.counts:
            self._postpone(outcome.reason, outcome.after or pauses[0], self.job.failures, self.job.look_ups)
        elif self.job.failures < len(pauses):
            pause = max(pauses[self.job.failures], outcome.after or timedelta())
            self._postpone(outcome.reason, pause, self.job.failures + 1, self.job.look_ups)
        else:
            remedy = f"see to it that {self.job.topic} can do its work, then retry."
            self.incident(incidents.EXHAUSTED, with_remedy(outcome.reason, remedy))

    def _look_up(self, outcome: Unknown) -> None:
        """Find out later; after the last look-up a person is needed."""
        pauses = self.runtime.configuration.reconcile_after
        if self.job.look_ups < len(pauses):
            self._postpone(outcome.reason, pauses[self.job.look_ups], self.job.failures, self.job.look_ups + 1)
        else:
            remedy = "find out outside what happened; retry looks it up again, resolve records what you know."
            self.incident(incidents.IN_DOUBT, with_remedy(outcome.reason, remedy))

    def _postpone(self, reason: str, pause: timedelta, failures: int, look_ups: int) -> None:
        """With up to a tenth of jitter, so that many don't come back at once."""
        run_at = self.runtime.now() + pause * (1 + random.random() / 10)  # noqa: S311 - spreads load; nothing secret
        jobs.postpone(self.connection, self.job.id, run_at, reason, failures=failures, look_ups=look_ups)
        if (failures, look_ups) != (self.job.failures, self.job.look_ups):  # what is put off for a moment is no event
            self._note("job_postponed", {"reason": reason, "next_at": format_moment(run_at)})

    def _note(self, event: str, details: Mapping[str, Any]) -> None:
        entry = {"job": format_id(Kind.JOB, self.job.id), "flow_node": self.job.flow_node, **details}
        history.append(self.connection, self.instance.id, self.runtime.now(), self.by, [(event, entry)])


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


def charge_details(charge: Charge) -> dict[str, Any]:
    """What history keeps of a charge. The amount is in minor units."""
    request = charge.request
    return {
        "amount": request.amount,
        "currency": request.currency,
        "approved_by": request.approved_by,
        "intent": charge.intent,
        "attempt": charge.attempt,
        "reason": charge.reason,
    }
