"""What a rule looks at, and how it says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from engine.connector import Connectors
from engine.definition.carry_over import CarryOverMap
from engine.definition.check.business_rules import asked, decision_texts, items_by_name, names_given
from engine.definition.check.cases import Cases
from engine.definition.check.uses import Place, Text, Unparsable, Use, collect_uses
from engine.definition.data_item import DataType
from engine.definition.decisions.deployed import Decisions, decisions_of
from engine.definition.diagram import Diagram, FlowNode, Process, SequenceFlow
from engine.definition.finding import Finding, Position, Severity
from engine.definition.process_definition import MAP_SUFFIX
from engine.errors import ExpressionInvalid
from engine.expressions import parse_parameter
from engine.expressions.kinds import BOOLEAN, NOTHING, NUMBER, TEXT, Kinds
from engine.expressions.study import Study

Element: TypeAlias = FlowNode | SequenceFlow | Process


@dataclass(frozen=True, slots=True)
class Beside:
    """Another definition of the set that is checked: its diagram's file, its process, and its map where that can be read."""

    file: str
    process: Process
    carry_over: CarryOverMap | None = None


@dataclass(frozen=True)
class Subject:
    """One diagram with everything that belongs to it.

    `carry_over` is None where the map is missing or unreadable; rules about the map then have nothing to say.
    `files` are the definition's files by name, `resources` those of its folders as connectors name them; `beside` are the other
    definitions that are checked at once.
    """

    diagram: Diagram
    process: Process
    carry_over: CarryOverMap | None
    connectors: Connectors
    map_file: str
    files: Mapping[str, bytes]
    resources: Mapping[str, bytes]
    beside: tuple[Beside, ...] = ()

    @cached_property
    def _found(self) -> tuple[tuple[Use, ...], tuple[Unparsable, ...], tuple[Text, ...]]:
        uses, unparsable, texts = collect_uses(self.process)
        of_tables = tuple(decision_texts(self.process, self.decisions))
        read = (each for each in of_tables if isinstance(each, Use))
        return (*uses, *read), unparsable, (*texts, *(each for each in of_tables if isinstance(each, Text)))

    @cached_property
    def decisions(self) -> Decisions:
        """The decisions beside the diagram."""
        return decisions_of(self.map_file.removesuffix(MAP_SUFFIX), self.files)

    @cached_property
    def cases(self) -> tuple[tuple[FlowNode, Cases], ...]:
        """Every task that asks a table, with the cases that the table tells apart, where these can be known."""
        items = self.carry_over.items if self.carry_over else {}
        stand_for = ((node, decision, items_by_name(node, items)) for node, decision in asked(self.process, self.decisions))
        found = ((node, Cases.of(table, {name: items[of] for name, of in names.items()})) for node, table, names in stand_for)
        return tuple((node, cases) for node, cases in found if cases is not None)

    @property
    def uses(self) -> tuple[Use, ...]:
        """Every place where the diagram reads or writes a name."""
        return self._found[0]

    @property
    def unparsable(self) -> tuple[Unparsable, ...]:
        """Every expression, condition and script that is not in the language."""
        return self._found[1]

    @cached_property
    def texts(self) -> tuple[tuple[Text, Study], ...]:
        """Every expression, condition and script that can be parsed, with what can be told of it."""
        kinds = {item.name: kinds_of_type(item.type) for item in self.carry_over.items.values()} if self.carry_over else {}
        return tuple((text, text.parsed.study(self._kinds_at(text, kinds))) for text in self._found[2])

    def _kinds_at(self, text: Text, kinds: Mapping[str, Kinds]) -> Mapping[str, Kinds]:
        """A connector's results hide the data items of their names, and so do what a decision is given and gives."""
        if isinstance(text.element, FlowNode) and (rule := text.element.business_rule) is not None:
            hidden = names_given(self.process, text.element) if text.place is not Place.INPUT else frozenset[str]()
            return {name: kind for name, kind in kinds.items() if name not in hidden and (rule.item or name != rule.result)}
        topic = text.element.topic if text.place is Place.OUTPUT and isinstance(text.element, FlowNode) else None
        connector = self.connectors.get(topic or "")
        return {name: kind for name, kind in kinds.items() if name not in connector.outputs} if connector else kinds

    @property
    def starts(self) -> tuple[FlowNode, ...]:
        """The start events outside of sub-processes, in document order."""
        return tuple(node for node in self.process.of_kind("startEvent") if node.scope is None)


def kinds_of_type(data_type: DataType) -> Kinds:
    """What an item of this type holds in expressions: months and dates are texts, money is a number of minor units."""
    if data_type is DataType.BOOLEAN:
        return BOOLEAN | NOTHING
    return (NUMBER if data_type in (DataType.INTEGER, DataType.MONEY) else TEXT) | NOTHING


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
