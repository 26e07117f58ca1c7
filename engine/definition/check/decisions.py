"""Rules about business rule tasks, and the decision tables that they ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.connector import Value
from engine.definition.check.business_rules import asked, items_by_name, names_given, results_of
from engine.definition.check.cases import name_alone
from engine.definition.check.subject import Subject, error, kinds_of_type, label, note, warning
from engine.definition.check.types import misfit, refusal
from engine.definition.check.uses import Place
from engine.definition.data_item import DataItem
from engine.definition.decisions.business_rule import SINGLE_ENTRY, SINGLE_RESULT, BusinessRule
from engine.definition.decisions.decision import Decision, HitPolicy, Input, Output
from engine.definition.decisions.deployed import FOLDER, SUFFIX
from engine.definition.diagram import FlowNode
from engine.definition.finding import Finding, Position
from engine.definition.process_definition import MAP_SUFFIX
from engine.errors import ExpressionFailed
from engine.expressions import Expression
from engine.expressions.kinds import NOTHING, NUMBER, Kinds, in_words
from engine.expressions.study import Study
from engine.expressions.values import same
from engine.model.text import did_you_mean, shown

_COLLECTS = (HitPolicy.SUM, HitPolicy.MIN, HitPolicy.MAX)


def decision_missing(subject: Subject) -> Iterator[Finding]:
    """A business rule task names a decision in the folder `NAME.decisions/` beside its diagram.

    Why: the tables are deployed together with the diagram, and instances keep those that they began with.
    Wrong: `camunda:decisionRef="discuont"`, or `discount.dmn` beside the diagram
    Right: `camunda:decisionRef="discount"`, with `NAME.decisions/discount.dmn`
    """
    known, problems = subject.decisions.by_id, subject.decisions.problems
    refused = {problem.element for problem in problems}
    for node in subject.process.of_kind("businessRuleTask"):
        wanted = node.business_rule.decision if node.business_rule else None
        if wanted in known or wanted in refused or (wanted and None in refused):
            continue
        found = f"there is no {shown(wanted)}" if wanted else "the task names none"
        remedy = did_you_mean(wanted, known) if wanted and known else "Do: put the table there, and its id into the task."
        yield error("decision-missing", node, f"Expected a decision in {_folder(subject)}*{SUFFIX}, but {found}. {remedy}")


def _folder(subject: Subject) -> str:
    return f"{subject.map_file.removesuffix(MAP_SUFFIX)}.{FOLDER}/"


def decision_invalid(subject: Subject) -> Iterator[Finding]:
    """Decisions are written in what this version evaluates: DMN 1.1 to 1.3; tables with the hit policies UNIQUE, FIRST, ANY,
    PRIORITY, or COLLECT with SUM, MIN, MAX or COUNT; literal expressions. Cells hold FEEL's simple tests: `-`, `5`, `"gold"`,
    `< 100`, `[1..5]`, `"a","b"`, `not(...)`, `date("2026-01-31")`. Expressions are in our own language.

    Why: a cell that is read otherwise than it was meant decides otherwise.
    Wrong: `gold`, `99.50`, `>= limit`, `? > 5`
    Right: `"gold"`, `9950` (minor units), a column `amount - limit` with `>= 0`
    """
    yield from subject.decisions.problems


def decision_result(subject: Subject) -> Iterator[Finding]:
    """A decision's result goes into data items: with singleEntry its one value into the item that the result variable names; with
    singleResult several values by output parameters, which read the result variable: `${result["discount"]}`.

    Why: a result that goes nowhere decides nothing.
    Wrong: singleResult with the data item `discount` as result variable
    Right: singleEntry with it; or singleResult with `result`, and an output parameter `discount` = `${result["discount"]}`
    """
    tables = {node.id: decision for node, decision in asked(subject.process, subject.decisions)}
    for node in subject.process.of_kind("businessRuleTask"):
        rule = node.business_rule
        if rule is not None and (why := _why_lost(subject, node, rule, tables.get(node.id))):
            yield error("decision-result", node, f"Expected {why}.")


def _why_lost(subject: Subject, node: FlowNode, rule: BusinessRule, decision: Decision | None) -> str | None:
    if rule.mapping not in (SINGLE_ENTRY, SINGLE_RESULT):
        return None  # unsupported-element says it
    if rule.result is None:
        return "a result variable, but there is none. Do: name a data item"
    if rule.mapping == SINGLE_ENTRY:
        if decision is not None and len(decision.outputs) > 1:
            names = ", ".join(output.name for output in decision.outputs)
            return f"one output for singleEntry, but {shown(decision.name)} has several ({names}). Do: choose singleResult"
        return None
    if subject.carry_over is not None and rule.result in subject.carry_over.items:
        return f"a name of its own for several results, but {rule.result} is a data item. Do: choose singleEntry, or another name"
    read = {name for text, study in subject.texts if text.element is node and text.place is Place.OUTPUT for name in study.reads}
    if rule.result not in read:
        return (
            f"output parameters that read {rule.result}, but there are none. "
            f'Do: add one for each data item, as in ${{{rule.result}["name of the output"]}}'
        )
    return None


def decision_unknown_item(subject: Subject) -> Iterator[Finding]:
    """What a table reads is a data item of the carry-over map, or an input parameter of the task that asks it; what the task's
    output parameters read may be the result variable as well.

    Why: a name that is neither has no value, and no rule would hold.
    Wrong: a column `ammount`
    Right: a column `amount`
    """
    if subject.carry_over is None:
        return
    items = subject.carry_over.items
    for use in subject.uses:
        node = use.element
        if not isinstance(node, FlowNode) or node.business_rule is None or use.is_flow_node or use.writes:
            continue
        given = names_given(subject.process, node)
        known = {*items, *given, *([node.business_rule.result or ""] if use.place is Place.OUTPUT else [])}
        if use.place in (Place.DECISION, Place.OUTPUT) and use.name not in known:
            yield error(
                "decision-unknown-item",
                node,
                f"Expected a data item or an input parameter of {shown(label(node))} in the {use.place}, but {shown(use.name)} "
                f"is neither. {did_you_mean(use.name, known)} Or list it in {subject.map_file}.",
                use.position,
            )


def decision_type(subject: Subject) -> Iterator[Finding]:
    """What a table compares and gives fits the types of its columns and of the data items.

    Why: a text is never a number, and a choice that there isn't is never chosen: the rule would never hold.
    Wrong: `"100"` in a column of the data item `amount`, which is an integer
    Right: `100`
    """
    items = subject.carry_over.items if subject.carry_over else {}
    studies = {(text.element.id, text.position): study for text, study in subject.texts if text.place is Place.DECISION}
    for node, decision in asked(subject.process, subject.decisions):
        stands_for = items_by_name(node, items)
        for number, column in enumerate(decision.inputs):
            study = studies.get((node.id, column.position))
            item = items.get(stands_for.get(name_alone(column.expression) or "", ""))
            if study is not None:
                yield from _input_types(node, decision, number, study.kinds, item)
        yield from _result_types(node, decision, items, studies)


def _input_types(node: FlowNode, decision: Decision, number: int, kinds: Kinds, item: DataItem | None) -> Iterator[Finding]:
    column = decision.inputs[number]
    if not (kinds & column.kinds) - NOTHING:
        found = f"its expression gives {in_words(kinds - NOTHING or kinds)}"
        yield _misfit(
            node, column, f"Expected {in_words(column.kinds - NOTHING)} in the column {shown(column.label)}, but {found}"
        )
        return
    for rule in decision.rules:
        tests = rule.tests[number]
        if not (tests.kinds & kinds & column.kinds) - NOTHING:
            what = in_words((kinds & column.kinds) - NOTHING)
            message = f"Expected {what} to compare {shown(column.label)} with, but it is {tests.written}. Do: correct the cell."
            yield error("decision-type", node, message, rule.position)
            continue
        for literal in sorted((each for each in tests.literals if each is not None), key=str) if item else ():
            if item and (why := refusal(item, literal)):
                yield error("decision-type", node, f"In rule {rule.number} of {shown(decision.name)}: {why}", rule.position)


def _misfit(node: FlowNode, column: Input, message: str) -> Finding:
    return error("decision-type", node, f"{message}. Do: correct the column's type, or its expression.", column.position)


def _result_types(
    node: FlowNode, decision: Decision, items: Mapping[str, DataItem], studies: Mapping[tuple[str, Position], Study]
) -> Iterator[Finding]:
    item = items.get((node.business_rule and node.business_rule.item) or "")
    if decision.hit_policy is HitPolicy.COUNT:
        if item is not None and not kinds_of_type(item.type) & NUMBER:
            message = (
                f"Expected a data item for a whole number, but {shown(item.name)} is of the type {item.type}. Do: use an integer."
            )
            yield error("decision-type", node, message)
        return
    for output, expression, position in results_of(decision):
        study = studies.get((node.id, position))
        if study is not None and (why := _why_unfit(decision, output, study.kinds, _written_out(expression), item)):
            yield error("decision-type", node, f"In a result of {shown(decision.name)}: {why}", position)


def _why_unfit(decision: Decision, output: Output, kinds: Kinds, literal: Value, item: DataItem | None) -> str | None:
    wanted = output.kinds & NUMBER if decision.hit_policy in _COLLECTS else output.kinds
    if not kinds & wanted:
        return f"Expected {in_words(wanted - NOTHING) or 'a whole number'}, but it is {in_words(kinds)}. Do: correct it."
    if not isinstance(literal, bool | int | str):
        return None
    if output.values and not any(same(literal, each) for each in output.values):
        listed = ", ".join(map(shown, output.values))
        return f"Expected one of the output's listed values ({listed}), but it is {shown(literal)}. Do: correct it."
    return misfit(item, kinds, literal) if item is not None else None


def _written_out(expression: Expression) -> Value:
    """The value of an expression that reads nothing; None where it reads something, or has no value."""
    if expression.names or expression.flow_nodes:
        return None
    try:
        return expression.evaluate({})
    except ExpressionFailed:
        return None


def decision_rules_overlap(subject: Subject) -> Iterator[Finding]:
    """In a table with the hit policy UNIQUE, no two rules hold in one case. Proved where all inputs are data items, for at
    most 300 rules.

    Severity: warning
    Why: where two rules hold, there is no result, and the instance stops there.
    Wrong: a rule `<= 100` and a rule `>= 100`
    Right: `<= 100` and `> 100`; or the hit policy FIRST
    """
    for node, cases in subject.cases:
        decision = cases.decision
        if decision.hit_policy is not HitPolicy.UNIQUE:
            continue
        told: set[int] = set()
        for first, second, case in cases.overlaps():
            if second.number in told:  # one is enough to find and mend it
                continue
            told.add(second.number)
            yield warning(
                "decision-rules-overlap",
                node,
                f"Expected one rule of {shown(decision.name)} to hold at a time, but where {case}, the rules {first.number} "
                f"(line {first.position.line}) and {second.number} do. Do: make them exclude each other, or choose FIRST.",
                second.position,
            )


def decision_gap(subject: Subject) -> Iterator[Finding]:
    """In every case a rule of a table holds, or it has defaults. Told where all inputs are data items, for one case and
    at most 300 rules.

    Severity: note
    Why: where no rule holds, there is no result, and the instance stops there.
    Wrong: the rules `< 100` and `> 100`
    Right: `< 100` and `>= 100`; or a last rule with `-` under the hit policy FIRST
    """
    for node, cases in subject.cases:
        decision = cases.decision
        has_defaults = all(output.default is not None for output in decision.outputs)
        if decision.hit_policy is HitPolicy.COUNT or has_defaults:
            continue
        if (case := cases.gap()) is not None:
            yield note(
                "decision-gap",
                node,
                f"Expected a rule of {shown(decision.name)} to hold in every case, but where {case}, none does. "
                "Do: nothing, if that can't be; else add a rule.",
                decision.position,
            )
