"""A game of tokens as plain JSON, and back: without its definition, and without data, which belongs to the instance."""

from __future__ import annotations

from typing import Any

from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.task import Task

from engine.connector import Value
from engine.errors import StateUnknown
from engine.execution.token_game.parts import is_unfinished
from engine.execution.token_game.scopes import is_open_container, scope_of

_GONE = (".BoundaryEventJoin", ".EndJoin")
"""How the names of parts end that earlier trees had, and that no token was ever needed at."""


def save(game: BpmnWorkflow, next_token: int) -> list[Value]:
    """The tree as plain JSON: [next token, completed, [task, ...]]. Every token has its number.

    Of what is finished only the direct parents of unfinished tasks are kept, right behind their scope: the library searches no
    deeper than a thousand tasks, and an instance that was sent back often is no slower than another.
    """
    root = game.task_tree
    kept = [t for t in root if t is root or is_unfinished(t) or any(map(is_unfinished, t.children))]
    behind: dict[Value, list[Value]] = {t.id: [] for t in kept if t is root or is_open_container(t)}
    for task in kept:
        if task is not root and (task.parent is root or not is_unfinished(task)):
            behind[scope_of(task).id].append(task.id)
    rows: list[Value] = [
        [
            t.id,
            t.task_spec.name,
            int(t.state),
            _children(t, behind),
            bool(t.triggered or (not is_unfinished(t) and t is not root and scope_of(t) is not root)),
            dict(t.internal_data),
        ]
        for t in kept
    ]
    return [next_token, bool(game.completed), rows]


def _children(task: Task, behind: dict[Value, list[Value]]) -> list[Value]:
    own = [] if task.parent is None else [child.id for child in task.children if is_unfinished(child)]
    return [*own, *behind.get(task.id, ())]


def number(game: BpmnWorkflow, next_token: int) -> int:
    """Give new tokens their small integers, in the tree's order, so that the same moves give the same state. The next token."""
    if all(isinstance(token, int) for token in game.tasks):
        return next_token
    fresh = {t.id: t for t in game.task_tree if not isinstance(t.id, int)}
    numbers = dict(zip(fresh, range(next_token, next_token + len(fresh)), strict=True))
    for task in game.tasks.values():
        task._children = [numbers.get(child, child) for child in task._children]
        task._parent = numbers.get(task._parent, task._parent)
        task.id = numbers.get(task.id, task.id)
    game.tasks = {t.id: t for t in game.tasks.values()}
    return next_token + len(fresh)


def load(game: BpmnWorkflow, saved: list[Value]) -> int:
    """Fill an empty game with what `save` gave. The next token. Raises StateUnknown for what doesn't fit the game's tree."""
    next_token, completed, rows = saved
    assert isinstance(next_token, int)
    assert isinstance(rows, list)
    for row in rows:
        _load_task(game, row)
    for task in list(game.tasks.values()):
        task._children = [child for child in task._children if child in game.tasks]
        for child in task._children:
            game.tasks[child]._parent = task.id
    game.task_tree = next(t for t in game.tasks.values() if t._parent is None)
    game.completed = completed
    return next_token


def _load_task(game: BpmnWorkflow, row: Any) -> None:
    token, name, state, children, triggered, internal = row
    if name.endswith(_GONE) or name == "End":
        return
    part = game.spec.task_specs.get(name)
    if part is None:
        raise StateUnknown(
            f"Expected the flow node {name!r} in the definition, but it isn't there. "
            "Do: restore the database from a backup; its state and definition don't belong together."
        )
    task = Task(game, part, state=state, id=token)
    task._children, task.triggered, task.internal_data = list(children), triggered, dict(internal)
