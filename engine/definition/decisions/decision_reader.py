"""Reads decisions from DMN 1.1, 1.2 and 1.3. Whatever changes a table's meaning and isn't executed is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from engine.definition.bpmn_xml import attribute, children, elements, first, names, text_of
from engine.definition.decisions.decision import Decision, Entry, HitPolicy, Input, Output, Rule
from engine.definition.decisions.decision_xml import (
    DRAWN,
    EXPLAINED,
    IN_INPUT,
    IN_OUTPUT,
    IN_RULE,
    IN_TABLE,
    NAMES,
    TYPES,
    VERSIONS,
    is_feel,
)
from engine.definition.decisions.unary_tests import Literal, UnaryTests, is_date, parse_literals, parse_unary_tests
from engine.definition.finding import Finding, Position, Severity
from engine.definition.safe_xml import Document, read_document
from engine.errors import DefinitionInvalid, ExpressionInvalid
from engine.expressions import Expression, parse_expression
from engine.expressions.kinds import ANY, Kinds
from engine.model.text import did_you_mean, shown

if TYPE_CHECKING:
    from lxml.etree import _Element

MOST_RULES = 1_000
MOST_COLUMNS = 50
_CONSTANTS = {"true": "True", "false": "False", "null": "None"}
_DATE = re.compile(r'date\(\s*("[0-9-]{10}")\s*\)')
_POLICIES = ("UNIQUE", "FIRST", "ANY", "PRIORITY")
_AGGREGATIONS = ("SUM", "MIN", "MAX", "COUNT")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DecisionFile:
    """What is in a file: the decisions that can be read, and everything that is wrong with it."""

    decisions: tuple[Decision, ...]
    problems: tuple[Finding, ...]


def read_decisions(content: bytes, file: str) -> DecisionFile:
    """The decisions in a DMN file; never raises for what it says. `file` is the name that findings use."""
    try:
        document = read_document(content, file)
    except DefinitionInvalid as invalid:
        problems = (Finding("decision-invalid", Severity.ERROR, each.position, each.message) for each in invalid.findings)
        return DecisionFile((), tuple(problems))
    return _Reader(document).read()


class _Refused(Exception):
    """What keeps a decision from being read. Never leaves this module."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.position = position


