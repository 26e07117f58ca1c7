"""Activities that are done several times: multi-instance, and standard loops.

The activity's instances are inside a container, each with values of its own: `loopCounter`, from 0, and the element variable.
The names of the counters are Camunda 7's.
"""

from __future__ import annotations

from typing import Any

from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.connector import Value
from engine.definition.repetition import COUNTER, INSTANCES, INSTANCES_ACTIVE, INSTANCES_COMPLETED, MOST_ROUNDS, Repetition
from engine.errors import ExpressionFailed
from engine.execution.token_game.local_values import Locals, give
from engine.execution.token_game.scopes import Container, end_inside, inside, place

_ALL, _BEGUN, _DONE, _SEQUENTIAL, _VALUES = "all", "begun", "done", "sequential", "values"


class Repeated(Container):
    """The container of a repeated activity's instances. Boundary events and sequence flows of the activity are this part's."""

    def __init__(self, tree: Any, activity: str, repetition: Repetition) -> None:
        super().__init__(tree, f"{activity}.Instances")
        self.bpmn_id = None  # the path names each instance instead
        self.activity, self.repetition = activity, repetition

    @property
    def flow_node(self) -> str:
        """The activity."""
        return self.activity

    def counters(self, my_task: Task) -> dict[str, Value]:
        """What all instances see, while there are some."""
        if my_task.state != TaskState.STARTED or self.repetition.is_loop:
            return {}
        known = my_task.internal_data
        active = 1 if known[_SEQUENTIAL] else known[_BEGUN] - known[_DONE]
        return {INSTANCES: known[_ALL], INSTANCES_COMPLETED: known[_DONE], INSTANCES_ACTIVE: active}

    # entering .......................................................................................................

    def _run_hook(self, my_task: Task) -> bool | None:
        known = my_task.internal_data
        known.update({_BEGUN: 0, _DONE: 0, _SEQUENTIAL: self.repetition.sequential})
        if self.repetition.is_loop:
            if self.repetition.test_before and not self._loops_on(my_task):
                return True
            self._begin_next(my_task)
            return None
        values = my_task.workflow.script_engine.repetitions(self.activity, Locals(my_task))
        known[_ALL] = len(values)
        known[_VALUES] = list(values) if self.repetition.element else []
        for _ in values[:1] if self.repetition.sequential else values:
            self._begin_next(my_task)
        return None if values else True

    def _begin_next(self, my_task: Task) -> None:
        known = my_task.internal_data
        number = known[_BEGUN]
        if number >= MOST_ROUNDS:
            raise ExpressionFailed(
                f"Expected at most {MOST_ROUNDS:,} rounds of {self.activity!r}, but it would go on. "
                "Do: correct the condition of its loop, or give it a maximum."
            )
        values: dict[str, Value] = {COUNTER: number}
        if self.repetition.element:
            values[self.repetition.element] = known[_VALUES][number]
        known[_BEGUN] = number + 1
        instance = place(my_task, my_task.workflow.spec.task_specs[self.activity])
        give(instance, values)

    # under way ......................................................................................................

    def goes_on(self, my_task: Task) -> bool:
        """Count what has been done, and begin what comes next."""
        for instance in [each for each in inside(my_task) if each.state == TaskState.COMPLETED]:
            my_task.internal_data[_DONE] += 1
            if not self._continues(my_task, instance):
                end_inside(my_task)
                return False
            my_task.workflow._remove_task(instance.id)
        return bool(inside(my_task))

    def _continues(self, my_task: Task, instance: Task) -> bool:
        """Whether more is to come after an instance was completed."""
        host, known = my_task.workflow.script_engine, my_task.internal_data
        if self.repetition.is_loop:
            if not self._loops_on(my_task):
                return False
        elif host.is_complete(self.activity, Locals(instance)) or known[_DONE] == known[_ALL]:
            return False
        if known[_SEQUENTIAL]:
            self._begin_next(my_task)
        return True

    def _loops_on(self, my_task: Task) -> bool:
        rounds = my_task.internal_data[_BEGUN]
        if self.repetition.maximum is not None and rounds >= self.repetition.maximum:
            return False
        here = Locals(my_task, {COUNTER: rounds})
        return self.repetition.condition is None or bool(my_task.workflow.script_engine.loops_on(self.activity, here))
