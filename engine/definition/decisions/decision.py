"""A decision as a table: what it reads, what it gives, and which of its rules hold on the data at hand.

A literal expression is a table of one rule that always holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from engine.connector import Value
from engine.definition.decisions.unary_tests import Literal, UnaryTests
from engine.definition.finding import Position
from engine.errors import ExpressionFailed
from engine.expressions import Expression
from engine.expressions.kinds import Kinds
from engine.expressions.operations import least
from engine.expressions.values import ValueRefused, checked, same
from engine.model.text import shown

CompletedBy: TypeAlias = Callable[[str], str | None]
Result: TypeAlias = dict[str, Value]


class HitPolicy(StrEnum):
    """Which of the rules that hold give the result (DMN 1.3, 8.2.8), of those that give one."""

    UNIQUE = "UNIQUE"
    FIRST = "FIRST"
    ANY = "ANY"
    PRIORITY = "PRIORITY"
    SUM = "COLLECT SUM"
    MIN = "COLLECT MIN"
    MAX = "COLLECT MAX"
    COUNT = "COLLECT COUNT"


@dataclass(frozen=True, slots=True)
class Input:
    """A column of tests. `kinds` are what its type says; `allowed` are the values that it may have, where they are listed."""

    label: str
    expression: Expression
    kinds: Kinds
    position: Position
    allowed: UnaryTests | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A column of results. `values` are those that it may give, the first with the highest priority; none: any. `default` is
    given where no rule holds.
    """

    name: str
    kinds: Kinds
    position: Position
    values: tuple[Literal, ...] = ()
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A result in a rule."""

    expression: Expression
    position: Position


@dataclass(frozen=True, slots=True)
class Rule:
    """A row: it holds where all tests hold. `number` counts from 1, as modelers show it."""

    number: int
    tests: tuple[UnaryTests, ...]
    entries: tuple[Entry, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision by its id, as it is drawn."""

    id: str
    name: str
    position: Position
    hit_policy: HitPolicy
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    rules: tuple[Rule, ...]

    def decide(self, names: Mapping[str, Value], completed_by: CompletedBy | None = None) -> Result:
        """The result by the names of the outputs, on this data. Raises ExpressionFailed, with the rules' lines, where there is
        none: no rule holds and there is no default, or more rules hold than may.
        """
        return _Deciding(self, names, completed_by).result()


