"""Incidents, retries, and ending an instance by hand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from engine.connector import ChargeState
from engine.errors import ChargeInDoubt, DataRefused, InstanceNotActive, NotFound
from engine.model.identifiers import Kind, format_id, parse_id
from engine.services.runtime import Runtime
from engine.services.views import incident_json
from engine.store import charges, history, incidents, instances, jobs, messages, user_tasks
from engine.store.incidents import IncidentRow

# An intent in one of these states has moved no money and cannot do so without another confirmation of ours.
_HARMLESS = {ChargeState.PREPARED, ChargeState.CREATED, ChargeState.DECLINED, ChargeState.CANCELED}


def open_incidents(runtime: Runtime, *, resolved: bool = False) -> list[dict[str, Any]]:
    """The open incidents, oldest first; with `resolved` all."""
    with runtime.database.reading() as connection:
        return [incident_json(row) for row in incidents.listing(connection, resolved=resolved)]


def retry(runtime: Runtime, incident_id: str, by: str) -> dict[str, Any]:
    """Give an incident's job or message back to the workers with all its attempts; the incident as it is afterwards.

    Raises NotFound, InstanceNotActive (resolved before, or the instance has ended).
    """
    number = parse_id(Kind.INCIDENT, incident_id)
    with runtime.database.transaction() as connection:
        incident = _open_incident(connection, number)
        now = runtime.now()
        if incident.job is not None:
            instances.lock(connection, incident.instance)
            jobs.put_back(connection, incident.job, now)
        if incident.message is not None:
            messages.put_back(connection, incident.message, now)
        incidents.resolve(connection, number, by, now)
        details = {"incident": incident_id, "flow_node": incident.flow_node}
        history.append(connection, incident.instance, now, by, [("incident_retried", details)])
        return incident_json(incidents.get(connection, number))


def resolve(runtime: Runtime, incident_id: str, reason: str, by: str) -> dict[str, Any]:
    """Record that a person has dealt with an undelivered message otherwise; it will not be delivered any more.

    Raises NotFound, InstanceNotActive (resolved before), DataRefused without a reason, and for a job's incident: an instance
    that waits for a job goes on by `retry` or ends by `cancel`.
    """
    number = parse_id(Kind.INCIDENT, incident_id)
    if not reason.strip():
        raise DataRefused("Expected a reason for resolving, but it is empty. Do: --reason 'why'.")
    with runtime.database.transaction() as connection:
        incident = _open_incident(connection, number)
        if incident.message is None:
            raise DataRefused(
                f"Expected the incident of a message, but {incident_id} is one of a job, and its instance waits for it. "
                f"Do: run-process retry {incident_id}, or run-process cancel {format_id(Kind.INSTANCE, incident.instance)}."
            )
        now = runtime.now()
        messages.settle(connection, incident.message)
        incidents.resolve(connection, number, by, now)
        details = {"incident": incident_id, "flow_node": incident.flow_node, "reason": reason}
        history.append(connection, incident.instance, now, by, [("incident_resolved", details)])
        return incident_json(incidents.get(connection, number))


def _open_incident(connection: Connection, number: int) -> IncidentRow:
    """The incident, with its instance kept from changing: of two who act on it at once, the second finds it resolved."""
    found = incidents.get(connection, number)
    if found.message is not None:
        messages.lock(connection, found.message)
    instances.lock(connection, found.instance, ended_too=True)
    incident = incidents.get(connection, number)
    if incident.resolved_at is not None:
        raise InstanceNotActive(
            f"Expected {format_id(Kind.INCIDENT, number)} to be open, but {incident.resolved_by} resolved it. "
            "Do: run-process incidents."
        )
    return incident


def cancel(runtime: Runtime, instance_id: str, reason: str, by: str) -> bool:
    """End an instance by hand. True when that frees its bill, so that the period can be started again: nothing was charged,
    and nothing was handed over.

    Raises NotFound, InstanceNotActive, DataRefused without a reason, and ChargeInDoubt while its charge's outcome isn't known.
    """
    number = parse_id(Kind.INSTANCE, instance_id)
    if not reason.strip():
        raise DataRefused("Expected a reason for cancelling, but it is empty. Do: --reason 'why'.")
    with runtime.database.transaction() as connection:
        instance = instances.lock(connection, number)
        # Without its jobs nobody can begin a confirmation any more, so what the ledger says now stays true.
        _close_work(connection, number, by, runtime)
        states = {charge.state for charge in charges.touched_by(connection, number)}
        if any(state.in_doubt for state in states):
            raise ChargeInDoubt(
                f"Expected no charge of {instance_id} under way, but the outcome of one isn't known yet. "
                "Do: run-process work --until-idle (after run-process retry, where it has an incident), then decide."
            )
        now = runtime.now()
        instances.save(connection, instance, instance.token_state, {"state": instances.CANCELLED, "ended_at": now})
        freed = not states - _HARMLESS and not messages.count_thrown(connection, number)
        if freed:
            instances.free_bill(connection, number)
        history.append(connection, number, now, by, [("instance_cancelled", {"reason": reason, "bill_freed": freed})])
        return freed


def _close_work(connection: Connection, number: int, by: str, runtime: Runtime) -> None:
    now = runtime.now()
    user_tasks.withdraw_all(connection, number, now)
    jobs.withdraw_all(connection, number, now)
    for incident in incidents.listing(connection, instance=number):
        if incident.job is not None:
            incidents.resolve(connection, incident.id, by, now)


def incident_of(runtime: Runtime, text: str) -> str:
    """The open incident of a job or message id, or the incident id itself. Raises NotFound when that one has none."""
    kinds = {Kind.JOB.value: ("job", Kind.JOB), Kind.MESSAGE.value: ("message", Kind.MESSAGE)}
    if text[:1] in kinds:
        column, kind = kinds[text[:1]]
        number = parse_id(kind, text)
        with runtime.database.reading() as connection:
            for incident in incidents.listing(connection):
                if getattr(incident, column) == number:
                    return format_id(Kind.INCIDENT, incident.id)
        raise NotFound(f"Expected an open incident of {text}, but there is none. Do: run-process incidents.")
    return text
