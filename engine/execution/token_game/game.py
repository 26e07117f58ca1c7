"""The game of one instance: where tokens are, and how they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.specs.defaults import UserTask
from SpiffWorkflow.exceptions import WorkflowException
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.connector import Value
from engine.errors import DataRefused, DefinitionInvalid, ExpressionFailed
from engine.execution.token_game.catching import Boundary, beside, catcher, take, wait_again, waits_for
from engine.execution.token_game.host import Host
from engine.execution.token_game.inclusive import InclusiveGateway, activated
from engine.execution.token_game.local_values import Locals, locals_at
from engine.execution.token_game.parts import (
    ErrorEnd,
    EscalationThrow,
    ParallelGateway,
    ServiceTask,
    TerminateEnd,
    TimerCatch,
)
from engine.execution.token_game.saving import load, number, save
from engine.execution.token_game.scopes import (
    arm,
    end_inside,
    flow_node,
    has_tokens,
    inside,
    is_armed,
    is_open_container,
    scope_of,
)
from engine.execution.token_game.tree import Tree
from engine.execution.token_game.waiting import SignalThrow, rivals, waits_for_signal
from engine.execution.token_game.ways import flows_taken

SCRIPT_FAILED = "script_failed"
"""The error that a script, condition or other expression throws which has no result."""
_FIRED = ("timer", "message", "signal")
"""What boundary events and event sub-processes are told of from outside."""
_DEEPEST = 900
"""The library looks a thousand tasks deep, and says that an instance is completed whose tokens are deeper."""
_MOST_ROUNDS = 20
"""What tells itself within one step, again and again, is stopped: it would go on for ever, beside itself and no deeper. What
interrupts goes deeper each time."""


class TokenGame:
    """The tokens of one instance. Made new or loaded, moved, and saved again; never kept."""

    def __init__(self, tree: Tree, host: Host, saved: list[Value] | None = None) -> None:
        """Begins a new instance of `tree`, or goes on with what `save` gave. Raises StateUnknown for what doesn't fit."""
        self._next_token = 1
        self._rounds: dict[Task, int] = {}
        self._tree, self._host = tree, host
        self._game = BpmnWorkflow(tree, script_engine=host, deserializing=saved is not None)
        if saved is not None:
            self._next_token = load(self._game, saved)
        else:
            arm(self._game.task_tree, tree.handlers)
        self.path: list[str] = []
        self.flows: list[str] = []
        self.signalled: set[object] = set()
        """The tokens to which a signal of their own instance has come."""

    # open work ......................................................................................................

    def open_nodes(self) -> dict[int, str]:
        """Token -> flow node, of user tasks, service tasks, call activities and events that wait, oldest first."""
        self._next_token = number(self._game, self._next_token)
        waiting = (t for t in self._game.tasks.values() if self._is_open(t))
        return {t.id: flow_node(t) for t in sorted(waiting, key=lambda t: int(t.id))}

    @staticmethod
    def _is_open(task: Task) -> bool:
        if isinstance(task.task_spec, UserTask):
            return bool(task.state == TaskState.READY)
        if waits_for(task, *_FIRED):
            return True
        return isinstance(task.task_spec, ServiceTask | TimerCatch) and task.state == TaskState.STARTED

    def locals_of(self, token: int) -> Locals:
        """What a token sees beside the instance's data."""
        return locals_at(self._game.tasks[token])

    def unjoined(self) -> list[str]:
        """The joins at which tokens wait for others."""
        waiting = (t.task_spec for t in self._game.tasks.values() if t.state == TaskState.WAITING)
        return sorted({spec.name for spec in waiting if isinstance(spec, ParallelGateway | InclusiveGateway)})

    @property
    def completed(self) -> bool:
        """Whether no token is left."""
        return not has_tokens(self._game.task_tree)

    # moves ..........................................................................................................

    def complete(self, token: int) -> None:
        """An open user task or service task is done, or what is waited for has come; its token goes on. Of several events behind
        an event-based gateway, the others wait no longer.
        """
        task = self._game.tasks[token]
        for other in rivals(task):
            other.cancel()
        task.complete()
        self._passed(task)

    def throw_error(self, token: int, codes: Sequence[str], message: str) -> bool:
        """The work of an open token ended in a BPMN error, which `codes` name, the narrowest first. Whether something catches it:
        the narrowest scope that does goes on where it was caught.
        """
        return self._throw(self._game.tasks[token], "error", codes, message)

    def end_by_error(self, token: int, code: str) -> None:
        """An error came out of an open token that nothing catches: the instance ends."""
        at = flow_node(self._game.tasks[token])
        end_inside(self._game.task_tree)
        self._host.not_caught(at, code)

    def fire(self, token: int) -> None:
        """What an open event waits for has come: its token goes on. One that interrupts ends its activity, or its scope."""
        task = self._game.tasks[token]
        if waits_for(task, *_FIRED):
            take(task)
        else:
            self.complete(token)

    def repeat(self, token: int, memory: Mapping[str, Value]) -> None:
        """A timer that fires now waits anew, with a new token that remembers this."""
        wait_again(self._game.tasks[token]).internal_data["memory"] = dict(memory)

    def remember(self, token: int, memory: Mapping[str, Value]) -> None:
        """Something for an open timer to remember while it waits."""
        self._game.tasks[token].internal_data["memory"] = dict(memory)

    def memory(self, token: int) -> dict[str, Value]:
        """What an open timer was to remember."""
        return dict(self._game.tasks[token].internal_data.get("memory", {}))

    def run(self) -> None:
        """Move tokens until each waits for someone or is gone: one at a time, boundary events and joins first.

        Raises ExpressionFailed when a gateway has no way out, DefinitionInvalid when the way is too long, or what the host
        raises; but an error that the diagram catches.
        """
        while self._leave_scopes() or ((task := self._next_ready()) is not None and self._step(task)):
            pass

    def save(self) -> list[Value]:
        """The tokens as plain JSON, for a new game of the same tree."""
        self._next_token = number(self._game, self._next_token)
        self._game.completed = self.completed
        return save(self._game, self._next_token)

    # one step .......................................................................................................

    def _next_ready(self) -> Task | None:
        ready = [t for t in self._game.tasks.values() if t.state == TaskState.READY and not t.task_spec.manual]
        if len(ready) > 1:  # the tree's order decides; walking through it takes far longer than looking
            ready = [t for t in self._game.get_tasks(state=TaskState.READY) if not t.task_spec.manual]
        if not ready:
            return activated(self._game)
        first = (t for t in ready if isinstance(t.task_spec, Boundary | ParallelGateway))
        return next(first, ready[0])

    def _step(self, task: Task) -> bool:
        """Run what is ready at one task. Always True: a step was made."""
        if task.depth > _DEEPEST:
            raise DefinitionInvalid(
                f"Expected at most {_DEEPEST} elements between two tasks that wait, but there are more before "
                f"{flow_node(task)!r}. Do: put a user task or service task between them, and deploy the diagram again."
            )
        try:
            task.run()
        except WorkflowException as error:
            without_way = ExpressionFailed(
                f"Expected one of the conditions after {flow_node(task)!r} to hold, but none does. "
                "Do: correct the values, or give it a default flow."
            )
            self._failed(task, without_way, error)
        except (ExpressionFailed, DataRefused) as error:
            self._failed(task, error, error.__cause__)
        if task.state == TaskState.COMPLETED:
            self._passed(task)
        return True

    def _failed(self, task: Task, failure: ExpressionFailed | DataRefused, cause: BaseException | None) -> None:
        """What has no result is an error for the diagram to catch; where it doesn't, nothing has happened."""
        if not self._throw(task, "error", [SCRIPT_FAILED], str(failure)):
            raise failure from cause

    def _passed(self, task: Task) -> None:
        part = task.task_spec
        if part.bpmn_id is not None:
            self.path.append(part.name)
        self.flows += flows_taken(task)
        for boundary in beside(task):
            boundary.cancel()
        if isinstance(part, TerminateEnd):
            end_inside(scope_of(task))
        elif isinstance(part, SignalThrow):
            self._signal(task, part.signal)
        elif isinstance(part, EscalationThrow):
            self._throw(task, "escalation", [part.code], part.message)
        elif isinstance(part, ErrorEnd) and not self._throw(task, "error", [part.code], part.message):
            end_inside(self._game.task_tree)
            self._host.not_caught(part.name, part.code)

    def _signal(self, thrower: Task, name: str | None) -> None:
        """A signal comes to everything that waits for it at this moment (BPMN 2.0.2, 10.5.1)."""
        for each in [t for t in self._game.tasks.values() if waits_for_signal(t, name)]:
            if waits_for_signal(each, name):  # what came first may have withdrawn it
                self.signalled.add(each.id)
                self._count(thrower, each)
                self.fire(each.id)

    def _throw(self, task: Task, kind: str, codes: Sequence[str], message: str) -> bool:
        found = catcher(task, kind, codes)
        if found is None:
            return False
        catching, code = found
        self._count(task, catching)
        take(catching)
        self._host.caught(flow_node(catching), code, message, locals_at(catching))
        return True

    def _count(self, thrower: Task, catching: Task) -> None:
        """Note that `catching` is told by `thrower`, which may be there because of something that was caught in this step."""
        if getattr(catching.task_spec, "interrupting", True):
            return
        rounds, above = 1, thrower
        while above is not None:
            rounds = max(rounds, self._rounds.get(above, 0) + 1)
            above = above.parent
        if rounds > _MOST_ROUNDS:
            raise DefinitionInvalid(
                f"Expected what {flow_node(catching)!r} starts to wait, or to throw something else, but it tells itself again "
                "and again within one step. Do: correct the diagram, and deploy it again."
            )
        self._rounds[catching] = rounds

    # scopes .........................................................................................................

    def _leave_scopes(self) -> bool:
        """Leave what has nothing more inside it. Whether something was left."""
        if not self._tree.scoped:
            return False
        left = False
        for task in [t for t in self._game.tasks.values() if is_open_container(t)]:
            if is_open_container(task) and not self._goes_on(task):
                end_inside(task)
                task.complete()
                self._passed(task)
                left = True
        if self._tree.handlers and self.completed:
            for each in inside(self._game.task_tree):
                if is_armed(each):
                    each.cancel()
        return left

    def _goes_on(self, task: Task) -> bool:
        try:
            return bool(task.task_spec.goes_on(task))
        except (ExpressionFailed, DataRefused) as error:
            self._failed(task, error, error.__cause__)
            return True
