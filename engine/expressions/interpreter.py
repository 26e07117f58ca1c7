"""Evaluation: walks over a sieved tree with the data at hand. No loops, so it ends; no state, so it always ends the same."""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from engine.expressions.functions import COMPLETED_BY, FUNCTIONS
from engine.expressions.operations import (
    add,
    contained,
    divide,
    entry_or,
    floor_divide,
    item_of,
    modulo,
    multiply,
    negate,
    ordered,
    positive,
    subtract,
)
from engine.expressions.source import Source
from engine.expressions.values import ValueRefused, checked, kind_of, same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.connector import Value


@dataclass(slots=True)
class Scope:
    """What an evaluation may look at. Not frozen, as making a frozen one costs as much as evaluating three nodes."""

    source: Source
    data: Mapping[str, Value]
    completed_by: Callable[[str], str | None] | None


def evaluate(node: ast.expr, scope: Scope) -> Value:
    """The value of a node. It may share lists and dictionaries with the data. Raises ExpressionFailed."""
    try:
        return _NODES[type(node)](node, scope)
    except ValueRefused as refused:
        raise scope.source.failed(node, str(refused)) from None


def truth(node: ast.expr, scope: Scope) -> bool:
    """The value of a node that decides something: True or False and nothing else. Raises ExpressionFailed."""
    value = evaluate(node, scope)
    if value is True or value is False:
        return value
    message = f'Expected True or False, but it is {kind_of(value)}. Do: compare it, as in amount > 0 or name != "".'
    raise scope.source.failed(node, message)


def operate(sign: ast.operator, left: Value, right: Value) -> Value:
    """What a sign between two values makes of them. Raises ValueRefused."""
    return _OPERATORS[type(sign)](left, right)


def _constant(node: ast.Constant, _scope: Scope) -> Value:
    return cast("Value", node.value)  # grammar.py lets only values through


def _name(node: ast.Name, scope: Scope) -> Value:
    if node.id not in scope.data:  # asked first, as reading could make an entry in some mappings
        advice = "list it in the carry-over map, or set it before this is evaluated"
        raise ValueRefused(f'Expected a value for "{node.id}", but it has none yet. Do: {advice}.')
    return checked(scope.data[node.id])


def _binary(node: ast.BinOp, scope: Scope) -> Value:
    return operate(node.op, evaluate(node.left, scope), evaluate(node.right, scope))


def _unary(node: ast.UnaryOp, scope: Scope) -> Value:
    if isinstance(node.op, ast.Not):
        return not truth(node.operand, scope)
    value = evaluate(node.operand, scope)
    return negate(value) if isinstance(node.op, ast.USub) else positive(value)


def _junction(node: ast.BoolOp, scope: Scope) -> Value:
    decisive = isinstance(node.op, ast.Or)
    for operand in node.values:
        if truth(operand, scope) is decisive:
            return decisive
    return not decisive


def _comparison(node: ast.Compare, scope: Scope) -> Value:
    left = evaluate(node.left, scope)
    for sign, other in zip(node.ops, node.comparators, strict=True):
        right = evaluate(other, scope)
        if not _COMPARISONS[type(sign)](left, right):
            return False
        left = right
    return True


def _choice(node: ast.IfExp, scope: Scope) -> Value:
    return evaluate(node.body if truth(node.test, scope) else node.orelse, scope)


def _list(node: ast.List, scope: Scope) -> Value:
    return checked([evaluate(element, scope) for element in node.elts])


def _dictionary(node: ast.Dict, scope: Scope) -> Value:
    entries: dict[str, Value] = {}
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        key = evaluate(cast("ast.expr", key_node), scope)
        if not isinstance(key, str):
            raise ValueRefused(f"Expected a text as key of a dictionary, but it is {kind_of(key)}. Do: write it in quotes.")
        entries[key] = evaluate(value_node, scope)
    return checked(entries)


def _subscript(node: ast.Subscript, scope: Scope) -> Value:
    return item_of(evaluate(node.value, scope), evaluate(node.slice, scope))


def _call(node: ast.Call, scope: Scope) -> Value:
    arguments = [evaluate(argument, scope) for argument in node.args]
    if isinstance(node.func, ast.Attribute):  # the one method there is
        return entry_or(evaluate(node.func.value, scope), arguments[0], arguments[1] if len(arguments) > 1 else None)
    name = cast("ast.Name", node.func).id
    return _completed_by(arguments[0], scope) if name == COMPLETED_BY else FUNCTIONS[name].apply(*arguments)


def _completed_by(flow_node: Value, scope: Scope) -> Value:
    if scope.completed_by is None:
        message = "Expected to know who completed user tasks, but that is not known here. Do: use it in the diagram's conditions."
        raise ValueRefused(message)
    return checked(scope.completed_by(cast("str", flow_node)))


def _is(left: Value, right: Value) -> bool:
    return left is right  # grammar.py lets only None stand on the right


def _differ(left: Value, right: Value) -> bool:
    return not same(left, right)


def _is_not(left: Value, right: Value) -> bool:
    return left is not right


def _not_contained(element: Value, container: Value) -> bool:
    return not contained(element, container)


_NODES: Final[Mapping[type[ast.expr], Callable[[Any, Scope], Value]]] = MappingProxyType(
    {
        ast.Constant: _constant,
        ast.Name: _name,
        ast.BinOp: _binary,
        ast.UnaryOp: _unary,
        ast.BoolOp: _junction,
        ast.Compare: _comparison,
        ast.IfExp: _choice,
        ast.List: _list,
        ast.Dict: _dictionary,
        ast.Subscript: _subscript,
        ast.Call: _call,
    }
)
_OPERATORS: Final[Mapping[type[ast.operator], Callable[[Value, Value], Value]]] = MappingProxyType(
    {
        ast.Add: add,
        ast.Sub: subtract,
        ast.Mult: multiply,
        ast.Div: divide,
        ast.FloorDiv: floor_divide,
        ast.Mod: modulo,
    }
)
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Value, Value], bool]]] = MappingProxyType(
    {
        ast.Eq: same,
        ast.NotEq: _differ,
        ast.Lt: partial(ordered, operator.lt, "<"),
        ast.LtE: partial(ordered, operator.le, "<="),
        ast.Gt: partial(ordered, operator.gt, ">"),
        ast.GtE: partial(ordered, operator.ge, ">="),
        ast.In: contained,
        ast.NotIn: _not_contained,
        ast.Is: _is,
        ast.IsNot: _is_not,
    }
)
