"""Inclusive gateways: which ways out are taken, and when a join has waited long enough (BPMN 2.0.2, 13.4.3).

A join waits for exactly those tokens that may still come. The library's own join follows the ways that it has predicted, and
so forgets loops; this one asks the diagram where each token can go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.specs.mixins import BpmnSpecMixin
from SpiffWorkflow.exceptions import WorkflowException
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.definition.diagram import Process
from engine.definition.scopes import link_sources
from engine.execution.token_game.catching import Boundary
from engine.execution.token_game.scopes import flow_node, is_armed, scope_of
from engine.execution.token_game.waiting import EventGateway

_TOKEN = TaskState.READY | TaskState.STARTED | TaskState.WAITING


class InclusiveGateway(BpmnSpecMixin):  # type: ignore[misc]  # the library is untyped
    """Takes one token from each incoming sequence flow that has one, and gives one to each way whose condition holds.

    `upstream` says for each source of an incoming flow from which nodes a token can come to that flow without passing here.
    """

    def __init__(self, tree: Any, name: str) -> None:
        super().__init__(tree, name)
        self.upstream: Mapping[str, frozenset[str]] = {}
        self._conditional: list[tuple[Any, str]] = []
        self._otherwise: list[str] = []

    def connect_if(self, condition: Any, part: Any) -> None:
        """A way that is taken when its condition holds."""
        self._conditional.append((condition, part.name))
        super().connect(part)

    def connect(self, part: Any) -> None:
        """A way that is taken when no condition holds: the default flow, or the only one."""
        self._otherwise.append(part.name)
        super().connect(part)

    def _predict_hook(self, my_task: Task) -> None:
        """Nothing is known of the ways before the conditions are asked."""

    def _update_hook(self, my_task: Task) -> bool:
        """A token at a join waits until `activated` takes it."""
        if my_task.has_state(TaskState.FINISHED_MASK):
            return False
        if len(self._inputs) == 1:
            return bool(super()._update_hook(my_task))
        my_task._set_state(TaskState.WAITING)
        return False

    def _run_hook(self, my_task: Task) -> bool:
        chosen = [name for condition, name in self._conditional if condition._matches(my_task)] or self._otherwise
        if not chosen:
            raise WorkflowException(f"no condition holds after {self.name}", task_spec=self)
        specs = my_task.workflow.spec.task_specs
        my_task._sync_children([specs[name] for name in chosen], TaskState.FUTURE)
        for child in my_task.children:
            child.task_spec._predict(child, mask=TaskState.FUTURE | TaskState.PREDICTED_MASK)
        return True

    def may_pass(self, arrived: frozenset[str], places: Iterable[str]) -> bool:
        """Whether the join needn't wait, with tokens from the sources `arrived` here, and others at `places`.

        It waits for a token that can come to an incoming flow which has none, unless that token can come to one that has, too.
        """
        for place in places:
            comes_to = {source for source, nodes in self.upstream.items() if place in nodes}
            if comes_to and comes_to.isdisjoint(arrived):
                return False
        return True


def upstream_of(process: Process, gateway: str) -> dict[str, frozenset[str]]:
    """Source of an incoming flow -> the nodes from which tokens can come to that flow without passing the gateway."""
    return {flow.source: _leading_to(process, flow.source, gateway) for flow in process.flows_to(gateway)}


def _leading_to(process: Process, source: str, gateway: str) -> frozenset[str]:
    found = {source} - {gateway}
    waiting = [*found]
    for key in waiting:  # grows while it is walked
        host = process.nodes[key].attached_to if key in process.nodes else None
        for before in (*(flow.source for flow in process.flows_to(key)), *link_sources(process, key), *([host] if host else ())):
            if before != gateway and before not in found:
                found.add(before)
                waiting.append(before)
    return frozenset(found)


def activated(game: BpmnWorkflow) -> Task | None:
    """A join that needn't wait any more, made ready, its tokens taken; None for none. Asked when nothing else moves."""
    tokens = [t for t in game.tasks.values() if t.has_state(_TOKEN) and t.parent is not None]
    waiting = [t for t in tokens if isinstance(t.task_spec, InclusiveGateway) and t.state == TaskState.WAITING]
    for task in waiting:
        scope = scope_of(task)
        here = [other for other in waiting if other.task_spec is task.task_spec and scope_of(other) is scope]
        arrived = frozenset(flow_node(other.parent) for other in here)
        elsewhere = _places(t for t in tokens if t not in here and scope_of(t) is scope)
        if task.task_spec.may_pass(arrived, elsewhere):
            _take(task, here)
            return task
    return None


def _places(tasks: Iterable[Task]) -> Iterator[str]:
    """The nodes that tokens are at, or on their way to. Events behind an event-based gateway share its one token."""
    for task in tasks:
        if is_armed(task):
            continue
        if isinstance(task.task_spec, Boundary) and task.state == TaskState.WAITING:
            continue  # the token is its activity's
        behind_gateway = task.parent is not None and isinstance(task.parent.task_spec, EventGateway)
        yield flow_node(task.parent if behind_gateway else task)


def _take(task: Task, waiting: list[Task]) -> None:
    """One token from each incoming flow that has one: the oldest. They go on as one."""
    taken = {flow_node(task.parent)}
    for other in waiting:
        source = flow_node(other.parent)
        if source not in taken:
            taken.add(source)
            other.cancel()
    task._ready()
