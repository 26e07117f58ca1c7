"""What a person decides about an incident, and ending an instance by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Connection

from engine.connector import ChargeState, Connector, Value
from engine.errors import ChargeInDoubt, DataRefused, EngineError, InstanceNotActive, NotFound
from engine.execution.state import load_state
from engine.execution.transition import CompleteJob, FailJob
from engine.model.identifiers import Kind, format_id, parse_id
from engine.model.text import did_you_mean, shown, with_remedy
from engine.services import ending, refunding, settling
from engine.services.applying import apply_transition
from engine.services.row_forms import incident_json
from engine.services.runtime import Runtime
from engine.store import calls, charges, history, incidents, instances, jobs, messages, refunds, sent_messages, timers
from engine.store.incidents import IncidentRow
from engine.store.instances import InstanceRow

# An intent in one of these states has moved no money and cannot do so without another confirmation of ours.
_HARMLESS = {ChargeState.PREPARED, ChargeState.CREATED, ChargeState.DECLINED, ChargeState.CANCELED}


def open_incidents(runtime: Runtime, *, resolved: bool = False) -> list[dict[str, Any]]:
    """The open incidents, oldest first; with `resolved` all."""
    with runtime.database.reading() as connection:
        return [incident_json(row) for row in incidents.listing(connection, resolved=resolved)]


def retry(runtime: Runtime, incident_id: str, by: str) -> dict[str, Any]:
    """Give an incident's job, message, timer or call back to the workers, with all its attempts; the incident as it is then.

    Raises NotFound, InstanceNotActive (resolved before, or the instance has ended), and DataRefused for an incident that only
    tells something.
    """
    number = parse_id(Kind.INCIDENT, incident_id)
    with runtime.database.transaction() as connection:
        incident = _open_incident(connection, number)
        now = runtime.now()
        if incident.job is not None:
            instances.lock(connection, incident.instance)
            jobs.put_back(connection, incident.job, now)
        elif incident.message is not None:
            messages.put_back(connection, incident.message, now)
        elif incident.sent_message is not None:
            sent_messages.postpone(connection, incident.sent_message, now)
        elif incident.timer is not None:
            timers.put_back(connection, incident.timer, now)
        elif incident.call is not None:
            calls.postpone(connection, incident.call, now)
        else:
            raise DataRefused(
                f"Expected work that can be tried again, but {incident_id} only tells what happened. "
                f"Do: run-process resolve {incident_id} --reason 'what you did about it'."
            )
        incidents.resolve(connection, number, by, now, incidents.TRIED_AGAIN)
        details = {"incident": incident_id, "flow_node": incident.flow_node}
        history.append(connection, incident.instance, now, by, [("incident_retried", details)])
        return incident_json(incidents.get(connection, number))


def put_back(runtime: Runtime, named: str, by: str) -> dict[str, Any]:
    """Have the work done now that an incident, or a job, message or timer with an open incident, names; or a job that waits for
    its next attempt. The incident as it is afterwards; for such a job what it would have in common with one.

    A message from outside that failed to start an instance has no incident, since there is no instance to have one.

    Raises what `retry` does, and NotFound for work that neither has an open incident nor waits.
    """
    if named.startswith(Kind.JOB) and (waiting := _hurry(runtime, named, by)) is not None:
        return waiting
    if named.startswith(Kind.SENT_MESSAGE) and (again := _send_again(runtime, named)) is not None:
        return again
    return retry(runtime, incident_of(runtime, named), by)


def _hurry(runtime: Runtime, job_id: str, by: str) -> dict[str, Any] | None:
    number = parse_id(Kind.JOB, job_id)
    with runtime.database.transaction() as connection:
        instance = instances.lock(connection, jobs.get(connection, number).instance, ended_too=True)
        now = runtime.now()
        if not jobs.hurry(connection, number, now):
            return None
        details = {"job": job_id, "flow_node": jobs.get(connection, number).flow_node}
        history.append(connection, instance.id, now, by, [("job_hurried", details)])
    of = {"instance": format_id(Kind.INSTANCE, instance.id), "customer": instance.customer, "period": instance.period}
    return {"id": None, **of, "job": job_id, "message": None, "timer": None, "call": None}


def _send_again(runtime: Runtime, message_id: str) -> dict[str, Any] | None:
    number = parse_id(Kind.SENT_MESSAGE, message_id)
    with runtime.database.transaction() as connection:
        message = sent_messages.lock(connection, number)
        of_instance = message.instance is not None or message.subscription is not None
        if message.state != sent_messages.FAILED or of_instance or incidents.has_open(connection, number):
            return None
        sent_messages.postpone(connection, number, runtime.now())
    of = {"instance": None, "customer": None, "period": None}
    return {"id": None, **of, "job": None, "message": message_id, "timer": None, "call": None}


@dataclass(frozen=True, slots=True)
class Done:
    """A person says that a job's work was done otherwise. `outputs` are its results, as the connector would have named them."""

    outputs: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """A person says that a job ended in a BPMN error, for the error boundary event with this code."""

    code: str