class _Reader:
    """One file. A problem in a cell keeps its decision from being read, and the reader goes on to find the others."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._namespace = names(document.root)[0]
        self._problems: list[Finding] = []
        self._decision: tuple[str | None, str | None] = (None, None)

    def read(self) -> DecisionFile:
        root = self._document.root
        if names(root)[1] != "definitions" or self._namespace not in VERSIONS:
            found = (
                f"it is <{names(root)[1]}>" if names(root)[1] != "definitions" else f"its namespace is {shown(self._namespace)}"
            )
            self._note(root, f"a DMN file of version {', '.join(VERSIONS.values())}, but {found}", "save it with Camunda Modeler")
            return DecisionFile((), tuple(self._problems))
        self._language(root)
        self._known(root, DRAWN | {"decision"})
        decisions = [self._whole(each) for each in children(root, "decision", self._namespace)]
        return DecisionFile(tuple(each for each in decisions if each), tuple(self._problems))

    def _whole(self, element: _Element) -> Decision | None:
        """A decision; None where anything in it is refused."""
        before = len(self._problems)
        self._decision = attribute(element, "id"), attribute(element, "name")
        try:
            decision = self._read_decision(element)
        except _Refused as refused:
            self._add(refused.position, str(refused))
            return None
        return decision if len(self._problems) == before else None

    def _read_decision(self, element: _Element) -> Decision:
        self._known(element, EXPLAINED | {"decisionTable", "literalExpression", "informationRequirement"})
        for requirement in children(element, "informationRequirement", self._namespace):
            self._known(requirement, {"requiredInput", "extensionElements", "description"})
        table, literal = (first(element, name, self._namespace) for name in ("decisionTable", "literalExpression"))
        key = attribute(element, "id")
        if key is None:
            raise self._refused(element, "an id for the decision, but there is none", "give it one")
        if table is not None:
            return self._table(element, table, key)
        if literal is None:
            raise self._refused(element, "a decision table or a literal expression, but the decision has neither", "draw a table")
        return self._literal(element, literal, key)

    def _literal(self, element: _Element, literal: _Element, key: str) -> Decision:
        variable = first(element, "variable", self._namespace)
        name = (attribute(variable, "name") if variable is not None else None) or key
        position = self._document.position(literal)
        kinds = self._type(variable) if variable is not None else ANY
        rule = Rule(1, (), (Entry(self._expression(literal, "the literal expression"), position),), position)
        title = attribute(element, "name") or key
        return Decision(
            key, title, self._document.position(element), HitPolicy.FIRST, (), (Output(name, kinds, position),), (rule,)
        )

    # tables .........................................................................................................

    def _table(self, element: _Element, table: _Element, key: str) -> Decision:
        self._known(table, IN_TABLE)
        columns = [list(children(table, name, self._namespace)) for name in ("input", "output", "rule")]
        for found, most, what in zip(
            columns, (MOST_COLUMNS, MOST_COLUMNS, MOST_RULES), ("inputs", "outputs", "rules"), strict=True
        ):
            if len(found) > most:
                raise self._refused(table, f"at most {most:,} {what}, but there are {len(found):,}", "split the table")
        policy = self._policy(table)
        inputs = tuple(self._input(each) for each in columns[0])
        outputs = tuple(self._output(each, key, alone=len(columns[1]) == 1) for each in columns[1])
        self._check_outputs(table, policy, outputs)
        rules = tuple(self._rule(number, each, len(inputs), len(outputs)) for number, each in enumerate(columns[2], 1))
        if not rules:
            self._note(table, "rules in the table, but there are none", "add one")
        title = attribute(element, "name") or key
        return Decision(key, title, self._document.position(element), policy, inputs, outputs, rules)

    def _policy(self, table: _Element) -> HitPolicy:
        policy, aggregation = attribute(table, "hitPolicy") or "UNIQUE", attribute(table, "aggregation")
        if policy in _POLICIES:
            if aggregation is not None:
                self._note(table, f"no aggregation under {policy}, but it is {aggregation}", "remove it, or choose COLLECT")
            return HitPolicy(policy)
        if policy == "COLLECT" and aggregation in _AGGREGATIONS:
            return HitPolicy(f"COLLECT {aggregation}")
        found = "COLLECT without an aggregation" if policy == "COLLECT" else policy
        known = f"{', '.join(_POLICIES)}, or COLLECT with {', '.join(_AGGREGATIONS)}"
        raise self._refused(
            table,
            f"a hit policy that gives one result ({known}), but it is {found}",
            "choose one of them: no data item holds a list",
        )

    def _check_outputs(self, table: _Element, policy: HitPolicy, outputs: tuple[Output, ...]) -> None:
        taken = [output.name for output in outputs]
        if not outputs:
            raise self._refused(table, "an output, but the table has none", "add one")
        if len(set(taken)) < len(taken):
            self._note(table, "outputs with different names, but two are called alike", "rename one")
        if policy.startswith("COLLECT") and len(outputs) > 1:
            self._note(table, f"one output to collect, but there are {len(outputs)}", "split the table")
        if policy is HitPolicy.PRIORITY and not all(output.values for output in outputs):
            self._note(
                table, "the output values of each output in the order of their priority, but they are missing", "list them"
            )
        if len({output.default is None for output in outputs}) > 1:
            self._note(table, "a default for each output or for none, but some have one", "add the others")

    def _input(self, element: _Element) -> Input:
        self._known(element, IN_INPUT)
        inner = first(element, "inputExpression", self._namespace)
        if inner is None:
            raise self._refused(element, "an expression for the input, but there is none", "name a data item")
        expression = self._expression(inner, "the input")
        values = first(element, "inputValues", self._namespace)
        allowed = self._tests(values) if values is not None and text_of(values) else None
        label = attribute(element, "label") or " ".join(expression.text.split())
        return Input(label, expression, self._type(inner), self._document.position(element), allowed)

    def _output(self, element: _Element, key: str, *, alone: bool) -> Output:
        self._known(element, IN_OUTPUT)
        name = attribute(element, "name") or (key if alone else None)
        if name is None:
            raise self._refused(element, "a name for each of several outputs, but there is none", "give it one")
        values = first(element, "outputValues", self._namespace)
        listed: tuple[Literal, ...] = ()
        if values is not None and text_of(values):
            listed = self._parsed(values, parse_literals)
        default = first(element, "defaultOutputEntry", self._namespace)
        given = self._expression(default, "the default") if default is not None and text_of(default) else None
        return Output(name, self._type(element), self._document.position(element), listed, given)

    def _rule(self, number: int, element: _Element, inputs: int, outputs: int) -> Rule:
        self._known(element, IN_RULE)
        tests = list(children(element, "inputEntry", self._namespace))
        entries = list(children(element, "outputEntry", self._namespace))
        if (len(tests), len(entries)) != (inputs, outputs):
            found = f"rule {number} has {len(tests)} and {len(entries)}"
            raise self._refused(element, f"{inputs} inputs and {outputs} outputs, but {found}", "save the table with a modeler")
        results = (Entry(self._entry(each, number), self._document.position(each)) for each in entries)
        return Rule(number, tuple(map(self._cell, tests)), tuple(results), self._document.position(element))

    # cells ..........................................................................................................

    def _cell(self, element: _Element) -> UnaryTests:
        try:
            return self._tests(element)
        except _Refused as refused:
            self._add(refused.position, str(refused))
            return UnaryTests("")

    def _entry(self, element: _Element, number: int) -> Expression:
        try:
            return self._expression(element, f"rule {number}'s result")
        except _Refused as refused:
            self._add(refused.position, str(refused))
            return parse_expression("None")

    def _tests(self, element: _Element) -> UnaryTests:
        return self._parsed(element, parse_unary_tests)

    def _parsed(self, element: _Element, parse: Callable[[str], _T]) -> _T:
        self._language(element)
        try:
            return parse(self._text(element))
        except ExpressionInvalid as invalid:
            raise _Refused(self._document.position(element), str(invalid)) from None

    def _expression(self, element: _Element, what: str) -> Expression:
        text = self._text(element).strip()
        if not text:
            raise self._refused(
                element, f"a value or an expression in {what}, but it is empty", "write one, or null for no value"
            )
        text = _CONSTANTS.get(text, text)
        if (written := _DATE.fullmatch(text)) and is_date(written[1].strip('"')):
            text = written[1]
        self._language(element)
        try:
            expression = parse_expression(text)
        except ExpressionInvalid as invalid:
            raise _Refused(self._document.position(element), str(invalid)) from None
        if expression.takes_entries:  # FEEL counts from 1, this language from 0
            raise self._refused(element, f"no [ ] in {what}, which FEEL counts otherwise, but there is", "use a data item for it")
        return expression

    def _text(self, element: _Element) -> str:
        inner = first(element, "text", self._namespace)
        return "".join(map(str, inner.itertext())) if inner is not None else ""

    def _type(self, element: _Element) -> Kinds:
        """The kinds of values that a column's type allows."""
        written = attribute(element, "typeRef")
        local = written.rpartition(":")[2].rpartition("}")[2] if written else "Any"
        if local not in TYPES:
            known = did_you_mean(local, TYPES).removeprefix("Do: ").removesuffix(".")
            self._note(element, f"a type that is known here, but it is {shown(local)}", known)
        return TYPES.get(local, ANY)

    def _language(self, element: _Element) -> None:
        language = attribute(element, "expressionLanguage")
        if not is_feel(language):
            self._note(element, f"FEEL as the expression language, but it is {shown(language)}", "choose FEEL, and write it so")

    # what is refused ................................................................................................

    def _known(self, element: _Element, known: Collection[str]) -> None:
        """Everything of DMN's own inside of an element is known."""
        for child in self._own(element):
            local = names(child)[1]
            if local not in known:
                what = NAMES.get(local, f"the element {local}")
                self._note(child, f"only what this version evaluates, but there is {what}", "write a decision table without it")

    def _own(self, element: _Element) -> Iterator[_Element]:
        return (child for child in elements(element) if names(child)[0] == self._namespace)

    def _refused(self, element: _Element, expected: str, remedy: str) -> _Refused:
        return _Refused(self._document.position(element), f"Expected {expected}. Do: {remedy}.")

    def _note(self, element: _Element, expected: str, remedy: str) -> None:
        self._add(self._document.position(element), f"Expected {expected}. Do: {remedy}.")

    def _add(self, position: Position, message: str) -> None:
        key, name = self._decision
        self._problems.append(Finding("decision-invalid", Severity.ERROR, position, message, key, name))
