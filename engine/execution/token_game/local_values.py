"""Values that belong to one instance of a repeated activity, as a token inside it sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from SpiffWorkflow.task import Task

from engine.connector import Value

_KEY = "locals"
NOTHING: Mapping[str, Value] = MappingProxyType({})


class Locals:
    """What is visible at one place beside the instance's data: the innermost value of a name counts, as in Camunda 7."""

    def __init__(self, task: Task | None = None, others: Mapping[str, Value] = NOTHING) -> None:
        """What a token at `task` sees, nothing where there is no task, and `others` before all."""
        self._around = tuple(_around(task)) if task is not None else ()
        self._others = others

    def names(self) -> dict[str, Value]:
        """Name -> value."""
        found: dict[str, Value] = {}
        for task in reversed(self._around):
            found |= visible(task)
        return {**found, **self._others}

    def set(self, name: str, value: Value) -> bool:
        """Give a value to a name that is local here. False, and nothing has changed, when it is none."""
        for task in self._around:
            if name in task.internal_data.get(_KEY, ()):
                task.internal_data[_KEY] = {**task.internal_data[_KEY], name: value}
                return True
        return False


def visible(task: Task) -> dict[str, Value]:
    """What a task alone brings into view: an instance its own values, a repeated activity under way its counters."""
    counters: Any = getattr(task.task_spec, "counters", None)
    return {**(counters(task) if counters else {}), **task.internal_data.get(_KEY, {})}


def give(task: Task, values: dict[str, Value]) -> None:
    """Make these values local to a task and what is inside it."""
    task.internal_data[_KEY] = values


def _around(task: Task) -> Iterator[Task]:
    """The tasks with local values around a place, the innermost first."""
    above: Task | None = task
    while above is not None:
        if visible(above):
            yield above
        above = above.parent


NOWHERE = Locals()


def locals_at(task: Task) -> Locals:
    """What a token at `task` sees."""
    return Locals(task) if task.workflow.spec.repeats else NOWHERE
