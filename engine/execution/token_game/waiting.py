"""The parts of a tree that wait for what comes from outside: messages, signals, and whichever of several events is first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from SpiffWorkflow.bpmn.specs.mixins import BpmnSpecMixin
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.execution.token_game.catching import waits_for
from engine.execution.token_game.parts import ThrowEvent, TimerCatch, is_unfinished


class Catch(TimerCatch):
    """Stays STARTED until its message or signal has come, as a timer does until its time has. `signal` is the signal's name."""

    def __init__(self, tree: Any, name: str, signal: str | None = None) -> None:
        super().__init__(tree, name)
        self.signal = signal


class SignalThrow(ThrowEvent):
    """Tells the host that it was passed, and then everything in the instance that waits for its signal."""

    def __init__(self, tree: Any, name: str, signal: str | None) -> None:
        super().__init__(tree, name)
        self.signal = signal


class EventGateway(BpmnSpecMixin):  # type: ignore[misc]  # the library is untyped
    """Lets all events behind it wait; the first one that happens takes the token (BPMN 2.0.2, 13.4.4)."""


def rivals(task: Task) -> Iterator[Task]:
    """The other events that wait behind the same event-based gateway."""
    if isinstance(task.parent.task_spec, EventGateway):
        yield from (other for other in task.parent.children if other is not task and is_unfinished(other))


def waits_for_signal(task: Task, signal: str | None) -> bool:
    """Whether a task waits for the signal of this name."""
    if waits_for(task, "signal"):
        return bool(task.task_spec.event.name == signal)
    return isinstance(task.task_spec, Catch) and task.state == TaskState.STARTED and task.task_spec.signal == signal
