"""Scripts: what stands in a script task. Assignments and `if`, and nothing else."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from engine.expressions.grammar import read_script
from engine.expressions.interpreter import Scope, evaluate, operate, truth
from engine.expressions.operations import item_of
from engine.expressions.source import Source
from engine.expressions.study import Study, study_script
from engine.expressions.values import ValueRefused, copied, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.connector import Value
    from engine.expressions.kinds import Kinds


@dataclass(frozen=True, slots=True)
class Script:
    """Statements in a row. `reads` are the data items they read, also those that they set themselves before; `writes` the
    ones they may set; `flow_nodes` the user tasks they ask about. Two are equal when their texts are.
    """

    text: str
    reads: frozenset[str] = field(compare=False)
    writes: frozenset[str] = field(compare=False)
    functions: frozenset[str] = field(compare=False)
    flow_nodes: frozenset[str] = field(compare=False)
    _source: Source = field(compare=False, repr=False)
    _statements: Sequence[ast.stmt] = field(compare=False, repr=False)

    def run(self, data: Mapping[str, Value], completed_by: Callable[[str], str | None] | None = None) -> dict[str, Value]:
        """The whole data after the script, as a new dictionary. `data` stays as it is; items that the script does not write
        are handed on as they are. Values are copied when they are assigned: two items never change together.

        `completed_by` says who last completed the user task with this id, None for nobody. Raises ExpressionFailed; then
        nothing is written at all.
        """
        after = dict(data)
        _run(self._statements, Scope(self._source, after, completed_by), after)
        return after

    def study(self, names: Mapping[str, Kinds]) -> Study:
        """What can be told of it without data, where data items have these kinds."""
        return study_script(self._source, self._statements, names)


def parse_script(text: str) -> Script:
    """A script of `name = value`, `name["key"] = value`, `+=`, `-=`, `if`, `elif` and `else`, with comments. It may be
    indented as a whole. Raises ExpressionInvalid, its offset into `text`.
    """
    source, statements, uses = read_script(text)
    return Script(text, uses.names, uses.writes, uses.functions, uses.flow_nodes, source, statements)


def _run(statements: Sequence[ast.stmt], scope: Scope, after: dict[str, Value]) -> None:
    for statement in statements:
        if isinstance(statement, ast.If):
            _run(statement.body if truth(statement.test, scope) else statement.orelse, scope, after)
            continue
        try:
            _assign(cast("ast.Assign | ast.AugAssign", statement), scope, after)
        except ValueRefused as refused:
            raise scope.source.failed(statement, str(refused)) from None


def _assign(statement: ast.Assign | ast.AugAssign, scope: Scope, after: dict[str, Value]) -> None:
    value = evaluate(statement.value, scope)
    target: ast.expr = statement.target if isinstance(statement, ast.AugAssign) else statement.targets[0]
    if isinstance(statement, ast.AugAssign):
        value = operate(statement.op, evaluate(target, scope), value)
    keys: list[Value] = []
    while isinstance(target, ast.Subscript):
        keys.insert(0, evaluate(target.slice, scope))
        target = target.value
    name = cast("ast.Name", target).id
    after[name] = copied(_with_entry(evaluate(target, scope), keys, value) if keys else value)


def _with_entry(container: Value, keys: Sequence[Value], value: Value) -> Value:
    """A copy of a container in which the entry at the end of the keys has this value."""
    root = inner = copied(container)
    for key in keys[:-1]:
        inner = item_of(inner, key)
    key = keys[-1]
    if isinstance(inner, dict) and isinstance(key, str):
        inner[key] = value
    elif isinstance(inner, list) and type(key) is int:
        item_of(inner, key)  # lists do not grow by an assignment
        inner[key] = value
    else:
        raise ValueRefused(
            "Expected a dictionary with a text in [ ], or a list with a whole number, but it is "
            f"{kind_of(inner)} with {kind_of(key)}. Do: give the data item a dictionary first, as in name = {{}}."
        )
    return root
