"""Read from the store what came to a period's instances, and replay it through another definition. Nothing is stored or sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from engine.errors import NotFound, StateUnknown
from engine.execution.executable import Executable
from engine.model.identifiers import Kind, format_id
from engine.rehearsal.recording import Input, InputKind, Recording
from engine.rehearsal.replay import Replay, replay
from engine.services.runtime import Runtime
from engine.store import history, instances, jobs, subscriptions, timers, user_tasks
from engine.store.history import Entry
from engine.store.instances import InstanceRow

_PAGE = 500
_KINDS: Mapping[str, InputKind] = {
    "task_completed": InputKind.TASK,
    "task_claimed": InputKind.CLAIM,
    "task_released": InputKind.RELEASE,
    "job_completed": InputKind.JOB,
    "job_failed": InputKind.JOB,
    "job_resolved": InputKind.JOB,
    "timer_fired": InputKind.TIMER,
    "message_received": InputKind.MESSAGE,
    "signal_received": InputKind.MESSAGE,
}
_WORK = ("task", "job", "timer", "subscription")


def replay_period(
    runtime: Runtime, process: str, period: str, new: Executable, renamed: Mapping[str, str]
) -> tuple[Replay, tuple[int, ...]]:
    """What `new` would have made of the inputs of a period's instances; and on which versions they ran.

    Raises DefinitionNotDeployed, NotFound where there is no instance of the period, StateUnknown for a history that can't be
    read.
    """
    with runtime.database.reading(snapshot=True) as connection:
        runtime.deployment(connection, process)
        versions: set[int] = set()
        found = replay(_recordings(connection, runtime, process, period, versions), new, runtime.connectors, renamed)
    if not found.instances:
        raise NotFound(
            f"Expected instances of {process} in {period}, but there are none. Do: run-process periods {process} lists them."
        )
    return found, tuple(sorted(versions))


def _recordings(
    connection: Connection, runtime: Runtime, process: str, period: str, versions: set[int]
) -> Iterator[tuple[Recording, Executable]]:
    behind, filters = 0, {"process": process, "period": period}
    while page := instances.listing(connection, filters, behind, _PAGE):
        for row in page:
            versions.add(row.version)
            yield recording_of(connection, row), runtime.executable(connection, process, row.version)
        behind = page[-1].id


def recording_of(connection: Connection, row: InstanceRow) -> Recording:
    """What history and the tables hold of an instance. Raises StateUnknown where that can't be read."""
    entries = history.entries(connection, row.id)
    tokens = _tokens(connection, row.id)
    try:
        return _recording(row, entries, tokens)
    except (KeyError, TypeError, AttributeError, ValueError, StopIteration) as error:
        raise StateUnknown(
            f"Expected a history of {format_id(Kind.INSTANCE, row.id)} as this program writes it, but it is of another form. "
            "Do: run-process history says whether it was tampered with."
        ) from error


def _recording(row: InstanceRow, entries: list[Entry], tokens: Mapping[str, int]) -> Recording:
    started = next(entry for entry in entries if entry.event == "instance_started")
    handed = [entry.details["data"] for entry in entries if entry.event == "message_thrown" and "data" in entry.details]
    paid = [(e.details["amount"], e.details["currency"]) for e in entries if e.event == "charge_succeeded"]
    return Recording(
        instance=format_id(Kind.INSTANCE, row.id),
        customer=row.customer,
        period=row.period,
        version=row.version,
        started_at=started.at,
        start_event=started.details["start_event"],
        data=started.details["data"],
        path=tuple(started.details["path"]),
        inputs=tuple(_input(_KINDS[entry.event], entry, tokens) for entry in entries if entry.event in _KINDS),
        handed=handed[0] if handed else None,
        end_events=tuple(row.end_events) if row.end_events is not None else None,
        charged=tuple(paid),
    )


def _input(kind: InputKind, entry: Entry, tokens: Mapping[str, int]) -> Input:
    details = entry.details
    work = next((details[name] for name in _WORK if name in details), None)
    return Input(
        kind=kind,
        at=entry.at,
        flow_node=details["flow_node"],
        token=tokens.get(work) if work is not None else None,
        by=entry.by,
        values=_values(kind, details),
        kept=details.get("kept", {}),
        error=details.get("error"),
        general=details.get("general"),
        says=details.get("reason") or "",
        path=tuple(details.get("path", ())),
    )


def _values(kind: InputKind, details: Mapping[str, Any]) -> Mapping[str, Any]:
    match kind:
        case InputKind.TASK:
            return {name: change["to"] for name, change in details["values"].items()}
        case InputKind.JOB:
            return dict(details.get("outputs", {}))
        case InputKind.MESSAGE:
            return dict(details.get("data", {}))
        case _:
            return {}


def _tokens(connection: Connection, instance: int) -> dict[str, int]:
    """Task, job, timer and subscription -> the token that waited there: of several at one flow node, it says which."""
    kinds = (
        (Kind.TASK, user_tasks.of_instance(connection, instance)),
        (Kind.JOB, jobs.of_instance(connection, instance)),
        (Kind.TIMER, timers.of_instance(connection, instance)),
        (Kind.SUBSCRIPTION, subscriptions.of_instance(connection, instance)),
    )
    return {format_id(kind, row.id): row.token for kind, rows in kinds for row in rows}
