"""Scopes: sub-processes and event sub-processes, and what is inside them.

All of an instance's tokens are in one tree. A container is a part that stays STARTED while tokens are inside it; those are
its triggered children and what comes of them, beside the predicted children by which it is left. So a token's scope is the
nearest container above it that is STARTED, and whoever cancels a container cancels everything inside it.
"""

from __future__ import annotations

from typing import Any

from SpiffWorkflow.bpmn.specs.mixins import BpmnSpecMixin
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskIterator, TaskState

from engine.definition.diagram import EventDefinition


class Container(BpmnSpecMixin):  # type: ignore[misc]  # the library is untyped
    """A part with tokens of its own inside it. It is left when `goes_on` says that there is nothing more to come."""

    def _update_hook(self, my_task: Task) -> bool:
        entered = not my_task.has_state(TaskState.WAITING | TaskState.STARTED | TaskState.FINISHED_MASK)
        return bool(entered and super()._update_hook(my_task))

    def goes_on(self, my_task: Task) -> bool:
        """Whether the container stays open. May begin the next thing inside it."""
        return has_tokens(my_task)


class Scope(Container):
    """A sub-process. `start` is the part that begins it; `handlers` the event sub-processes that wait while it is open.

    With `event` it is an event sub-process itself: WAITING until that comes.
    """

    def __init__(self, tree: Any, name: str, start: str, event: EventDefinition | None = None, interrupting: bool = True) -> None:
        super().__init__(tree, name)
        self.start, self.event, self.interrupting = start, event, interrupting
        self.handlers: list[str] = []

    def _run_hook(self, my_task: Task) -> None:
        arm(my_task, self.handlers)
        place(my_task, my_task.workflow.spec.task_specs[self.start])

    @property
    def flow_node(self) -> str:
        """Where people see it: an event sub-process at the event that it waits for."""
        return self.start if self.event is not None else str(self.name)


def flow_node(task: Task) -> str:
    """The element of the diagram at which a task stands."""
    return str(getattr(task.task_spec, "flow_node", task.task_spec.name))


def place(container: Task, part: Any) -> Task:
    """Put a token inside a container, at this part."""
    child = container._add_child(part, TaskState.FUTURE)
    child.triggered = True
    part._predict(child, mask=TaskState.FUTURE | TaskState.PREDICTED_MASK)
    part._update(child)
    return child


def arm(container: Task, handlers: list[str]) -> None:
    """Let event sub-processes wait for their events as long as the container is open."""
    for name in handlers:
        child = container._add_child(container.workflow.spec.task_specs[name], TaskState.WAITING)
        child.triggered = True


def is_armed(task: Task) -> bool:
    """Whether a task is an event sub-process whose event hasn't come."""
    return isinstance(task.task_spec, Scope) and bool(task.state == TaskState.WAITING)


def is_open_container(task: Task) -> bool:
    """Whether tokens may be inside a task."""
    return isinstance(task.task_spec, Container) and bool(task.state == TaskState.STARTED)


def scope_of(task: Task) -> Task:
    """The container that a task is inside of; the tree's root at the top."""
    above = task.parent
    while above.parent is not None and not is_open_container(above):
        above = above.parent
    return above


def inside(container: Task) -> list[Task]:
    """The tasks with which everything begins that is inside a container. Everything is inside the root."""
    return [child for child in container.children if child.triggered or container.parent is None]


def has_tokens(container: Task) -> bool:
    """Whether a token is inside. An event sub-process that waits for its event is none."""
    begun = (child for child in inside(container) if not is_armed(child))
    return any(next(TaskIterator(child, state=TaskState.DEFINITE_MASK), None) is not None for child in begun)


def end_inside(container: Task, but: Task | None = None) -> None:
    """Take away all tokens inside a container, and what waits there for events; all but one task."""
    for child in inside(container):
        if child is not but:
            child.cancel()