@dataclass(frozen=True, slots=True)
class _Deciding:
    decision: Decision
    names: Mapping[str, Value]
    completed_by: CompletedBy | None

    def result(self) -> Result:
        policy = self.decision.hit_policy
        hits = self._hits()
        if policy is HitPolicy.COUNT:
            return self._one(len(hits))
        if not hits:
            return self._default()
        return _RESULTS[policy](self, hits)

    # which rules hold ...............................................................................................

    def _hits(self) -> list[Rule]:
        values = [self._input(column) for column in self.decision.inputs]
        hits = []
        for rule in self.decision.rules:
            if self._holds(rule, values):
                hits.append(rule)
                if self.decision.hit_policy is HitPolicy.FIRST:
                    break
        return hits

    def _input(self, column: Input) -> Value:
        value = self._evaluated(column.expression, column.position)
        allowed = column.allowed
        if allowed is not None and value is not None and not (allowed.judges(value) and allowed.hold(value)):
            raise self._failed(
                f"Expected one of the values that are listed for {shown(column.label)}, but it is another.",
                column.position,
                "correct the value, or list it",
            )
        return value

    def _holds(self, rule: Rule, values: Sequence[Value]) -> bool:
        for tests, value, column in zip(rule.tests, values, self.decision.inputs, strict=True):
            if not tests.judges(value):
                raise self._failed(
                    f"Expected a value of {shown(column.label)} that can be compared with {tests.written}, but it is of "
                    "another kind.",
                    rule.position,
                    "compare like with like",
                )
            if not tests.hold(value):
                return False
        return True

    # what they give .................................................................................................

    def first(self, hits: Sequence[Rule]) -> Result:
        return self._given(hits[0])

    def unique(self, hits: Sequence[Rule]) -> Result:
        if len(hits) > 1:
            raise self._ambiguous("one rule to hold", hits, "make them exclude each other, or choose the hit policy FIRST")
        return self._given(hits[0])

    def any(self, hits: Sequence[Rule]) -> Result:
        results = [self._given(rule) for rule in hits]
        if not all(same(results[0], result) for result in results[1:]):
            raise self._ambiguous("rules that give the same", hits, "make their results equal, or make them exclude each other")
        return results[0]

    def priority(self, hits: Sequence[Rule]) -> Result:
        def rank(result: Result) -> list[int]:
            return [output.values.index(result[output.name]) for output in self.decision.outputs]

        return min((self._given(rule) for rule in hits), key=rank)

    def total(self, hits: Sequence[Rule]) -> Result:
        return self._one(sum(self._numbers(hits)))

    def smallest(self, hits: Sequence[Rule]) -> Result:
        return self._one(least(list(self._numbers(hits))))

    def largest(self, hits: Sequence[Rule]) -> Result:
        return self._one(least(list(self._numbers(hits)), largest=True))

    def _numbers(self, hits: Sequence[Rule]) -> list[int]:
        [output] = self.decision.outputs
        numbers = []
        for rule in hits:
            value = self._given(rule)[output.name]
            if type(value) is not int:
                raise self._failed(
                    "Expected a whole number to collect, but it is something else.", rule.position, "correct the rule's result"
                )
            numbers.append(value)
        return numbers

    def _one(self, value: Value) -> Result:
        [output] = self.decision.outputs
        try:
            return {output.name: checked(value)}
        except ValueRefused as refused:
            raise ExpressionFailed(f"In {self._where(output.position)}: {refused}") from None

    def _given(self, rule: Rule) -> Result:
        result: Result = {}
        for output, entry in zip(self.decision.outputs, rule.entries, strict=True):
            value = self._evaluated(entry.expression, entry.position)
            if output.values and not any(same(value, each) for each in output.values):
                raise self._failed(
                    f"Expected one of the values that are listed for {shown(output.name)}, but the rule gives another.",
                    entry.position,
                    "correct the rule, or list the value",
                )
            result[output.name] = value
        return result

    def _default(self) -> Result:
        given = {output.name: output.default for output in self.decision.outputs}
        if None in given.values():
            raise self._failed(
                f"Expected one of the rules in the lines {_lines(self.decision.rules)} to hold, but none does.",
                self.decision.position,
                "add a rule for this case, or a last one that takes everything else",
            )
        outputs = ((output, output.default) for output in self.decision.outputs if output.default is not None)
        return {output.name: self._evaluated(default, output.position) for output, default in outputs}

    # how it fails ...................................................................................................

    def _evaluated(self, expression: Expression, position: Position) -> Value:
        try:
            return expression.evaluate(self.names, self.completed_by)
        except ExpressionFailed as failed:
            raise ExpressionFailed(f"In {self._where(position)}: {failed}") from failed

    def _ambiguous(self, expected: str, hits: Sequence[Rule], remedy: str) -> ExpressionFailed:
        numbers = _enumerated([str(rule.number) for rule in hits])
        found = f"Expected {expected}, but the rules {numbers} (lines {_lines(hits)}) hold."
        return self._failed(found, self.decision.position, remedy)

    def _failed(self, what: str, position: Position, remedy: str) -> ExpressionFailed:
        return ExpressionFailed(f"In {self._where(position)}: {what} Do: {remedy}.")

    def _where(self, position: Position) -> str:
        return f"the decision {shown(self.decision.name)} ({position.file}:{position.line})"


def _lines(rules: Sequence[Rule]) -> str:
    lines = [rule.position.line for rule in rules]
    if len(lines) > 5:
        return f"{lines[0]} to {lines[-1]}"
    return _enumerated([str(line) for line in lines])


def _enumerated(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "none"


_RESULTS: Mapping[HitPolicy, Callable[[_Deciding, Sequence[Rule]], Result]] = MappingProxyType(
    {
        HitPolicy.UNIQUE: _Deciding.unique,
        HitPolicy.FIRST: _Deciding.first,
        HitPolicy.ANY: _Deciding.any,
        HitPolicy.PRIORITY: _Deciding.priority,
        HitPolicy.SUM: _Deciding.total,
        HitPolicy.MIN: _Deciding.smallest,
        HitPolicy.MAX: _Deciding.largest,
    }
)
