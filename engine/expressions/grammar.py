"""The second of two sieves: which of Python's constructs are in the language, and what a text uses.

The lists here say what is allowed; everything else is refused, whatever a later Python may add.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from engine.expressions.functions import COMPLETED_BY, FUNCTIONS
from engine.expressions.limits import MAX_DEPTH, MAX_INTEGER, MAX_NODES
from engine.expressions.source import Source, expression_source, invalid, script_source
from engine.expressions.tokens import EXPRESSIONS, SCRIPTS, Token, read_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.errors import ExpressionInvalid

Node = ast.expr | ast.stmt

_PLAIN: Final = (ast.UnaryOp, ast.BoolOp, ast.IfExp, ast.List, ast.If)
_BINARY: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
_OTHER_WORDS: Final = MappingProxyType(
    {
        "eq": "==",
        "ne": "!=",
        "lt": "<",
        "le": "<=",
        "gt": ">",
        "ge": ">=",
        "div": "//",
        "mod": "%",
        "empty": "is None",
        "AND": "and",
        "OR": "or",
        "NOT": "not",
    }
)
_METHODS: Final = MappingProxyType(
    {
        "equals": "== to compare, as in a == b",
        "equalsIgnoreCase": "lower(a) == lower(b)",
        "isEmpty": 'a == "", or a is None',
        "isBlank": 'strip(a) == "", or a is None',
        "size": "len(a)",
        "length": "len(a)",
        "startsWith": "starts_with(a, b)",
        "endsWith": "ends_with(a, b)",
        "includes": "contains(a, b)",
        "indexOf": "contains(a, b)",
        "toLowerCase": "lower(a)",
        "toUpperCase": "upper(a)",
        "trim": "strip(a)",
        "toString": "str(a)",
        "intValue": "the data item's name alone",
        "compareTo": "a < b, a == b or a > b",
        "getVariable": "the data item's name alone",
        "setVariable": "name = value in a script task",
    }
)
_BETWEEN: Final = frozenset(["and", "or", "in", "is", "if", "else"])
_REFUSED: Final = MappingProxyType(
    {
        ast.Tuple: ("a list in [ ]", "values with commas stand here", "write [a, b]"),
        ast.Set: ("a list in [ ]", "this is a set in { }", "write [a, b]"),
        ast.Slice: ("one element in [ ]", "this is a range", "take single elements, or prepare the value before"),
        ast.Starred: ("single values", "they are unpacked with *", "write them out"),
        ast.Expr: ("an assignment or if", "this statement changes nothing", "write name = value"),
        ast.AnnAssign: ("name = value", "a type stands after the name", "leave the type away"),
    }
)


@dataclass(frozen=True, slots=True)
class Uses:
    """What a text uses: data items it reads and writes, functions it calls, flow nodes it asks about."""

    names: frozenset[str]
    writes: frozenset[str]
    functions: frozenset[str]
    flow_nodes: frozenset[str]


def read_expression(text: str, start: int, end: int) -> tuple[Source, ast.expr, Uses]:
    """The expression in `text[start:end]`, parsed and sieved. Raises ExpressionInvalid with an offset into `text`."""
    tokens = read_tokens(text, start, end, EXPRESSIONS)
    source = expression_source(text, start, end)
    tree = cast("ast.Expression", _parse(source, tokens, "eval")).body
    return source, tree, _Survey(source).of([tree])


def read_script(text: str) -> tuple[Source, Sequence[ast.stmt], Uses]:
    """The statements of a script, parsed and sieved. Raises ExpressionInvalid with an offset into `text`."""
    tokens = read_tokens(text, 0, len(text), SCRIPTS)
    source = script_source(text)
    statements = cast("ast.Module", _parse(source, tokens, "exec")).body
    if not statements:
        raise invalid(text, 0, "Expected at least one assignment, but there are only comments. Do: write name = value.")
    return source, statements, _Survey(source).of(statements)


def _parse(source: Source, tokens: Sequence[Token], mode: str) -> ast.AST:
    try:
        return ast.parse(source.code, mode=mode)
    except SyntaxError as error:
        offset = source.at(error.lineno or 1, (error.offset or 1) - 1)
        raise _misread(source.text, offset, tokens) from None
    except (RecursionError, MemoryError, ValueError):
        message = "Expected an expression that can be read, but it is nested too deeply. Do: split it into steps."
        raise invalid(source.text, 0, message) from None


def _misread(text: str, offset: int, tokens: Sequence[Token]) -> ExpressionInvalid:
    """The most helpful error for what Python's parser stumbled over."""
    for token, following in pairwise(tokens):
        before_operand = following.text in ("(", "[") if following.kind == "sign" else following.text not in _BETWEEN
        if token.text in _OTHER_WORDS and before_operand:
            message = f'Expected an expression, but "{token.text}" has no meaning here. Do: write "{_OTHER_WORDS[token.text]}".'
            return invalid(text, token.offset, message)
    line_begin, assignments = -1, 0
    for token in tokens:
        begin = text.rfind("\n", 0, token.offset) + 1
        if begin != line_begin:
            line_begin, assignments = begin, int(token.text in ("if", "elif"))
        assignments += token.text == "="
        if token.text == "=" and assignments > 1:
            message = 'Expected a comparison, but "=" assigns a value. Do: write "==" to compare.'
            return invalid(text, token.offset, message)
    message = "Expected an expression, but it cannot be read from here on. Do: look for a missing operator, comma or colon."
    return invalid(text, offset, message)


