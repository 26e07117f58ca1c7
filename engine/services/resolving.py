"""Incidents, retries, and ending an instance by hand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from engine.connector import ChargeState
from engine.errors import DataRefused, InstanceNotActive, NotFound
from engine.model.identifiers import Kind, format_id, parse_id
from engine.services.runtime import Runtime
from engine.services.views import incident_json
from engine.store import charges, history, incidents, instances, jobs, messages, user_tasks

# An intent in one of these states has moved no money and cannot do so without another confirmation of ours.
_HARMLESS = {ChargeState.PREPARED, ChargeState.CREATED, ChargeState.DECLINED, ChargeState.CANCELED}
_IN_DOUBT = {ChargeState.CONFIRMING, ChargeState.UNKNOWN}


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
        incident = incidents.get(connection, number)
        if incident.resolved_at is not None:
            raise InstanceNotActive(
                f"Expected {incident_id} to be open, but {incident.resolved_by} resolved it. Do: run-process incidents."
            )
        now = runtime.now()
        if incident.job is not None:
            instances.lock(connection, incident.instance)
            jobs.put_back(connection, incident.job, now, None, attempts=0)
        if incident.message is not None:
            messages.put_back(connection, incident.message, now)
        incidents.resolve(connection, number, by, now)
        details = {"incident": incident_id, "flow_node": incident.flow_node}
        history.append(connection, incident.instance, now, by, [("incident_retried", details)])
        return incident_json(incidents.get(connection, number))


def cancel(runtime: Runtime, instance_id: str, reason: str, by: str) -> bool:
    """End an instance by hand. True when that frees its bill, so that the period can be started again.

    Raises NotFound, InstanceNotActive, and DataRefused without a reason or while its charge is in doubt.
    """
    number = parse_id(Kind.INSTANCE, instance_id)
    if not reason.strip():
        raise DataRefused("Expected a reason for cancelling, but it is empty. Do: --reason 'why'.")
    with runtime.database.transaction() as connection:
        instance = instances.lock(connection, number)
        states = {charge.state for charge in charges.touched_by(connection, number)}
        if states & _IN_DOUBT:
            raise DataRefused(
                f"Expected no charge of {instance_id} under way, but the outcome of one isn't known yet. "
                "Do: run-process work --until-idle (after run-process retry, where it has an incident), then decide."
            )
        now = runtime.now()
        _close_work(connection, number, by, runtime)
        instances.save(connection, instance, instance.token_state, {"state": instances.CANCELLED, "ended_at": now})
        freed = not states - _HARMLESS
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
