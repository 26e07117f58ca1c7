"""The token game: where tokens are and how they move. The one module that imports SpiffWorkflow.

The library's own parser, script engine, serializer and stepper are not used: each gets something silently wrong. Its task
tree is built from our own model of the diagram, one tree for each start event (so that a start needs no event to be sent),
conditions and scripts are asked of a `Host`, and the tree is saved without its definition and without data: data belongs
to the instance, as in Camunda 7, not to a token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from SpiffWorkflow.bpmn import BpmnEvent, BpmnWorkflow
from SpiffWorkflow.bpmn.specs import BpmnProcessSpec
from SpiffWorkflow.bpmn.specs.control import BoundaryEventJoin, BoundaryEventSplit
from SpiffWorkflow.bpmn.specs.defaults import (
    BoundaryEvent,
    EndEvent,
    ExclusiveGateway,
    StartEvent,
    UserTask,
)
from SpiffWorkflow.bpmn.specs.event_definitions import (
    ErrorEventDefinition,
    NoneEventDefinition,
    TerminateEventDefinition,
)
from SpiffWorkflow.bpmn.specs.event_definitions.base import EventDefinition
from SpiffWorkflow.bpmn.specs.mixins import BpmnSpecMixin
from SpiffWorkflow.exceptions import WorkflowException
from SpiffWorkflow.operators import Operator
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.connector import Value
from engine.definition.diagram import FlowNode, Process
from engine.errors import DefinitionInvalid, ExpressionFailed, StateUnknown

Tree: TypeAlias = BpmnProcessSpec
"""A process as the library holds it."""

_DEEPEST = 900
"""The library looks a thousand tasks deep, and says that an instance is completed whose tokens are deeper."""


class Host(Protocol):
    """What the token game asks of the instance while tokens move."""

    def holds(self, flow: str) -> bool:
        """Whether a sequence flow's condition is true."""
        ...

    def run_script(self, node: str) -> None:
        """Run a script task."""
        ...

    def throw(self, node: str) -> None:
        """A message throw event or message end event is passed."""
        ...


# --- the tree's parts -----------------------------------------------------------------------------------------------


class _FlowCondition(Operator):  # type: ignore[misc]  # the library is untyped
    """A condition that is asked of the host, by the id of its sequence flow."""

    def _matches(self, task: Task) -> bool:
        return bool(task.workflow.script_engine.holds(self.args[0]))


class _ServiceTask(BpmnSpecMixin):  # type: ignore[misc]
    """Stays STARTED until its job's result is committed: None from the hook means 'not done yet'."""

    def _run_hook(self, my_task: Task) -> None:
        return None


class _TimerCatch(BpmnSpecMixin):  # type: ignore[misc]
    """Stays STARTED until its time has come, as a service task does until its job is done."""

    def _run_hook(self, my_task: Task) -> None:
        return None


class _Time(EventDefinition):  # type: ignore[misc]
    """What a boundary timer waits for. The library's own timers ask the machine's clock; this one waits to be told."""


class _ParallelGateway(BpmnSpecMixin):  # type: ignore[misc]
    """Takes one token from each incoming sequence flow (BPMN 2.0.2, 13.3.1). A token that has come waits until it is taken.

    The library's own join forgets which tokens an earlier round of a loop has taken, and lets the next round pass too early.
    """

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
        missing: Counter[str] = Counter(self._inputs) - Counter([my_task.parent.task_spec.name])
        taken = []
        for other in my_task.workflow.tasks.values():
            if other is not my_task and other.task_spec is self and other.state == TaskState.WAITING:
                source = other.parent.task_spec.name
                if missing[source]:
                    missing -= Counter([source])
                    taken.append(other)
        return None if missing else taken


class _Passed(BpmnSpecMixin):  # type: ignore[misc]
    """An event that only marks a place."""


class _ScriptTask(BpmnSpecMixin):  # type: ignore[misc]
    def _run_hook(self, my_task: Task) -> bool:
        my_task.workflow.script_engine.run_script(self.name)
        return True


