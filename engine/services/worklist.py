"""The work that waits for people: list it, claim it, give it back, complete it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from engine.connector import Value
from engine.definition.form import read_form
from engine.errors import NotFound, NotPermitted, TaskNotOpen
from engine.execution.state import load_state
from engine.model.identifiers import Kind, format_id, parse_id
from engine.model.text import did_you_mean, shown
from engine.services.permission import check_permitted
from engine.services.runtime import Runtime
from engine.services.views import TaskView, task_view
from engine.store import deployments, history, instances, user_tasks
from engine.store.history import Head
from engine.store.instances import InstanceRow
from engine.store.user_tasks import UserTaskRow

if TYPE_CHECKING:
    from engine.definition.process_definition import ProcessDefinition

PAGE = 1_000


def tasks(
    runtime: Runtime,
    filters: Mapping[str, Any],
    *,
    completed: bool = False,
    overdue: bool = False,
    after: str | None = None,
    limit: int = PAGE,
    forms: bool = True,
) -> list[TaskView]:
    """A page of tasks, oldest first. `filters`: process, group_name, claimed_by, customer, period. With `overdue` only those
    whose due time has passed, the longest overdue first. Raises NotFound where nothing is found for a group that nobody knows.

    Without `forms` their fields are left out: most of the time that a short listing takes would go into reading definitions.
    """
    states = user_tasks.OPEN + ((user_tasks.COMPLETED,) if completed else ())
    behind, now = parse_id(Kind.TASK, after) if after else 0, runtime.now()
    with runtime.database.reading() as connection:
        if overdue:
            rows = user_tasks.due(connection, now, filters, behind, limit)
        else:
            rows = user_tasks.listing(connection, states, filters, behind, limit)
        if not rows and filters.get("group_name") is not None:
            _check_group(connection, runtime, filters["group_name"])
        of = instances.get_many(connection, (row.instance for row in rows))
        if not forms:
            return [task_view(row, of[row.instance], None, now) for row in rows]
        return [_view(connection, runtime, row, of[row.instance]) for row in rows]


def task(runtime: Runtime, task_id: str) -> TaskView:
    """One task with its form. Raises NotFound."""
    with runtime.database.reading() as connection:
        return _view(connection, runtime, *user_tasks.with_instance(connection, parse_id(Kind.TASK, task_id)))


def _view(connection: Connection, runtime: Runtime, row: UserTaskRow, instance: InstanceRow) -> TaskView:
    return task_view(row, instance, runtime.definition(connection, instance.process, instance.version), runtime.now())


def _check_group(connection: Connection, runtime: Runtime, group: str) -> None:
    """A mistyped name would look like a group that has nothing to do."""
    configured = runtime.configuration.groups.keys()
    if group not in configured and group not in (known := configured | _drawn_groups(connection, runtime)):
        raise NotFound(
            "Expected a group that a deployed process or run-process.yaml knows, "
            f"but {shown(group)} is none. {did_you_mean(group, known)}"
        )


def _drawn_groups(connection: Connection, runtime: Runtime) -> set[str]:
    """Those of all versions: instances stay on the version that they started with."""
    definitions = (runtime.definition(connection, each.process, each.version) for each in deployments.every(connection))
    return {node.group for each in definitions for node in each.process.nodes.values() if node.group is not None}


def claim(runtime: Runtime, task_id: str, user: str) -> TaskView:
    """Make an offered task `user`'s. Of two who claim at once, one wins and the other is told who.

    Raises NotFound, NotPermitted, TaskNotOpen.
    """
    with runtime.database.transaction() as connection:
        row, instance, definition = _open_task(connection, runtime, task_id)
        state = load_state(instance.token_state)
        check_permitted(runtime.configuration, definition, state, row, user)
        if row.claimed_by != user:
            head = user_tasks.claim(connection, row, user)
            if head is None:
                raise _taken(row)
            _note(connection, runtime, row, user, "task_claimed", {}, head)
        claimed = replace(row, state=user_tasks.CLAIMED, claimed_by=user)
        return task_view(claimed, instance, definition, runtime.now(), state.data_at(row.token))


def release(runtime: Runtime, task_id: str, user: str, reason: str | None = None) -> TaskView:
    """Offer a claimed task again. Someone else's only with a reason, which is recorded.

    Raises NotFound, TaskNotOpen, NotPermitted.
    """
    with runtime.database.transaction() as connection:
        row, instance, _ = _open_task(connection, runtime, task_id)
        if row.claimed_by is None:
            raise TaskNotOpen(f"Expected {task_id} to be claimed, but it is offered to everyone. Do: nothing, or claim it.")
        if row.claimed_by != user and not reason:
            raise NotPermitted(
                f"Expected {task_id} to be claimed by {user}, but it is claimed by {row.claimed_by}. "
                "Do: ask them, or release it with --reason."
            )
        user_tasks.release(connection, row.id, row.claimed_by)
        _note(connection, runtime, row, user, "task_released", {"claimed_by": row.claimed_by, "reason": reason})
        return _view(connection, runtime, replace(row, state=user_tasks.OFFERED, claimed_by=None), instance)


def complete(runtime: Runtime, task_id: str, raw: Mapping[str, Value], user: str) -> TaskView:
    """Complete a task with its form's values, as people typed them. An offered task is claimed on the way.

    Raises NotFound, NotPermitted, TaskNotOpen, DataRefused; then nothing has changed.
    """
    # These load the execution library, which listings don't need.
    from engine.execution.advance import advance
    from engine.execution.transition import CompleteUserTask
    from engine.services.applying import apply_transition

    with runtime.database.transaction() as connection:
        row, instance, definition = _open_task(connection, runtime, task_id)
        state = load_state(instance.token_state)
        check_permitted(runtime.configuration, definition, state, row, user)
        if row.claimed_by != user and not user_tasks.claim(connection, row, user):
            raise _taken(row)
        node = definition.process.nodes[row.flow_node]
        before = state.data_at(row.token)
        values = read_form(node, f"{task_id} ({row.name})", definition.carry_over, raw, before)
        executable = runtime.executable(connection, instance.process, instance.version)
        transition = advance(executable, state, CompleteUserTask(row.token, values, user), runtime.clock)
        details = {"task": task_id, "flow_node": row.flow_node, "values": _changes(before, values), **_kept(before, values)}
        at = apply_transition(connection, runtime, instance, executable, transition, ("task_completed", details), user)
        done = replace(row, state=user_tasks.COMPLETED, claimed_by=user, completed_at=at)
        own = {name: values.get(name, value) for name, value in state.own.get(row.token, {}).items()}
        return task_view(done, instance, definition, at, {**transition.state.data, **own})


def _open_task(connection: Connection, runtime: Runtime, task_id: str) -> tuple[UserTaskRow, InstanceRow, ProcessDefinition]:
    row, instance = user_tasks.with_instance(connection, parse_id(Kind.TASK, task_id), lock=True)
    if row.state not in user_tasks.OPEN:
        done = f"completed by {row.claimed_by}" if row.state == user_tasks.COMPLETED else row.state
        raise TaskNotOpen(f"Expected {task_id} to be open, but it is {done}. Do: run-process tasks.")
    instances.check_active(instance)
    return row, instance, runtime.definition(connection, instance.process, instance.version)


def _taken(row: UserTaskRow) -> TaskNotOpen:
    return TaskNotOpen(
        f"Expected {format_id(Kind.TASK, row.id)} to be free, but {row.claimed_by} has claimed it. "
        "Do: choose another, or ask them to release it."
    )


def _note(
    connection: Connection,
    runtime: Runtime,
    row: UserTaskRow,
    user: str,
    event: str,
    details: Mapping[str, Any],
    head: Head | None = None,
) -> None:
    entry = {"task": format_id(Kind.TASK, row.id), "flow_node": row.flow_node, **details}
    history.append(connection, row.instance, runtime.now(), user, [(event, entry)], head)


def _changes(before: Mapping[str, Value], values: Mapping[str, Value]) -> dict[str, Any]:
    """What an auditor asks: from what to what."""
    return {name: {"from": before.get(name), "to": value} for name, value in values.items() if before.get(name) != value}


def _kept(before: Mapping[str, Value], values: Mapping[str, Value]) -> dict[str, Any]:
    """What was given as it was before: no change, but an answer to what the form asked."""
    kept = {name: value for name, value in values.items() if value is not None and before.get(name) == value}
    return {"kept": kept} if kept else {}
