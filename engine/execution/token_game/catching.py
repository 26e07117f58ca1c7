"""Events that tokens throw, and who catches them: the narrowest scope wins (BPMN 2.0.2, 10.5.1 and 10.5.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from SpiffWorkflow.bpmn.specs.control import EventSplit
from SpiffWorkflow.bpmn.specs.mixins import BpmnSpecMixin
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.definition.diagram import EventDefinition
from engine.execution.token_game.scopes import Scope, end_inside, inside, is_armed, scope_of


class Boundary(BpmnSpecMixin):  # type: ignore[misc]  # the library is untyped
    """A boundary event. It is WAITING beside its activity until what it catches has come."""

    def __init__(self, tree: Any, name: str, event: EventDefinition, interrupting: bool) -> None:
        super().__init__(tree, name)
        self.event, self.interrupting = event, interrupting

    @property
    def flow_node(self) -> str:
        """The boundary event itself."""
        return str(self.name)

    def _update_hook(self, my_task: Task) -> bool:
        return False  # it never comes by itself


class BoundarySplit(EventSplit):  # type: ignore[misc]
    """Where an activity with boundary events begins: a token for the activity, and one that waits at each event."""

    def __init__(self, tree: Any, name: str) -> None:
        super().__init__(Boundary, tree, name)


def waits_for(task: Task, *kinds: str) -> bool:
    """Whether a boundary event or an event sub-process waits for an event of one of these kinds."""
    catches = isinstance(task.task_spec, Boundary | Scope) and task.state == TaskState.WAITING
    return bool(catches and task.task_spec.event.kind in kinds)


def catcher(thrower: Task, kind: str, codes: Sequence[str]) -> tuple[Task, str] | None:
    """Who catches an error or escalation that `codes` name, the narrowest first, and by which of them; None for nobody.

    In each scope, from the innermost outwards, its event sub-processes come before the boundary events on it; of those, the
    first code's come before the others', and what catches every code is the last.
    """
    for catching in _outwards(thrower):
        waiting = [each for each in catching if waits_for(each, kind)]
        for code in codes:
            if found := [each for each in waiting if each.task_spec.event.code == code]:
                return found[0], code
        if found := [each for each in waiting if each.task_spec.event.code is None]:
            return found[0], codes[0]
    return None


def _outwards(task: Task) -> Iterator[list[Task]]:
    yield beside(task)
    while task.parent is not None:
        task = scope_of(task)
        yield [each for each in inside(task) if is_armed(each)]
        yield beside(task)


def beside(activity: Task) -> list[Task]:
    """The boundary events that wait on an activity."""
    split = activity.parent
    if split is None or not isinstance(split.task_spec, BoundarySplit) or isinstance(activity.task_spec, Boundary):
        return []
    return [each for each in split.children if isinstance(each.task_spec, Boundary) and each.state == TaskState.WAITING]


def take(catching: Task) -> None:
    """What a boundary event or event sub-process waits for has come. One that interrupts ends what it interrupts at once; one
    that doesn't goes on waiting for the next, a timer's date or duration excepted.
    """
    if isinstance(catching.task_spec, Scope):
        _start_handler(catching)
    else:
        _leave_by(catching)
    catching._ready()


def _start_handler(handler: Task) -> None:
    scope = scope_of(handler)
    if handler.task_spec.interrupting:
        end_inside(scope, but=handler)
    elif handler.task_spec.event.kind != "timer":
        wait_again(handler)


def _leave_by(boundary: Task) -> None:
    part, split = boundary.task_spec, boundary.parent
    if part.interrupting:
        for each in split.children:
            if each is not boundary and not (isinstance(each.task_spec, Boundary) and each.has_state(TaskState.FINISHED_MASK)):
                each.cancel()
    elif part.event.kind != "timer":
        wait_again(boundary)


def wait_again(catching: Task) -> Task:
    """Let a boundary event or event sub-process wait for the next event, beside the one that has come."""
    again: Task = catching.parent._add_child(catching.task_spec, TaskState.MAYBE)
    again.triggered = catching.triggered
    again.task_spec._predict(again)  # a task without children leads nowhere
    again._set_state(TaskState.WAITING)
    return again
