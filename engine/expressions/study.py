"""What can be told of a text before it is ever evaluated: kinds of values, comparisons, and what it reads before it sets it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from engine.expressions.kinds import ANY, NOTHING, TEXT, Compared, Kind, Kinds, Survey, in_words, kinds_of
from engine.expressions.source import Source, invalid


@dataclass(frozen=True, slots=True)
class Assigned:
    """A value that a script gives to a data item: the kinds that it can have, and the value itself where it is written out."""

    name: str
    kinds: Kinds
    is_literal: bool = False
    value: str | int | bool | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """`kinds` that the value can have; `mismatches` in words, with their place in the text; names `compared` with what is written
    out; `reads` of names whose value may come from before; `assigned`, in order.
    """

    kinds: Kinds
    mismatches: tuple[str, ...] = ()
    compared: tuple[Compared, ...] = ()
    reads: frozenset[str] = frozenset()
    assigned: tuple[Assigned, ...] = ()

    @property
    def reckons_with_nothing(self) -> frozenset[str]:
        """The names that it compares with None: it knows that they may have no value."""
        return frozenset(each.name for each in self.compared if each.value is None)


def study_expression(source: Source, tree: ast.expr, names: Mapping[str, Kinds]) -> Study:
    """Of one expression. `names` are the kinds of the data items."""
    survey = Survey(names)
    return _study(source, survey, survey.of(tree))


def study_pieces(studies: Sequence[Study], text: str) -> Study:
    """Of a text with several expressions in it: each of them is written out into it."""
    unwritable = [
        str(
            invalid(
                text, 0, f"Expected a text or a whole number inside a text, but this is {in_words(each.kinds)}. Do: use str()."
            )
        )
        for each in studies
        if not each.kinds & (TEXT | {Kind.NUMBER})
    ]
    return Study(
        TEXT,
        (*(mismatch for each in studies for mismatch in each.mismatches), *unwritable),
        tuple(compared for each in studies for compared in each.compared),
        frozenset[str]().union(*(each.reads for each in studies)),
    )


def study_script(source: Source, statements: Sequence[ast.stmt], names: Mapping[str, Kinds]) -> Study:
    """Of a script: an item that it sets has from then on the kinds of what it was set to."""
    walk = _Walk(dict(names))
    walk.run(statements)
    return _study(source, walk.survey, NOTHING, walk.reads, walk.assigned)


def _study(
    source: Source, survey: Survey, kinds: Kinds, reads: Iterable[str] | None = None, assigned: Iterable[Assigned] = ()
) -> Study:
    mismatches = tuple(str(source.invalid(each.node, each.message)) for each in survey.mismatches)
    return Study(kinds, mismatches, tuple(survey.compared), frozenset(survey.read if reads is None else reads), tuple(assigned))


class _Walk:
    """One walk over a script, branch by branch."""

    def __init__(self, names: dict[str, Kinds]) -> None:
        self.survey = Survey(names)
        self.reads: set[str] = set()
        self.assigned: list[Assigned] = []
        self._names = names
        self._set: set[str] = set()

    def run(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, ast.If):
                self._branch(statement)
            else:
                self._assign(cast("ast.Assign | ast.AugAssign", statement))

    def _branch(self, statement: ast.If) -> None:
        self.survey.decides(statement.test)
        self._note_reads()
        names, set_before = dict(self._names), set(self._set)
        self.run(statement.body)
        after_body, set_in_body = dict(self._names), set(self._set)
        self._names.clear()
        self._names.update(names)
        self._set = set_before
        self.run(statement.orelse)
        for name in after_body.keys() | self._names.keys():
            self._names[name] = after_body.get(name, ANY) | self._names.get(name, ANY)
        self._set &= set_in_body

    def _assign(self, statement: ast.Assign | ast.AugAssign) -> None:
        target = statement.target if isinstance(statement, ast.AugAssign) else statement.targets[0]
        value: ast.expr = statement.value
        if isinstance(statement, ast.AugAssign):
            value = ast.copy_location(ast.BinOp(target, statement.op, value), statement)
        kinds = self.survey.of(value)
        for key in _keys(target):
            self.survey.of(key)
        if not isinstance(target, ast.Name):
            self._note_reads()
            return
        self._note_reads()
        written_out = isinstance(value, ast.Constant)
        constant = cast("str | int | bool | None", value.value) if isinstance(value, ast.Constant) else None
        self.assigned.append(Assigned(target.id, kinds, written_out, constant))
        self._names[target.id] = kinds_of(constant) if written_out else kinds
        self._set.add(target.id)

    def _note_reads(self) -> None:
        self.reads |= self.survey.read.keys() - self._set
        self.survey.read.clear()


def _keys(target: ast.expr) -> Iterator[ast.expr]:
    """What an assignment to an entry reads: the keys, and the container itself."""
    while isinstance(target, ast.Subscript):
        yield target.slice
        target = target.value
        if isinstance(target, ast.Name):
            yield target
