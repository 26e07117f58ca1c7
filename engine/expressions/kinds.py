"""Which kinds of values an expression can have, found out without any data.

A kind is one of the language's types. Whatever isn't known can be all of them, so that only what can never go well is called
a problem: two kinds that are never equal, a sum of a number and a text, a decision by something that is not True or False.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from engine.expressions.functions import COMPLETED_BY


class Kind(Enum):
    """A type of the language, as messages name it."""

    BOOLEAN = "True or False"
    NUMBER = "a whole number"
    TEXT = "a text"
    LIST = "a list"
    DICTIONARY = "a dictionary"
    NOTHING = "None"


Kinds: TypeAlias = frozenset[Kind]
ANY: Final[Kinds] = frozenset(Kind)
BOOLEAN: Final[Kinds] = frozenset({Kind.BOOLEAN})
NUMBER: Final[Kinds] = frozenset({Kind.NUMBER})
TEXT: Final[Kinds] = frozenset({Kind.TEXT})
NOTHING: Final[Kinds] = frozenset({Kind.NOTHING})
LIST: Final[Kinds] = frozenset({Kind.LIST})
_ORDERED: Final = NUMBER | TEXT
_ADDED: Final = NUMBER | TEXT | LIST
_SIZED: Final = TEXT | LIST | {Kind.DICTIONARY}

# function -> what it takes (None: anything), and what it gives
_FUNCTIONS: Final[Mapping[str, tuple[Kinds | None, Kinds]]] = MappingProxyType(
    {
        "len": (_SIZED, NUMBER),
        "min": (_ORDERED | LIST, _ORDERED),
        "max": (_ORDERED | LIST, _ORDERED),
        "abs": (NUMBER, NUMBER),
        "sum": (LIST, NUMBER),
        "str": (_ORDERED, TEXT),
        "int": (_ORDERED, NUMBER),
        "lower": (TEXT, TEXT),
        "upper": (TEXT, TEXT),
        "strip": (TEXT, TEXT),
        "contains": (None, BOOLEAN),
        "starts_with": (TEXT, BOOLEAN),
        "ends_with": (TEXT, BOOLEAN),
        COMPLETED_BY: (None, TEXT | NOTHING),
    }
)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What can never go well, and the 0-based character of the text where it stands."""

    node: ast.expr
    message: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A name that is compared for equality with something written out: a text, whole number, True, False or None."""

    name: str
    value: str | int | bool | None


def in_words(kinds: Kinds) -> str:
    """`a text or None`."""
    return " or ".join(kind.value for kind in Kind if kind in kinds)


class Survey:
    """Finds the kinds of nodes, where each name has the kinds in `names` (any, if it isn't there), and notes on the way what is
    read, what is compared, and what can never go well.
    """

    def __init__(self, names: Mapping[str, Kinds]) -> None:
        self.names = names
        self.mismatches: list[Mismatch] = []
        self.compared: list[Compared] = []
        self.read: dict[str, None] = {}
        self._of: Mapping[type[ast.AST], Callable[..., Kinds]] = {
            ast.Constant: lambda node: kinds_of(node.value),
            ast.Name: self._name,
            ast.List: self._list,
            ast.Dict: self._dictionary,
            ast.BoolOp: self._junction,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.Compare: self._comparison,
            ast.IfExp: self._choice,
            ast.Call: self._call,
            ast.Subscript: self._subscript,
        }

    def of(self, node: ast.expr) -> Kinds:
        """The kinds that the value of a node can have."""
        return self._of[type(node)](node)

    def decides(self, node: ast.expr) -> Kinds:
        """The same for a node that must be True or False."""
        kinds = self.of(node)
        if Kind.BOOLEAN not in kinds:
            self._note(node, f"Expected True or False, but this is {in_words(kinds - NOTHING or kinds)}. Do: compare it.")
        return kinds

    def _note(self, node: ast.expr, message: str) -> Kinds:
        self.mismatches.append(Mismatch(node, message))
        return ANY

    def _name(self, node: ast.Name) -> Kinds:
        self.read.setdefault(node.id)
        return self.names.get(node.id, ANY)

    def _list(self, node: ast.List) -> Kinds:
        for each in node.elts:
            self.of(each)
        return LIST

    def _dictionary(self, node: ast.Dict) -> Kinds:
        for each in (*filter(None, node.keys), *node.values):
            self.of(each)
        return frozenset({Kind.DICTIONARY})

    def _junction(self, node: ast.BoolOp) -> Kinds:
        for each in node.values:
            self.decides(each)
        return BOOLEAN

    def _unary(self, node: ast.UnaryOp) -> Kinds:
        if isinstance(node.op, ast.Not):
            self.decides(node.operand)
            return BOOLEAN
        self._needs(node.operand, NUMBER, "after a sign")
        return NUMBER

    def _needs(self, node: ast.expr, wanted: Kinds, where: str) -> None:
        kinds = self.of(node)
        if not kinds & wanted:
            self._note(node, f"Expected {in_words(wanted)} {where}, but this is {in_words(kinds)}. Do: correct it.")

    def _binary(self, node: ast.BinOp) -> Kinds:
        left, right = self.of(node.left), self.of(node.right)
        repeated = (Kind.TEXT in left and Kind.NUMBER in right) or (Kind.NUMBER in left and Kind.TEXT in right)
        if isinstance(node.op, ast.Mult) and repeated:
            return _ORDERED
        fitting = (left & right) & (_ADDED if isinstance(node.op, ast.Add) else NUMBER)
        if not fitting:
            wanted = "two whole numbers, texts or lists" if isinstance(node.op, ast.Add) else "two whole numbers"
            self._note(node, f"Expected {wanted}, but they are {_both(left, right)}. Do: use int() or str().")
            return _ADDED if isinstance(node.op, ast.Add) else NUMBER
        return fitting

    def _comparison(self, node: ast.Compare) -> Kinds:
        operands = [node.left, *node.comparators]
        kinds = [self.of(each) for each in operands]
        for number, operator in enumerate(node.ops):
            self._compare(operator, operands[number], operands[number + 1], kinds[number], kinds[number + 1])
        return BOOLEAN

    def _compare(self, operator: ast.cmpop, first: ast.expr, second: ast.expr, left: Kinds, right: Kinds) -> None:
        if isinstance(operator, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
            self.compared += [*_compared(first, second), *_compared(second, first)]
            if not _can_be_equal(left, right):
                self._note(
                    second, f"Expected values that can be equal, but they are {_both(left, right)}. Do: compare like with like."
                )
        elif isinstance(operator, ast.In | ast.NotIn):
            for each in second.elts if isinstance(second, ast.List) else ():
                self.compared += _compared(first, each)
            self._contains(second, left, right)
        elif not left & right & _ORDERED:
            found = _both(left, right)
            self._note(
                second, f"Expected two whole numbers or two texts to compare, but they are {found}. Do: compare like with like."
            )

    def _contains(self, container: ast.expr, element: Kinds, kinds: Kinds) -> None:
        if not kinds & _SIZED:
            self._note(
                container, f"Expected a list or a text to look in, but this is {in_words(kinds)}. Do: write [one, another]."
            )
        elif not kinds & (LIST | {Kind.DICTIONARY}) and Kind.TEXT not in element:
            self._note(container, f"Expected a text to look for in a text, but it is {in_words(element)}. Do: use str().")
        elif isinstance(container, ast.List):
            offered = frozenset[Kind]().union(*(self.of(each) for each in container.elts))
            if container.elts and not _can_be_equal(element, offered):
                self._note(
                    container, f"Expected values that can be equal, but they are {_both(element, offered)}. Do: correct one."
                )

    def _choice(self, node: ast.IfExp) -> Kinds:
        self.decides(node.test)
        return self.of(node.body) | self.of(node.orelse)

    def _call(self, node: ast.Call) -> Kinds:
        if isinstance(node.func, ast.Attribute):  # .get is the only one there is
            self._needs(node.func.value, frozenset({Kind.DICTIONARY}), "before .get()")
            for each in node.args:
                self.of(each)
            return ANY
        name = cast("ast.Name", node.func).id
        takes, gives = _FUNCTIONS[name]
        for each in node.args:
            if takes is None:
                self.of(each)
            else:
                self._needs(each, takes, f"in {name}()")
        return gives

    def _subscript(self, node: ast.Subscript) -> Kinds:
        self._needs(node.value, _SIZED, "before [ ]")
        self.of(node.slice)
        return ANY


def kinds_of(value: object) -> Kinds:
    """The kind of a value that is written out."""
    if value is None:
        return NOTHING
    return BOOLEAN if isinstance(value, bool) else NUMBER if isinstance(value, int) else TEXT


def _can_be_equal(left: Kinds, right: Kinds) -> bool:
    """None aside, where both can be something else: nobody compares two things only to learn that both are missing."""
    if left == NOTHING or right == NOTHING:
        return bool(left & right)
    return bool((left & right) - NOTHING)


def _compared(name: ast.expr, value: ast.expr) -> Iterator[Compared]:
    if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
        yield Compared(name.id, cast("str | int | bool | None", value.value))


def _both(left: Kinds, right: Kinds) -> str:
    return f"{in_words(left - NOTHING or left)} and {in_words(right - NOTHING or right)}"