Verdict: TypeAlias = "Done | Ended | None"


def resolve(runtime: Runtime, incident_id: str, reason: str, by: str, verdict: Verdict = None) -> dict[str, Any]:
    """Record that a person has dealt with an incident otherwise, and let its instance go on accordingly.

    A message is not delivered any more. A job needs a verdict; a charge of its that is in doubt is settled by it, and a bill that
    it was to charge or settle is paid when it is done. Raises NotFound, InstanceNotActive (resolved before, or the instance has
    ended), DataRefused without a reason or a fitting verdict, ConfigurationInvalid, and whatever keeps the diagram from going on:
    nothing is stored then.
    """
    number = parse_id(Kind.INCIDENT, incident_id)
    if not reason.strip():
        raise DataRefused("Expected a reason for resolving, but it is empty. Do: --reason 'why'.")
    with runtime.database.transaction() as connection:
        incident = _open_incident(connection, number)
        now = runtime.now()
        incidents.resolve(connection, number, by, now, reason)
        details = {"incident": incident_id, "flow_node": incident.flow_node, "reason": reason}
        history.append(connection, incident.instance, now, by, [("incident_resolved", details)])
        if incident.job is not None:
            _end_job(connection, runtime, incident.instance, incident.job, verdict, reason, by)
            return incident_json(incidents.get(connection, number))
        if incident.timer is not None or incident.call is not None or verdict is not None:
            raise _unfitting(incident_id, incident)
        if incident.message is not None:
            messages.settle(connection, incident.message)
        if incident.sent_message is not None:
            sent_messages.settle(connection, incident.sent_message, reason)
        return incident_json(incidents.get(connection, number))


def _unfitting(incident_id: str, incident: IncidentRow) -> DataRefused:
    instance = format_id(Kind.INSTANCE, incident.instance)
    if incident.timer is not None or incident.call is not None:
        what = "a timer" if incident.timer is not None else "a call"
        return DataRefused(
            f"Expected an incident that a reason ends, but {incident_id} is one of {what}, and its instance waits for it. "
            f"Do: run-process retry {incident_id}, or run-process cancel {instance} --reason TEXT."
        )
    return DataRefused(f"Expected the incident of a job for --done or --error, but {incident_id} is none. Do: leave them out.")


def _end_job(
    connection: Connection, runtime: Runtime, instance_number: int, number: int, verdict: Verdict, reason: str, by: str
) -> None:
    from engine.execution.advance import advance  # loads the execution library, which listings don't need

    job, instance = jobs.get(connection, number), instances.lock(connection, instance_number)
    event: dict[str, Any] = {"job": format_id(Kind.JOB, number), "flow_node": job.flow_node, "reason": reason}
    trigger: CompleteJob | FailJob
    match verdict:
        case Done(outputs):
            _refuse_unknown("output", outputs, runtime.connectors.get(job.topic), "outputs")
            outputs = settling.with_intent(connection, runtime, job, outputs)
            outputs = refunding.with_results(connection, runtime, job, outputs)
            settled, trigger, event = ChargeState.SUCCEEDED, CompleteJob(job.token, outputs), {**event, "outputs": dict(outputs)}
        case Ended(code):
            _refuse_unknown("error", [code], runtime.connectors.get(job.topic), "errors")
            settled, trigger, event = ChargeState.DECLINED, FailJob(job.token, code, reason), {**event, "error": code}
        case None:
            raise DataRefused(
                f"Expected to be told how {format_id(Kind.JOB, number)} ended, because its instance waits for it. "
                "Do: --done (with --set for its results), --error CODE, or run-process retry, or run-process cancel."
            )
    settling.settle_charges(connection, runtime, job, instance, settled, reason, by)
    made = trigger.outputs if isinstance(trigger, CompleteJob) else None
    refunding.settle_by_hand(connection, runtime, job, made, reason, by)
    executable = runtime.executable(connection, instance.process, instance.version)
    try:
        transition = advance(executable, load_state(instance.token_state), trigger, runtime.clock)
    except EngineError as error:
        if not isinstance(verdict, Done):
            raise
        named = ", ".join(getattr(runtime.connectors.get(job.topic), "outputs", {})) or "nothing"
        remedy = f"give the results that the diagram needs with --set NAME=VALUE; {job.topic} gives {named}."
        raise DataRefused(with_remedy(str(error), remedy)) from error
    apply_transition(connection, runtime, instance, executable, transition, ("job_resolved", event), by)