class _ThrowEvent(BpmnSpecMixin):  # type: ignore[misc]
    def _run_hook(self, my_task: Task) -> bool:
        my_task.workflow.script_engine.throw(self.name)
        return True


def _throws(node: FlowNode) -> bool:
    return any(event.kind == "message" for event in node.events)


def _end_event(tree: Tree, node: FlowNode) -> Any:
    if _throws(node):
        return _ThrowEvent(tree, node.id)
    terminates = any(event.kind == "terminate" for event in node.events)
    return EndEvent(tree, node.id, TerminateEventDefinition() if terminates else NoneEventDefinition())


def _boundary_event(tree: Tree, node: FlowNode) -> Any:
    if any(event.kind == "timer" for event in node.events):
        return BoundaryEvent(tree, node.id, _Time(node.id), cancel_activity=node.interrupting)
    code = next((event.code for event in node.events if event.kind == "error"), None)
    return BoundaryEvent(tree, node.id, ErrorEventDefinition(node.id, code), cancel_activity=True)


_PARTS: dict[str, Any] = {
    "startEvent": lambda tree, node: StartEvent(tree, node.id, NoneEventDefinition()),
    "userTask": lambda tree, node: UserTask(tree, node.id),
    "serviceTask": lambda tree, node: _ServiceTask(tree, node.id),
    "scriptTask": lambda tree, node: _ScriptTask(tree, node.id),
    "exclusiveGateway": lambda tree, node: ExclusiveGateway(tree, node.id),
    "parallelGateway": lambda tree, node: _ParallelGateway(tree, node.id),
    "intermediateThrowEvent": lambda tree, node: (_ThrowEvent if _throws(node) else _Passed)(tree, node.id),
    "intermediateCatchEvent": lambda tree, node: _TimerCatch(tree, node.id),
    "boundaryEvent": _boundary_event,
    "endEvent": _end_event,
}


def build_tree(process: Process, start: str) -> Tree:
    """The library's form of a process that begins at the start event `start`. The others are not part of it.

    Everything that `check` refuses is expected to have been refused before.
    """
    tree = BpmnProcessSpec(name=process.id)
    entry: dict[str, Any] = {}  # where a sequence flow into this node leads: its boundary split, else the node itself
    for node in process.nodes.values():
        if node.kind in _PARTS and (node.kind != "startEvent" or node.id == start):
            entry[node.id] = _PARTS[node.kind](tree, node)
    for node_id in list(entry):
        _attach_boundary_events(tree, process, node_id, entry)
    for node_id in [key for key in entry if key in process.nodes]:
        _connect(tree, process, node_id, entry)
    tree.start.connect(tree.task_specs[start])
    return tree


def _attach_boundary_events(tree: Tree, process: Process, node_id: str, entry: dict[str, Any]) -> None:
    events = process.boundary_events_of(node_id)
    if not events:
        return
    split = BoundaryEventSplit(tree, f"{node_id}.BoundaryEventSplit")
    join = BoundaryEventJoin(tree, f"{node_id}.BoundaryEventJoin", split_task=split.name, cancel=True)
    activity = tree.task_specs[node_id]
    for part in (activity, *(tree.task_specs[event.id] for event in events)):
        split.connect(part)
        if part is activity or part.cancel_activity:  # what doesn't interrupt goes its own way, and the activity stays open
            part.connect(join)
    entry[node_id] = split


def _connect(tree: Tree, process: Process, node_id: str, entry: dict[str, Any]) -> None:
    node, part = process.nodes[node_id], tree.task_specs[node_id]
    flows = process.flows_from(node_id)
    for flow in flows:
        if node.kind == "exclusiveGateway" and flow.condition and flow.id != node.default:
            part.connect_if(_FlowCondition(flow.id), entry[flow.target])
        else:
            part.connect(entry[flow.target])
    if not flows:
        part.connect(tree.end)  # an end event, or an implicit end (BPMN 2.0.2, 13.2.2: a node without outgoing flow ends)


