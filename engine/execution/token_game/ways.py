"""Which sequence flows tokens took: the library knows only from which part to which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from SpiffWorkflow.task import Task

from engine.definition.diagram import SequenceFlow
from engine.execution.token_game.local_values import locals_at
from engine.execution.token_game.waiting import EventGateway


def note_way(part: Any, flow: SequenceFlow, entry: Any, *, conditional: bool) -> None:
    """`flow` leads from `part` to `entry`. Two flows may lead the same way; they are noted in the order of the diagram."""
    ways = part.__dict__.setdefault("ways", {})
    ways.setdefault(entry.name, []).append((flow.id, conditional))


def flows_taken(task: Task) -> Iterator[str]:
    """The sequence flows that the token of a task which was passed just now took: those out of it; behind an event-based gateway,
    where the first event takes the token, the one into it as well.
    """
    before = task.parent.task_spec if task.parent is not None else None
    if isinstance(before, EventGateway):
        yield from (flow for flow, _ in _ways(before).get(task.task_spec.name, ()))
    if isinstance(task.task_spec, EventGateway):
        return
    ways = _ways(task.task_spec)
    for entry, tokens in Counter(child.task_spec.name for child in task.children).items():
        yield from _chosen(task, ways.get(entry, []), tokens)


def _ways(part: Any) -> dict[str, list[tuple[str, bool]]]:
    ways: dict[str, list[tuple[str, bool]]] = part.__dict__.get("ways", {})
    return ways


def _chosen(task: Task, flows: list[tuple[str, bool]], tokens: int) -> list[str]:
    """Of flows that lead the same way, those whose conditions hold come before the default flow."""
    if len(flows) <= tokens:
        return [flow for flow, _ in flows]
    host = task.workflow.script_engine
    holding = [flow for flow, conditional in flows if conditional and host.holds(flow, locals_at(task))]
    return [*holding, *(flow for flow, conditional in flows if not conditional)][:tokens]
