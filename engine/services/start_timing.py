"""Start instances when their time has come: each time once, of the newest version, whichever worker comes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from engine.definition.process_definition import ProcessDefinition
from engine.errors import EngineError
from engine.model.cycle import parse_cycle
from engine.model.moment import parse_moment
from engine.services.raising import unexpected
from engine.services.runtime import Runtime
from engine.services.starting import Beginning, start_instance
from engine.store import instances, start_timers
from engine.store.database import may_pass
from engine.store.start_timers import StartTimerRow

log = structlog.get_logger("run_process.worker")

_AFTER_FAILURE = timedelta(minutes=10)


def schedule(connection: Connection, runtime: Runtime, definition: ProcessDefinition, version: int) -> None:
    """The timer start events of a version that is deployed now start instances from now on, and those before it don't."""
    rows = list(_first_times(runtime, definition))
    start_timers.replace_all(connection, definition.id, [{**row, "version": version} for row in rows])


def _first_times(runtime: Runtime, definition: ProcessDefinition) -> Iterator[Mapping[str, Any]]:
    now = runtime.now()
    for node in definition.process.of_kind("startEvent"):
        event = definition.process.timer_of(node.id) if node.scope is None else None
        if event is None or event.text is None:
            continue
        due_at = parse_cycle(event.text).due_at(now, 1) if event.timer == "cycle" else parse_moment(event.text)
        if due_at is not None and (event.timer == "cycle" or due_at > now):  # a date that has passed was for the version before
            yield {"flow_node": node.id, "begun_at": now, "due_at": due_at}


def start_next(runtime: Runtime, by: str) -> StartTimerRow | None:
    """Start what is overdue longest; the timer as it is afterwards, None when none is due.

    One that can't start is tried again ten minutes later; `last_error` says why.
    """
    due = None
    try:
        with runtime.database.transaction() as connection:
            due = start_timers.lock_due(connection, runtime.now())
            return _start(connection, runtime, due, by) if due is not None else None
    except Exception as error:
        if due is None or may_pass(error):
            raise
        return _put_off(runtime, due, str(error) if isinstance(error, EngineError) else unexpected(error))


def _start(connection: Connection, runtime: Runtime, due: StartTimerRow, by: str) -> StartTimerRow:
    deployment = runtime.deployment(connection, due.process, due.version)
    start_instance(connection, runtime, deployment, Beginning(due.flow_node, {}, instances.TIMER, by))
    event = runtime.definitions.definition(connection, deployment.digest).process.timer_of(due.flow_node)
    after = None
    if event is not None and event.timer == "cycle" and event.text is not None:
        after = parse_cycle(event.text).due_at(due.begun_at, due.number + 1)
    values: dict[str, Any] = {"state": start_timers.DONE} if after is None else {"due_at": after, "number": due.number + 1}
    start_timers.change(connection, due, last_error=None, **values)
    return replace(due, last_error=None, **values)


def _put_off(runtime: Runtime, due: StartTimerRow, why: str) -> StartTimerRow:
    log.warning("start_failed", process=due.process, flow_node=due.flow_node, reason=why)
    with runtime.database.transaction() as connection:
        row = start_timers.lock(connection, due.process, due.flow_node)
        if row is None or (row.version, row.number) != (due.version, due.number):
            return due  # replaced, or started by another worker meanwhile
        values = {"due_at": runtime.now() + _AFTER_FAILURE, "last_error": why}
        start_timers.change(connection, row, **values)
        return replace(row, due_at=runtime.now() + _AFTER_FAILURE, last_error=why)
