"""Raise an incident: stored in the caller's transaction, with its entry in the instance's history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engine.model.identifiers import Kind, format_id
from engine.services.runtime import Runtime
from engine.store import history, incidents
from engine.store.jobs import JobRow
from engine.store.messages import MessageRow


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a person is called for. `kind` is one of those in `engine.store.incidents`; `tried` is how often it was."""

    kind: str
    what: str
    flow_node: str
    tried: int
    job: int | None = None
    message: int | None = None
    timer: int | None = None
    sent_message: int | None = None
    call: int | None = None

    @classmethod
    def of_job(cls, job: JobRow, kind: str, what: str) -> Trouble:
        """With a job."""
        return cls(kind, what, job.flow_node, job.attempts, job=job.id)

    @classmethod
    def of_message(cls, message: MessageRow, kind: str, what: str) -> Trouble:
        """With a thrown message, at its latest delivery."""
        return cls(kind, what, message.flow_node, message.attempts + 1, message=message.id)


def raise_incident(connection: Connection, runtime: Runtime, instance: int, trouble: Trouble, by: str) -> int:
    """Store an incident of an instance (locked by the caller), and give its number."""
    number, event = _store(connection, instance, trouble, runtime.now())
    history.append(connection, instance, runtime.now(), by, [event])
    return number


def note_incident(connection: Connection, instance: int, trouble: Trouble, now: datetime) -> tuple[str, dict[str, Any]]:
    """Store an incident of an instance (locked by the caller), and give its entry for the history."""
    return _store(connection, instance, trouble, now)[1]


def _store(connection: Connection, instance: int, trouble: Trouble, now: datetime) -> tuple[int, tuple[str, dict[str, Any]]]:
    number = incidents.add(
        connection,
        {
            "instance_id": instance,
            "job_id": trouble.job,
            "message_id": trouble.message,
            "timer_id": trouble.timer,
            "sent_message_id": trouble.sent_message,
            "call_id": trouble.call,
            "kind": trouble.kind,
            "flow_node": trouble.flow_node,
            "message": trouble.what,
            "tried": trouble.tried,
            "created_at": now,
        },
    )
    details = {
        "incident": format_id(Kind.INCIDENT, number),
        "kind": trouble.kind,
        **_subject(trouble),
        "flow_node": trouble.flow_node,
        "reason": trouble.what,
    }
    return number, ("incident_created", details)


def _subject(trouble: Trouble) -> dict[str, str]:
    subjects = (
        (Kind.JOB, "job", trouble.job),
        (Kind.MESSAGE, "message", trouble.message),
        (Kind.SENT_MESSAGE, "message", trouble.sent_message),
        (Kind.TIMER, "timer", trouble.timer),
        (Kind.CALL, "call", trouble.call),
    )
    return {name: format_id(kind, number) for kind, name, number in subjects if number is not None}


def unexpected(error: Exception) -> str:
    """What a person is told of an exception that nobody foresaw: its name and place, never its text, which may hold anything."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" in {place.tb_frame.f_code.co_name}, line {place.tb_lineno}" if place is not None else ""
    return (
        f"Expected this program to go on, but it failed with {type(error).__name__}{where}. "
        "Do: report it with what the worker shows with --debug; after it is mended, retry."
    )
