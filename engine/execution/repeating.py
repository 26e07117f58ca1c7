"""The expressions of a multi-instance or loop marker, parsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from engine.connector import Value
from engine.definition.repetition import MOST_ROUNDS, Repetition
from engine.errors import ExpressionFailed
from engine.expressions import Condition, Expression, parse_condition, parse_expression
from engine.model.text import shown

_CompletedBy: TypeAlias = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Repeating:
    """How often an activity is done. Raises ExpressionInvalid where a text isn't in the language."""

    cardinality: Expression | None
    collection: Expression | None
    element: str | None
    completion: Condition | None
    condition: Condition | None

    @classmethod
    def of(cls, marker: Repetition) -> Repeating:
        """A marker's expressions."""
        return cls(
            parse_expression(marker.cardinality) if marker.cardinality else None,
            parse_expression(marker.collection) if marker.collection else None,
            marker.element,
            parse_condition(marker.completion) if marker.completion else None,
            parse_condition(marker.condition) if marker.condition else None,
        )

    def values(self, activity: str, names: Mapping[str, Value], completed_by: _CompletedBy) -> list[Value]:
        """One value for each instance of `activity`: the collection's, or numbers from 0. Raises ExpressionFailed."""
        if self.collection is not None:
            found = self.collection.evaluate(names, completed_by)
            if not isinstance(found, list):
                raise ExpressionFailed(
                    f"Expected a list as the collection of {activity!r}, but it is {shown(found)}. "
                    "Do: give the data item a list, or correct the expression."
                )
            return found
        count = self.cardinality.evaluate(names, completed_by) if self.cardinality else None
        if type(count) is not int or not 0 <= count <= MOST_ROUNDS:
            raise ExpressionFailed(
                f"Expected a whole number from 0 to {MOST_ROUNDS:,} as the loop cardinality of {activity!r}, but it is "
                f"{shown(count)}. Do: correct the number, or the data item."
            )
        return list(range(count))

    def completes(self, names: Mapping[str, Value], completed_by: _CompletedBy) -> bool:
        """Whether the completion condition is true. Raises ExpressionFailed."""
        return self.completion is not None and self.completion.holds(names, completed_by)

    def loops_on(self, names: Mapping[str, Value], completed_by: _CompletedBy) -> bool:
        """Whether the loop condition is true. Raises ExpressionFailed."""
        return self.condition is None or self.condition.holds(names, completed_by)
