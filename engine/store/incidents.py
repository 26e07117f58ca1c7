"""Incidents: work that went on as far as it could and now needs a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, update

from engine.model.identifiers import Kind, unknown
from engine.store.tables import incidents

_RESOLVE = update(incidents).where(incidents.c.resolved_at.is_(None))
_RESOLVE_OF_JOB = _RESOLVE.where(incidents.c.job_id == bindparam("of_job"))  # asked in every step, built once; see the package


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """What happened to which job or message, how often it had been tried, and who resolved it."""

    id: int
    instance: int
    job: int | None
    message: int | None
    flow_node: str
    what: str
    tried: int
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store an incident and give its number."""
    inserted = connection.execute(insert(incidents).values(**values))
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def get(connection: Connection, number: int) -> IncidentRow:
    """One incident. Raises NotFound."""
    row = connection.execute(select(incidents).where(incidents.c.id == number)).first()
    if row is None:
        raise unknown(Kind.INCIDENT, number)
    return IncidentRow(*row)


def resolve(connection: Connection, number: int, by: str, at: datetime) -> None:
    """Resolve an incident, if it is open."""
    connection.execute(_RESOLVE.where(incidents.c.id == number), {"resolved_at": at, "resolved_by": by})


def resolve_of_job(connection: Connection, job: int, by: str, at: datetime) -> None:
    """Resolve the open incidents of a job."""
    connection.execute(_RESOLVE_OF_JOB, {"of_job": job, "resolved_at": at, "resolved_by": by})


def listing(connection: Connection, *, instance: int | None = None, resolved: bool = False) -> list[IncidentRow]:
    """Incidents, oldest first: the open ones, or with `resolved` all."""
    query: Select[Any] = select(incidents).order_by(incidents.c.id)
    if not resolved:
        query = query.where(incidents.c.resolved_at.is_(None))
    if instance is not None:
        query = query.where(incidents.c.instance_id == instance)
    return [IncidentRow(*row) for row in connection.execute(query)]
