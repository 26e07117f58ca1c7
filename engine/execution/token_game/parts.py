"""The parts of a tree whose behaviour is ours: where the library gets something silently wrong, the part here puts it right."""

from __future__ import annotations

from collections import Counter
from typing import Any

from SpiffWorkflow.bpmn.specs.mixins import BpmnSpecMixin
from SpiffWorkflow.exceptions import WorkflowException
from SpiffWorkflow.operators import Operator
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.execution.token_game.local_values import locals_at
from engine.execution.token_game.scopes import scope_of


class FlowCondition(Operator):  # type: ignore[misc]  # the library is untyped
    """A condition that is asked of the host, by the id of its sequence flow."""

    def _matches(self, task: Task) -> bool:
        return bool(task.workflow.script_engine.holds(self.args[0], locals_at(task)))


class ServiceTask(BpmnSpecMixin):  # type: ignore[misc]
    """Stays STARTED until its job's result is committed: None from the hook means 'not done yet'."""

    def _run_hook(self, my_task: Task) -> None:
        return None


class TimerCatch(BpmnSpecMixin):  # type: ignore[misc]
    """Stays STARTED until its time has come, as a service task does until its job is done."""

    def _run_hook(self, my_task: Task) -> None:
        return None


class ParallelGateway(BpmnSpecMixin):  # type: ignore[misc]
    """Takes one token from each incoming sequence flow (BPMN 2.0.2, 13.3.1). A token that has come waits until it is taken.

    The library's own join forgets which tokens an earlier round of a loop has taken, and lets the next round pass too early.
    """

    complete = True
    """Whether all its incoming flows can bring a token: none comes from a start event that is not the instance's."""

    def _update_hook(self, my_task: Task) -> bool:
        if my_task.has_state(TaskState.FINISHED_MASK):
            return False  # taken meanwhile
        taken = self._taken_with(my_task)
        if taken is None:
            my_task._set_state(TaskState.WAITING)
            return False
        for other in taken:
            other.cancel()
        return bool(super()._update_hook(my_task))

    def _taken_with(self, my_task: Task) -> list[Task] | None:
        """The tokens that are taken together with this one; None while one is missing."""
        if not self.complete:
            return None
        missing: Counter[str] = Counter(self._inputs) - Counter([my_task.parent.task_spec.name])
        taken = []
        for other in my_task.workflow.tasks.values():
            if other.task_spec is self and other.state == TaskState.WAITING and self._meet(other, my_task):
                source = other.parent.task_spec.name
                if missing[source]:
                    missing -= Counter([source])
                    taken.append(other)
        return None if missing else taken

    @staticmethod
    def _meet(other: Task, my_task: Task) -> bool:
        """Tokens of one sub-process's instances never meet."""
        return other is not my_task and scope_of(other) is scope_of(my_task)


class FlowSplit(BpmnSpecMixin):  # type: ignore[misc]
    """The sequence flows out of an activity, where some have conditions (BPMN 2.0.2, 10.6.2 and 13.3.1): every flow whose
    condition holds is taken, and each without a condition; the default flow where no condition holds.
    """

    def __init__(self, tree: Any, activity: str) -> None:
        super().__init__(tree, f"{activity}.Flows")
        self.bpmn_id = None
        self.flow_node = activity
        self._ways: list[tuple[FlowCondition | None, str]] = []
        self._default: str | None = None

    def connect(self, part: Any) -> None:
        """A flow that is always taken."""
        self._ways.append((None, part.name))
        super().connect(part)

    def connect_if(self, condition: FlowCondition, part: Any) -> None:
        """A flow that is taken when its condition holds."""
        self._ways.append((condition, part.name))
        super().connect(part)

    def otherwise(self, part: Any) -> None:
        """The default flow."""
        self._default = part.name
        super().connect(part)

    def _predict_hook(self, my_task: Task) -> None:
        my_task._sync_children(self.outputs, TaskState.MAYBE)

    def _run_hook(self, my_task: Task) -> bool:
        asked = [(name, condition and condition._matches(my_task)) for condition, name in self._ways]
        chosen = [name for name, holds in asked if holds is not False]
        if self._default is not None and True not in (holds for _, holds in asked):
            chosen.append(self._default)
        if not chosen:
            raise WorkflowException("no condition holds", task_spec=self)
        my_task._sync_children([my_task.workflow.spec.task_specs[name] for name in chosen], TaskState.FUTURE)
        for child in my_task.children:
            child.task_spec._predict(child, mask=TaskState.FUTURE | TaskState.PREDICTED_MASK)
        return True


class Passed(BpmnSpecMixin):  # type: ignore[misc]
    """An event that only marks a place."""


class ScriptTask(BpmnSpecMixin):  # type: ignore[misc]
    """Runs its script, or makes its decision, by asking the host."""

    def _run_hook(self, my_task: Task) -> bool:
        my_task.workflow.script_engine.run_script(self.name, locals_at(my_task))
        return True


class ThrowEvent(BpmnSpecMixin):  # type: ignore[misc]
    """Tells the host that it was passed."""

    def _run_hook(self, my_task: Task) -> bool:
        my_task.workflow.script_engine.throw(self.name, locals_at(my_task))
        return True


class TerminateEnd(BpmnSpecMixin):  # type: ignore[misc]
    """Ends everything in its scope."""


class ErrorEnd(BpmnSpecMixin):  # type: ignore[misc]
    """Throws an error to whoever catches it around it."""

    def __init__(self, tree: Any, name: str, code: str, message: str) -> None:
        super().__init__(tree, name)
        self.code, self.message = code, message


class EscalationThrow(ErrorEnd):
    """Throws an escalation to whoever catches it around it, and goes on: also as an end event."""


def is_unfinished(task: Task) -> bool:
    """Whether a token still stands at a task, or may come to it."""
    return not task.has_state(TaskState.FINISHED_MASK)