class _Survey:
    """One walk over a parsed text: refuses what is not in the language, and notes what is used."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._names: set[str] = set()
        self._writes: set[str] = set()
        self._functions: set[str] = set()
        self._flow_nodes: set[str] = set()
        self._checks: dict[type[ast.AST], Callable[..., Sequence[Node]]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Call: self._call,
            ast.Attribute: self._attribute,
            ast.Compare: self._comparison,
            ast.BinOp: self._binary,
            ast.Subscript: self._subscript,
            ast.Dict: self._dictionary,
            ast.Assign: self._assignment,
            ast.AugAssign: self._augmented,
            **dict.fromkeys(_PLAIN, _inside),
        }

    def of(self, roots: Sequence[Node]) -> Uses:
        """Walk over these nodes and all below them; without recursion, as depth is what is being checked."""
        pending = [(root, 1) for root in reversed(roots)]
        nodes = 0
        while pending:
            node, depth = pending.pop()
            nodes += 1
            if nodes > MAX_NODES or depth > MAX_DEPTH:
                message = f"Expected at most {MAX_NODES} names, values and operators on {MAX_DEPTH} levels, but there are more."
                raise self._source.invalid(node, f"{message} Do: split it into steps in script tasks.")
            check = self._checks.get(type(node), self._refused)
            pending.extend((child, depth + 1) for child in reversed(check(node)))
        parts = (self._names, self._writes, self._functions, self._flow_nodes)
        return Uses(*map(frozenset, parts))

    def _constant(self, node: ast.Constant) -> Sequence[Node]:
        kind, value = type(node.value), node.value
        if kind is int and isinstance(value, int) and value > MAX_INTEGER:
            message = f"Expected a whole number of at most {MAX_INTEGER:,}, but it is larger. Do: check the digits."
            raise self._source.invalid(node, message)
        if value is not None and kind not in (bool, int, str):
            raise self._source.invalid(node, "Expected a text, whole number, True, False or None, but it is none. Do: write one.")
        return ()

    def _name(self, node: ast.Name) -> Sequence[Node]:
        (self._names if isinstance(node.ctx, ast.Load) else self._writes).add(node.id)
        return ()

    def _call(self, node: ast.Call) -> Sequence[Node]:
        if node.keywords:
            message = 'Expected values in the brackets, but one is named with "=" or "**". Do: write the values alone.'
            raise self._source.invalid(node.keywords[0].value, message)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            self._count(node, "get", 1, 2)
            return (node.func.value, *node.args)
        if isinstance(node.func, ast.Attribute):
            return self._attribute(node.func)
        if not isinstance(node.func, ast.Name):
            raise self._source.invalid(
                node, "Expected the name of a function before (, but it is a value. Do: remove the brackets."
            )
        self._function(node, node.func.id)
        return node.args

    def _function(self, node: ast.Call, name: str) -> None:
        if name == COMPLETED_BY:
            self._count(node, name, 1, 1)
            argument = node.args[0]
            if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str) or not argument.value:
                message = 'Expected the id of a user task in quotes, but it is something else. Do: write completed_by("approve").'
                raise self._source.invalid(argument, message)
            self._flow_nodes.add(argument.value)
        elif name in FUNCTIONS:
            self._count(node, name, FUNCTIONS[name].fewest, FUNCTIONS[name].most)
        elif name == "round":
            message = (
                "Expected whole numbers, but round() is for fractions. Do: use // to round down, (2 * a + b) // (2 * b) to round."
            )
            raise self._source.invalid(node, message)
        else:
            known = ", ".join(sorted([*FUNCTIONS, COMPLETED_BY]))
            raise self._source.invalid(node, f'Expected a known function, but "{name}" is none. Do: use one of {known}.')
        self._functions.add(name)

    def _count(self, node: ast.Call, name: str, fewest: int, most: int) -> None:
        if not fewest <= len(node.args) <= most:
            number = str(fewest) if fewest == most else f"{fewest} to {most}"
            values = "value" if number == "1" else "values"
            message = f"Expected {number} {values} in {name}(), but there are {len(node.args)}. Do: put commas between them."
            raise self._source.invalid(node, message)

    def _attribute(self, node: ast.Attribute) -> Sequence[Node]:
        known = f"{node.attr}(...)" if node.attr in FUNCTIONS else f'["{node.attr}"] for an entry of a dictionary'
        hint = _METHODS.get(node.attr, known)
        raise self._source.invalid(node, f'Expected no ".{node.attr}", but it stands here. Do: write {hint}.')

    def _comparison(self, node: ast.Compare) -> Sequence[Node]:
        for operator, right in zip(node.ops, node.comparators, strict=True):
            is_none = isinstance(right, ast.Constant) and right.value is None
            if isinstance(operator, ast.Is | ast.IsNot) and not is_none:
                message = 'Expected None after "is", but it is something else. Do: write == or != to compare.'
                raise self._source.invalid(right, message)
        return (node.left, *node.comparators)

    def _binary(self, node: ast.BinOp) -> Sequence[Node]:
        if not isinstance(node.op, _BINARY):
            raise self._source.invalid(node, "Expected + - * / // or %, but it is another operator. Do: calculate with these.")
        if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            raise self._source.invalid(node, 'Expected a whole number before "%", but it is a text. Do: join texts with +.')
        return (node.left, node.right)

    def _subscript(self, node: ast.Subscript) -> Sequence[Node]:
        return (node.value, node.slice)

    def _dictionary(self, node: ast.Dict) -> Sequence[Node]:
        keys = [key for key in node.keys if key is not None]
        if len(keys) != len(node.keys):
            raise self._source.invalid(node, 'Expected "key": value, but "**" unpacks a dictionary. Do: write the entries out.')
        return (*keys, *node.values)

    def _assignment(self, node: ast.Assign) -> Sequence[Node]:
        if len(node.targets) != 1:
            message = (
                'Expected one name before "=", but there are several. Do: write "==" to compare, or one assignment on a line.'
            )
            raise self._source.invalid(node.targets[1], message)
        self._target(node.targets[0])
        return (node.value, node.targets[0])

    def _augmented(self, node: ast.AugAssign) -> Sequence[Node]:
        if not isinstance(node.op, ast.Add | ast.Sub):
            raise self._source.invalid(
                node, "Expected =, += or -=, but it is another sign. Do: write name = and the calculation."
            )
        self._names.add(self._target(node.target))
        return (node.target, node.value)

    def _target(self, target: ast.expr) -> str:
        """The data item that an assignment changes."""
        root = target
        while isinstance(root, ast.Subscript):
            root = root.value
        if not isinstance(root, ast.Name):
            message = 'Expected a name before "=", but it is something else. Do: write name = value or name["key"] = value.'
            raise self._source.invalid(target, message)
        self._writes.add(root.id)
        return root.id

    def _refused(self, node: Node) -> Sequence[Node]:
        default = ("an expression of this language", "this is none", "use names, values, operators and functions")
        expected, found, advice = _REFUSED.get(type(node), default)
        raise self._source.invalid(node, f"Expected {expected}, but {found}. Do: {advice}.")


def _inside(node: Node) -> Sequence[Node]:
    return [child for child in ast.iter_child_nodes(node) if isinstance(child, Node)]
