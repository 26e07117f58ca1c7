"""Incidents: work that went on as far as it could and now needs a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from engine.model.identifiers import Kind, unknown
from engine.store.tables import incidents


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


def resolve(connection: Connection, where: Mapping[str, Any], by: str, at: datetime) -> int:
    """Resolve the open incidents with these column values, and say how many there were."""
    statement = update(incidents).where(incidents.c.resolved_at.is_(None))
    for column, value in where.items():
        statement = statement.where(incidents.c[column] == value)
    return int(connection.execute(statement.values(resolved_at=at, resolved_by=by)).rowcount)


def listing(connection: Connection, *, instance: int | None = None, resolved: bool = False) -> list[IncidentRow]:
    """Incidents, oldest first: the open ones, or with `resolved` all."""
    query: Select[Any] = select(incidents).order_by(incidents.c.id)
    if not resolved:
        query = query.where(incidents.c.resolved_at.is_(None))
    if instance is not None:
        query = query.where(incidents.c.instance_id == instance)
    return [IncidentRow(*row) for row in connection.execute(query)]
