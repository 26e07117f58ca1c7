"""What a rule looks at, and how it says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from engine.connector import Connectors
from engine.definition.carry_over import CarryOverMap
from engine.definition.check.uses import Unparsable, Use, collect_uses
from engine.definition.diagram import Diagram, FlowNode, Process, SequenceFlow
from engine.definition.finding import Finding, Position, Severity
from engine.errors import ExpressionInvalid
from engine.expressions import parse_parameter

Element: TypeAlias = FlowNode | SequenceFlow | Process


@dataclass(frozen=True)
class Subject:
    """One diagram with everything that belongs to it.

    `carry_over` is None where the map is missing or unreadable; rules about the map then have nothing to say.
    `files` are the definition's files by name, `resources` those of its folders as connectors name them.
    """

    diagram: Diagram
    process: Process
    carry_over: CarryOverMap | None
    connectors: Connectors
    map_file: str
    files: Mapping[str, bytes]
    resources: Mapping[str, bytes]

    @cached_property
    def _found(self) -> tuple[tuple[Use, ...], tuple[Unparsable, ...]]:
        return collect_uses(self.process)

    @property
    def uses(self) -> tuple[Use, ...]:
        """Every place where the diagram reads or writes a name."""
        return self._found[0]

    @property
    def unparsable(self) -> tuple[Unparsable, ...]:
        """Every expression, condition and script that is not in the language."""
        return self._found[1]

    @property
    def starts(self) -> tuple[FlowNode, ...]:
        """The start events outside of sub-processes, in document order."""
        return tuple(node for node in self.process.of_kind("startEvent") if node.scope is None)


Rule: TypeAlias = Callable[[Subject], Iterator[Finding]]
"""One rule. Its name with hyphens is its verdict, its docstring its documentation."""


def verdict(rule: Rule) -> str:
    """The kebab-case name under which a rule's findings appear."""
    return str(getattr(rule, "__name__", "")).replace("_", "-")


def label(element: Element) -> str:
    """What an analyst calls an element: its name in the diagram, else its id."""
    return " ".join((element.name or element.id).split())


def path_of(process: Process, nodes: tuple[str, ...]) -> str:
    """A path as people read it: `1rr -> 1. Charging amount entry -> 3. Charge`."""
    return " -> ".join(label(process.nodes[node]) for node in nodes)


def is_literal(text: str) -> bool:
    """Whether a text is written out, without an expression, so that it can be judged before anything runs."""
    try:
        return parse_parameter(text).is_literal
    except ExpressionInvalid:
        return False  # expression-invalid says it


def error(rule: str, where: Element | Position, message: str, at: Position | None = None) -> Finding:
    """A finding that keeps the definition from being deployed; `at` where it isn't at the element's own start tag."""
    return _finding(rule, Severity.ERROR, where, message, at)


def warning(rule: str, where: Element | Position, message: str, at: Position | None = None) -> Finding:
    """A finding that is probably a mistake."""
    return _finding(rule, Severity.WARNING, where, message, at)


def note(rule: str, where: Element | Position, message: str, at: Position | None = None) -> Finding:
    """A finding that is worth knowing."""
    return _finding(rule, Severity.NOTE, where, message, at)


def _finding(rule: str, severity: Severity, where: Element | Position, message: str, at: Position | None) -> Finding:
    if isinstance(where, Position):
        return Finding(rule, severity, where, message)
    return Finding(rule, severity, at or where.position, message, where.id, where.name)