def _refuse_unknown(what: str, given: Iterable[str], connector: Connector | None, kind: str) -> None:
    known = getattr(connector, kind, {})
    for name in given:
        if connector is not None and name not in known:
            raise DataRefused(f"Expected an {what} of {connector.topic}, but {shown(name)} is none. {did_you_mean(name, known)}")


def _open_incident(connection: Connection, number: int) -> IncidentRow:
    """The incident, with its instance kept from changing: of two who act on it at once, the second finds it resolved."""
    found = incidents.get(connection, number)
    if found.message is not None:
        messages.lock(connection, found.message)
    if found.sent_message is not None:
        sent_messages.lock(connection, found.sent_message)
    if found.job is not None:
        refunding.lock_both(connection, found.instance, format_id(Kind.JOB, found.job))
    instances.lock(connection, found.instance, ended_too=True)
    incident = incidents.get(connection, number)
    if incident.resolved_at is not None:
        raise InstanceNotActive(
            f"Expected {format_id(Kind.INCIDENT, number)} to be open, but {incident.resolved_by} resolved it. "
            "Do: run-process incidents."
        )
    return incident


def cancel(runtime: Runtime, instance_id: str, reason: str, by: str) -> bool:
    """End an instance by hand. True when that frees its bill, so that the period can be started again: nothing was charged or
    given back, and nothing was handed over. What it has called ends as well; one that was called itself is its
    caller's to end.

    Raises NotFound, InstanceNotActive, DataRefused without a reason or for one that was called, and ChargeInDoubt while the
    outcome of a charge or refund of its isn't known.
    """
    number = parse_id(Kind.INSTANCE, instance_id)
    if not reason.strip():
        raise DataRefused("Expected a reason for cancelling, but it is empty. Do: --reason 'why'.")
    with runtime.database.transaction() as connection:
        instance = instances.lock(connection, number)
        _refuse_called(connection, instance)
        # Without its jobs nobody can begin a confirmation any more, so what the ledger says now stays true.
        ending.close_work(connection, number, by, reason, runtime.now())
        refunding.refuse_doubt(connection, number)
        states = {charge.state for charge in charges.touched_by(connection, number)}
        if any(state.in_doubt for state in states):
            raise ChargeInDoubt(
                f"Expected no charge of {instance_id} under way, but the outcome of one isn't known yet. "
                "Do: run-process charges says when a worker looks it up next, or which incident to retry or resolve; then decide."
            )
        now = runtime.now()
        instances.save(connection, instance, instance.token_state, {"state": instances.CANCELLED, "ended_at": now})
        refunds.give_up_prepared(connection, number, now)
        gave_back = any(refund.state.gives_back for refund in refunds.touched_by(connection, number))
        untouched = not states - _HARMLESS and not gave_back and not messages.count_thrown(connection, number)
        freed = untouched and instance.period is not None  # a process that doesn't repeat has no bill
        if freed:
            instances.free_bill(connection, number)
        history.append(connection, number, now, by, [("instance_cancelled", {"reason": reason, "bill_freed": freed})])
        return freed


def _refuse_called(connection: Connection, instance: InstanceRow) -> None:
    call = calls.calling(connection, instance.id) if ending.is_called(instance) else None
    if call is not None:
        named, caller = format_id(Kind.INSTANCE, instance.id), format_id(Kind.INSTANCE, call.instance)
        raise DataRefused(
            f"Expected an instance that stands by itself, but {named} was called by {caller}, which waits for it at "
            f"{call.flow_node!r}. Do: bring {named} to an end of its own, or run-process cancel {caller} --reason TEXT, which "
            "ends both."
        )


def incident_of(runtime: Runtime, text: str) -> str:
    """The open incident of a job, message, timer or call id, or the incident id itself. Raises NotFound where it has none."""
    kinds = {str(kind): kind for kind in (Kind.JOB, Kind.MESSAGE, Kind.SENT_MESSAGE, Kind.TIMER, Kind.CALL)}
    if kind := kinds.get(text[:1]):
        column = kind.name.lower()
        number = parse_id(kind, text)
        with runtime.database.reading() as connection:
            for incident in incidents.listing(connection):
                if getattr(incident, column) == number:
                    return format_id(Kind.INCIDENT, incident.id)
        raise NotFound(f"Expected an open incident of {text}, but there is none. Do: run-process incidents.")
    return text
