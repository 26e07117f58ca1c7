"""Incidents: work that went on as far as it could and now needs a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, update

from engine.model.identifiers import Kind, unknown
from engine.store.tables import incidents, instances

REFUSED = "refused"  # the connector says that no retry can help
EXHAUSTED = "exhausted"  # every attempt that the retry policy allows has failed
IN_DOUBT = "in_doubt"  # whether it happened is still unknown after the last look-up
LOST = "lost"  # the workers that had it died, one after the other
STUCK = "stuck"  # it is done, but the diagram can't go on with the data at hand
UNDELIVERED = "undelivered"  # a thrown message started nothing
DEFECT = "defect"  # this program failed in an unexpected way
KINDS = (REFUSED, EXHAUSTED, IN_DOUBT, LOST, STUCK, UNDELIVERED, DEFECT)

TRIED_AGAIN, DONE_AFTER_ALL = "tried again", "done after all"  # how an incident is resolved where nobody gives a reason

_SHOWN = select(incidents, instances.c.customer, instances.c.period).join(instances, instances.c.id == incidents.c.instance_id)
_RESOLVE = update(incidents).where(incidents.c.resolved_at.is_(None))
_RESOLVE_OF_JOB = _RESOLVE.where(incidents.c.job_id == bindparam("of_job"))  # asked in every step, built once; see the package


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """What happened to which job, message, timer or call, how often it had been tried, and who resolved it, how. `message` is a
    hand-over, `sent_message` any other. `customer` and `period` are its instance's.
    """

    id: int
    instance: int
    job: int | None
    message: int | None
    timer: int | None
    kind: str
    flow_node: str
    what: str
    tried: int
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None
    sent_message: int | None
    call: int | None
    customer: str | None
    period: str | None


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store an incident and give its number."""
    inserted = connection.execute(insert(incidents).values(**values))
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def get(connection: Connection, number: int) -> IncidentRow:
    """One incident. Raises NotFound."""
    row = connection.execute(_SHOWN.where(incidents.c.id == number)).first()
    if row is None:
        raise unknown(Kind.INCIDENT, number)
    return IncidentRow(*row)


def resolve(connection: Connection, number: int, by: str, at: datetime, resolution: str) -> None:
    """Resolve an incident, if it is open. `resolution` is the reason that a person gave, or TRIED_AGAIN."""
    values = {"resolved_at": at, "resolved_by": by, "resolution": resolution}
    connection.execute(_RESOLVE.where(incidents.c.id == number), values)


def resolve_of_job(connection: Connection, job: int, by: str, at: datetime) -> None:
    """Resolve the open incidents of a job."""
    connection.execute(_RESOLVE_OF_JOB, {"of_job": job, "resolved_at": at, "resolved_by": by, "resolution": DONE_AFTER_ALL})


def resolve_of_timer(connection: Connection, timer: int, by: str, at: datetime) -> None:
    """Resolve the open incidents of a timer."""
    values = {"resolved_at": at, "resolved_by": by, "resolution": DONE_AFTER_ALL}
    connection.execute(_RESOLVE.where(incidents.c.timer_id == timer), values)


def resolve_of_sent_messages(connection: Connection, messages: Sequence[int], by: str, at: datetime) -> None:
    """Resolve the open incidents of messages that nobody waits for any more."""
    values = {"resolved_at": at, "resolved_by": by, "resolution": DONE_AFTER_ALL}
    connection.execute(_RESOLVE.where(incidents.c.sent_message_id.in_(messages)), values)


def resolve_of_call(connection: Connection, call: int, by: str, at: datetime) -> None:
    """Resolve the open incidents of a call."""
    values = {"resolved_at": at, "resolved_by": by, "resolution": DONE_AFTER_ALL}
    connection.execute(_RESOLVE.where(incidents.c.call_id == call), values)


def has_open(connection: Connection, sent_message: int) -> bool:
    """Whether an open incident is about this message."""
    query = select(incidents.c.id).where(incidents.c.sent_message_id == sent_message, incidents.c.resolved_at.is_(None))
    return connection.execute(query).first() is not None


def listing(connection: Connection, *, instance: int | None = None, resolved: bool = False) -> list[IncidentRow]:
    """Incidents, oldest first: the open ones, or with `resolved` all."""
    query: Select[Any] = _SHOWN.order_by(incidents.c.id)
    if not resolved:
        query = query.where(incidents.c.resolved_at.is_(None))
    if instance is not None:
        query = query.where(incidents.c.instance_id == instance)
    return [IncidentRow(*row) for row in connection.execute(query)]
