"""Parameters: what an analyst types into a field of the modeler for a service task or a mapping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.expressions.expression import Expression, expression_within
from engine.expressions.kinds import TEXT
from engine.expressions.limits import MAX_TEXT
from engine.expressions.source import failed, invalid
from engine.expressions.study import Study, study_pieces
from engine.expressions.tokens import closing_brace
from engine.expressions.values import ValueRefused, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.connector import Value
    from engine.expressions.kinds import Kinds


@dataclass(frozen=True, slots=True)
class Parameter:
    """A text with expressions in it, or a plain one (`is_literal`).

    `names` are the data items that its expressions read, `flow_nodes` the user tasks they ask about.
    """

    text: str
    names: frozenset[str]
    flow_nodes: frozenset[str]
    is_literal: bool
    _parts: tuple[str | Expression, ...]

    def evaluate(self, data: Mapping[str, Value], completed_by: Callable[[str], str | None] | None = None) -> Value:
        """A single expression's value with its type; else a text, in which each expression must yield a text or a whole
        number. Raises ExpressionFailed.
        """
        if len(self._parts) == 1 and isinstance(self._parts[0], Expression):
            return self._parts[0].evaluate(data, completed_by)
        pieces = (part if isinstance(part, str) else part.written_out(data, completed_by) for part in self._parts)
        try:
            return joined(pieces)
        except ValueRefused as refused:
            raise failed(self.text, 0, str(refused)) from None

    def study(self, names: Mapping[str, Kinds]) -> Study:
        """What can be told of it without data, where data items have these kinds."""
        studies = [part.study(names) for part in self._parts if isinstance(part, Expression)]
        if not studies:
            return Study(TEXT)
        return studies[0] if len(self._parts) == 1 else study_pieces(studies, self.text)


def parse_parameter(text: str) -> Parameter:
    """A parameter: literal text; or one `${expression}`, white space around it ignored, which keeps its type; or text with
    `${expression}` in it. `$${` stands for the characters `${`; a dollar sign before an expression is `${"$"}${amount}`.
    Raises ExpressionInvalid, its offset into `text`.
    """
    if len(text) > MAX_TEXT:
        message = f"Expected at most {MAX_TEXT:,} characters, but there are {len(text):,}. Do: put long texts into a file."
        raise invalid(text, 0, message)
    parts = _read_parts(text)
    expressions = [part for part in parts if isinstance(part, Expression)]
    if len(expressions) == 1 and all(isinstance(part, Expression) or not part.strip() for part in parts):
        parts = list(expressions)
    return Parameter(
        text,
        frozenset[str]().union(*(expression.names for expression in expressions)),
        frozenset[str]().union(*(expression.flow_nodes for expression in expressions)),
        not expressions,
        tuple(parts),
    )


def _read_parts(text: str) -> list[str | Expression]:
    parts: list[str | Expression] = []
    literal, position = "", 0
    while position < len(text):
        if text.startswith("$${", position):
            literal, position = literal + "${", position + 3
        elif text.startswith("${", position):
            close = closing_brace(text, position + 2)
            parts += [literal, expression_within(text, position + 2, close)]
            literal, position = "", close + 1
        elif text.startswith("#{", position):
            message = 'Expected "${" before an expression, but it is "#{". Do: write ${...}, or ${"#"}{ for the characters.'
            raise invalid(text, position, message)
        else:
            literal, position = literal + text[position], position + 1
    return [part for part in [*parts, literal] if part != ""]
