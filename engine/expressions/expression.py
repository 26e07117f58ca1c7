"""Expressions and conditions: what stands at arrows, due dates and mappings."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.expressions.grammar import read_expression
from engine.expressions.interpreter import Scope, evaluate, truth
from engine.expressions.source import Source, invalid
from engine.expressions.study import Study, study_expression
from engine.expressions.tokens import closing_brace
from engine.expressions.values import ValueRefused, copied, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.connector import Value
    from engine.expressions.kinds import Kinds


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What expressions and conditions have in common.

    `text` as it was written; `names`, the data items it reads; `functions` it calls; `flow_nodes`, the user tasks it asks
    about with `completed_by`. Two are equal when their texts are.
    """

    text: str
    names: frozenset[str] = field(compare=False)
    functions: frozenset[str] = field(compare=False)
    flow_nodes: frozenset[str] = field(compare=False)
    _source: Source = field(compare=False, repr=False)
    _tree: ast.expr = field(compare=False, repr=False)

    @property
    def takes_entries(self) -> bool:
        """Whether it takes entries out of lists, dictionaries or texts with [ ]."""
        return any(isinstance(node, ast.Subscript) for node in ast.walk(self._tree))


@dataclass(frozen=True, slots=True)
class Expression(_Parsed):
    """A text that has a value."""

    def evaluate(self, data: Mapping[str, Value], completed_by: Callable[[str], str | None] | None = None) -> Value:
        """Its value on this data; money is in minor units, as the data is. It shares nothing with `data`, which stays as it is.

        `completed_by` says who last completed the user task with this id, None for nobody. Raises ExpressionFailed.
        """
        value = evaluate(self._tree, Scope(self._source, data, completed_by))
        return copied(value) if isinstance(value, list | dict) else value

    def written_out(self, data: Mapping[str, Value], completed_by: Callable[[str], str | None] | None = None) -> str:
        """Its value as a piece of text; anything but a text or a whole number raises ExpressionFailed."""
        value = evaluate(self._tree, Scope(self._source, data, completed_by))
        try:
            return text_of(value)
        except ValueRefused as refused:
            raise self._source.failed(self._tree, str(refused)) from None

    def study(self, names: Mapping[str, Kinds]) -> Study:
        """What can be told of it without data, where data items have these kinds."""
        return study_expression(self._source, self._tree, names)


@dataclass(frozen=True, slots=True)
class Condition(_Parsed):
    """A text that is true or not."""

    def holds(self, data: Mapping[str, Value], completed_by: Callable[[str], str | None] | None = None) -> bool:
        """Whether it is true on this data. Anything but True or False raises ExpressionFailed: nothing counts as true by
        being there. `completed_by` as for expressions.
        """
        return truth(self._tree, Scope(self._source, data, completed_by))

    def study(self, names: Mapping[str, Kinds]) -> Study:
        """What can be told of it without data, where data items have these kinds."""
        return study_expression(self._source, self._tree, names)


def parse_expression(text: str) -> Expression:
    """An expression, bare or as `${...}`, with white space around it. Raises ExpressionInvalid, its offset into `text`."""
    return expression_within(text, *_bounds(text))


def parse_condition(text: str) -> Condition:
    """A condition: the same language as parse_expression. Raises ExpressionInvalid, its offset into `text`."""
    source, tree, uses = read_expression(text, *_bounds(text))
    return Condition(text, uses.names, uses.functions, uses.flow_nodes, source, tree)


def expression_within(text: str, start: int, end: int) -> Expression:
    """The expression in `text[start:end]`; errors point into the whole text. Raises ExpressionInvalid."""
    source, tree, uses = read_expression(text, start, end)
    return Expression(text, uses.names, uses.functions, uses.flow_nodes, source, tree)


def _bounds(text: str) -> tuple[int, int]:
    """Where the expression itself begins and ends: without white space around it, and without `${` and `}`."""
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    if not text.startswith("${", start):
        return start, max(start, end)
    close = closing_brace(text, start + 2)
    if close != end - 1:
        message = "Expected one ${...} around the whole expression, but more follows it. Do: write ${a and b}, not ${a} and ${b}."
        raise invalid(text, close + 1, message)
    return start + 2, close