def _is_boundary_timer(task: Task) -> bool:
    return isinstance(task.task_spec, BoundaryEvent) and isinstance(task.task_spec.event_definition, _Time)


def _is_unfinished(task: Task) -> bool:
    return not task.has_state(TaskState.FINISHED_MASK)


# --- the game -------------------------------------------------------------------------------------------------------


class TokenGame:
    """The tokens of one instance. Made new or loaded, moved, and saved again; never kept."""

    def __init__(self, tree: Tree, host: Host, saved: list[Value] | None = None) -> None:
        """Begins a new instance of `tree`, or goes on with what `save` gave. Raises StateUnknown for what doesn't fit."""
        self._next_token = 1
        self._game = BpmnWorkflow(tree, script_engine=host, deserializing=saved is not None)
        if saved is not None:
            self._load(saved)
        self.path: list[str] = []

    # open work ......................................................................................................

    def open_nodes(self) -> dict[int, str]:
        """Token -> flow node, of user tasks, service tasks and timers that wait, oldest first."""
        self._number()
        waiting = (t for t in self._game.tasks.values() if self._is_open(t))
        return {t.id: t.task_spec.name for t in sorted(waiting, key=lambda t: int(t.id))}

    @staticmethod
    def _is_open(task: Task) -> bool:
        if isinstance(task.task_spec, UserTask):
            return bool(task.state == TaskState.READY)
        if _is_boundary_timer(task):
            return bool(task.state == TaskState.WAITING)
        return isinstance(task.task_spec, _ServiceTask | _TimerCatch) and task.state == TaskState.STARTED

    def unjoined(self) -> list[str]:
        """The parallel gateways at which tokens wait for others."""
        waiting = (t.task_spec for t in self._game.tasks.values() if t.state == TaskState.WAITING)
        return sorted({spec.name for spec in waiting if isinstance(spec, _ParallelGateway)})

    @property
    def completed(self) -> bool:
        """Whether no token is left."""
        return bool(self._game.is_completed())

    # moves ..........................................................................................................

    def complete(self, token: int) -> None:
        """An open user task or service task is done; its token goes on."""
        task = self._game.tasks[token]
        self._game.tasks[token].complete()
        self.path.append(task.task_spec.name)

    def throw_error(self, token: int, codes: Sequence[str]) -> tuple[str, str] | None:
        """An open service task ended in a BPMN error, which `codes` name, the narrowest first. The boundary event that catches
        it and the code that it was caught by; None when there is none.
        """
        task = self._game.tasks[token]
        events = {code: BpmnEvent(ErrorEventDefinition(task.task_spec.name, code), target=None) for code in codes}
        around = [t for t in task.parent.children if isinstance(t.task_spec, BoundaryEvent)]
        matching = [(t, code) for code, event in events.items() for t in around if t.task_spec.catches(t, event)]
        # A catch by code wins over a catch-all (BPMN 2.0.2, 10.5.6: an error event without a code catches any error).
        matching.sort(key=lambda found: found[0].task_spec.event_definition.code is None)
        if not matching:
            return None
        boundary, code = matching[0]
        self._take(boundary, events[code])
        return str(boundary.task_spec.name), code

    def fire(self, token: int) -> None:
        """An open timer's time has come: its token goes on. A boundary timer that interrupts ends its activity."""
        task = self._game.tasks[token]
        if _is_boundary_timer(task):
            self._take(task, BpmnEvent(task.task_spec.event_definition, target=None))
        else:
            self.complete(token)

    @staticmethod
    def _take(boundary: Task, event: BpmnEvent) -> None:
        boundary.task_spec.catch(boundary, event)
        boundary.task_spec._update(boundary)

    def run(self) -> None:
        """Move tokens until each waits for someone or is gone: one at a time, boundary events and joins first.

        Raises ExpressionFailed when a gateway has no way out, DefinitionInvalid when the way is too long, or what the host
        raises.
        """
        while (task := self._next_ready()) is not None:
            if task.depth > _DEEPEST:
                raise DefinitionInvalid(
                    f"Expected at most {_DEEPEST} elements between two tasks that wait, but there are more before "
                    f"{task.task_spec.name!r}. Do: put a user task or service task between them, and deploy the diagram again."
                )
            try:
                task.run()
            except WorkflowException as error:
                raise ExpressionFailed(
                    f"Expected one of the conditions after {task.task_spec.name!r} to hold, but none does. "
                    "Do: correct the values, or give the gateway a default flow."
                ) from error
            if task.state == TaskState.COMPLETED and task.task_spec.bpmn_id is not None:
                self.path.append(task.task_spec.name)

    def _next_ready(self) -> Task | None:
        ready = [t for t in self._game.tasks.values() if t.state == TaskState.READY and not t.task_spec.manual]
        if len(ready) > 1:  # the tree's order decides; walking through it takes far longer than looking
            ready = [t for t in self._game.get_tasks(state=TaskState.READY) if not t.task_spec.manual]
        first = (t for t in ready if isinstance(t.task_spec, BoundaryEvent | BoundaryEventJoin | _ParallelGateway))
        return next(first, ready[0] if ready else None)

    # saving .........................................................................................................

    def save(self) -> list[Value]:
        """The tree as plain JSON: [next token, completed, [task, ...]].

        Of what is finished only the direct parents of unfinished tasks are kept, behind the root: the library searches no
        deeper than a thousand tasks, and an instance that was sent back often is no slower than another.
        """
        self._number()
        root = self._game.task_tree
        kept = [t for t in root if t is root or _is_unfinished(t) or any(map(_is_unfinished, t.children))]
        behind_root: list[Value] = [t.id for t in kept if t is not root and (t.parent is root or not _is_unfinished(t))]
        rows: list[Value] = [
            [
                t.id,
                t.task_spec.name,
                int(t.state),
                behind_root if t is root else [child.id for child in t.children if _is_unfinished(child)],
                bool(t.triggered),
                dict(t.internal_data),
            ]
            for t in kept
        ]
        return [self._next_token, bool(self._game.completed), rows]

    def _number(self) -> None:
        """Give tokens their small integers, in the tree's order, so that the same moves give the same state."""
        if all(isinstance(token, int) for token in self._game.tasks):
            return
        fresh = {t.id: t for t in self._game.task_tree if not isinstance(t.id, int)}
        numbers = dict(zip(fresh, range(self._next_token, self._next_token + len(fresh)), strict=True))
        self._next_token += len(fresh)
        for task in self._game.tasks.values():
            task._children = [numbers.get(child, child) for child in task._children]
            task._parent = numbers.get(task._parent, task._parent)
            task.id = numbers.get(task.id, task.id)
        self._game.tasks = {t.id: t for t in self._game.tasks.values()}
        self._game.event_manager.tasks = {t.id: t for t in self._game.event_manager.tasks.values()}

    def _load(self, saved: list[Value]) -> None:
        next_token, completed, rows = saved
        assert isinstance(next_token, int)
        assert isinstance(rows, list)
        self._next_token = next_token
        for row in rows:
            self._load_task(row)
        for task in list(self._game.tasks.values()):
            for child in task._children:
                self._game.tasks[child]._parent = task.id
        self._game.task_tree = next(t for t in self._game.tasks.values() if t._parent is None)
        self._game.completed = completed

    def _load_task(self, row: Any) -> None:
        token, name, state, children, triggered, internal = row
        part = self._game.spec.task_specs.get(name)
        if part is None:
            raise StateUnknown(
                f"Expected the flow node {name!r} in the definition, but it isn't there. "
                "Do: restore the database from a backup; its state and definition don't belong together."
            )
        task = Task(self._game, part, state=state, id=token)
        task._children, task.triggered, task.internal_data = list(children), triggered, dict(internal)
        if isinstance(part, BoundaryEvent) and state == TaskState.WAITING:
            self._game.event_manager.add_task(task)
