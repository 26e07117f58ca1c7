"""Who may do a user task: the members of its group, and nobody who did the task it must be kept apart from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.definition.carry_over import kept_apart
from engine.errors import NotPermitted
from engine.execution.state import InstanceState
from engine.model.identifiers import Kind, format_id
from engine.services.configuration import Configuration
from engine.store.user_tasks import UserTaskRow

if TYPE_CHECKING:
    from engine.definition.process_definition import ProcessDefinition


def check_permitted(
    configuration: Configuration, definition: ProcessDefinition, state: InstanceState, task: UserTaskRow, user: str
) -> None:
    """Raise NotPermitted when `user` may not do `task`. Asked when a task is claimed and again when it is completed."""
    if not configuration.may_work_for(user, task.group):
        raise NotPermitted(
            f"Expected a member of {task.group!r} for {format_id(Kind.TASK, task.id)}, but {user} is none. "
            "Do: ask one of them, or have the group's members corrected in run-process.yaml."
        )
    other = kept_apart(definition.carry_over, task.flow_node, state.people, user)
    if other is not None:
        done = definition.process.nodes[other].name or other
        raise NotPermitted(
            f"Expected someone other than {user} for {format_id(Kind.TASK, task.id)}, but {user} has done {done!r} in this "
            "instance and a control keeps the two apart. Do: let somebody else do it."
        )
