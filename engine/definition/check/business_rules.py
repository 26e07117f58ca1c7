"""What business rule tasks say that isn't executed, and what the tables behind them read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from engine.definition.check.uses import Place, Text, Use
from engine.definition.decisions.business_rule import DEPLOYMENT, SINGLE_ENTRY, SINGLE_RESULT
from engine.definition.decisions.decision import Decision, Output
from engine.definition.decisions.deployed import Decisions
from engine.definition.diagram import FlowNode, Process
from engine.definition.finding import Position
from engine.definition.repetition import names_counted
from engine.definition.scopes import around
from engine.expressions import Expression


def refused_settings(node: FlowNode) -> Iterator[tuple[str, str]]:
    """(what isn't executed, what to do instead) of a business rule task."""
    rule = node.business_rule
    if rule is None:
        return
    if rule.decision and "${" in rule.decision:
        yield "a computed decision", "write the decision's id, and let an exclusive gateway choose among several tasks"
    if rule.binding != DEPLOYMENT:
        yield (
            f"a decision with the binding {rule.binding or 'latest'}",
            "choose the binding 'deployment': instances keep the table that was deployed with their diagram",
        )
    if rule.mapping not in (SINGLE_ENTRY, SINGLE_RESULT):
        yield (
            f"the decision result {rule.mapping or 'resultList'}",
            "name a result variable, and map the result as singleEntry (one value) or singleResult (several by name)",
        )


def asked(process: Process, decisions: Decisions) -> Iterator[tuple[FlowNode, Decision]]:
    """Every business rule task with the decision that it asks, where there is one."""
    for node in process.of_kind("businessRuleTask"):
        decision = decisions.by_id.get((node.business_rule and node.business_rule.decision) or "")
        if decision is not None:
            yield node, decision


def decision_texts(process: Process, decisions: Decisions) -> Iterator[Use | Text]:
    """Every expression in the tables that a process asks, at the task that asks, and what it reads of the instance's data."""
    for node, decision in asked(process, decisions):
        given = names_given(process, node)
        for text in _texts(node, decision):
            yield text
            assert isinstance(text.parsed, Expression)
            for name in sorted(text.parsed.names - given):
                yield Use(name, Place.DECISION, node, text.position)
            for flow_node in sorted(text.parsed.flow_nodes):
                yield Use(flow_node, Place.DECISION, node, text.position, is_flow_node=True)


def _texts(node: FlowNode, decision: Decision) -> Iterator[Text]:
    for number, column in enumerate(decision.inputs):
        optional = any(None in rule.tests[number].literals for rule in decision.rules)
        yield Text(Place.DECISION, column.expression, node, column.position, optional=optional)
    for _, expression, position in results_of(decision):
        yield Text(Place.DECISION, expression, node, position)


def results_of(decision: Decision) -> Iterator[tuple[Output, Expression, Position]]:
    """What a decision may give: the entries of its rules, and its defaults."""
    for rule in decision.rules:
        for output, entry in zip(decision.outputs, rule.entries, strict=True):
            yield output, entry.expression, entry.position
    for output in decision.outputs:
        if output.default is not None:
            yield output, output.default, output.position


def names_given(process: Process, node: FlowNode) -> frozenset[str]:
    """The names that a table finds beside data items: the task's input parameters, and what is counted around it."""
    counted = (names_counted(each.repetition) for each in (*around(process, node), node) if each.repetition)
    return frozenset(parameter.name for parameter in node.inputs).union(*counted)


def items_by_name(node: FlowNode, items: Collection[str]) -> Mapping[str, str]:
    """What the table's names stand for: data items by themselves, and input parameters that are nothing but a data item."""
    names = {item: item for item in items}
    for parameter in node.inputs:
        names.pop(parameter.name, None)
        handed = "".join(parameter.text.split()).removeprefix("${").removesuffix("}")
        if handed in items and "${" in parameter.text:
            names[parameter.name] = handed
    return names
