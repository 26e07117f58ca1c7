"""How decision tables decide, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest

from engine.definition.decisions.decision import Decision
from engine.definition.decisions.decision_reader import read_decisions
from engine.definition.decisions.decision_xml import VERSIONS
from engine.errors import ExpressionFailed
from tests.builders.decisions import dmn, table

FILE = "billing.decisions/discount.dmn"


def decision(*rules: str, **how: Any) -> Decision:
    read = read_decisions(dmn(table(rules, **how)), FILE)
    assert read.problems == ()
    [found] = read.decisions
    return found


def refused(content: bytes) -> str:
    read = read_decisions(content, FILE)
    assert read.problems
    assert {problem.rule for problem in read.problems} == {"decision-invalid"}
    assert all(problem.position.file == FILE and " Do: " in problem.message for problem in read.problems)
    return "\n".join(f"{problem.position.line}: {problem.message}" for problem in read.problems)


# --- hit policies ---------------------------------------------------------------------------------------------------

OVERLAPPING = ("< 100 -> 1", "< 200 -> 2", "< 200 -> 2", "- -> 3")


@pytest.mark.parametrize(
    ("policy", "amount", "result"),
    [
        ("FIRST", 50, 1),
        ("FIRST", 150, 2),
        ("FIRST", 500, 3),
        ("UNIQUE", 500, 3),
        ("ANY", 500, 3),
        ("COLLECT SUM", 50, 8),
        ("COLLECT SUM", 500, 3),
        ("COLLECT MIN", 50, 1),
        ("COLLECT MAX", 50, 3),
        ("COLLECT COUNT", 150, 3),
    ],
)
def test_the_hit_policy_says_which_rules_count(policy: str, amount: int, result: int) -> None:
    assert decision(*OVERLAPPING, policy=policy).decide({"amount": amount}) == {"discount": result}


def test_rules_of_the_policy_any_may_hold_together_where_they_give_the_same() -> None:
    rules = decision("< 100 -> 1", "< 50 -> 1", "< 0 -> 2", policy="ANY")
    assert rules.decide({"amount": 10}) == {"discount": 1}
    with pytest.raises(ExpressionFailed, match=r'"Discount" \(.*discount.dmn:2\).*1, 2 and 3 \(lines 5, 6 and 7\) hold'):
        rules.decide({"amount": -1})


def test_two_rules_under_unique_are_an_error_that_names_their_lines() -> None:
    with pytest.raises(ExpressionFailed, match=r"but the rules 1, 2, 3 and 4 \(lines 5, 6, 7 and 8\) hold\. Do: "):
        decision(*OVERLAPPING).decide({"amount": 5})


def test_no_rule_is_an_error_that_names_the_lines_of_all() -> None:
    with pytest.raises(ExpressionFailed, match=r"the lines 5 and 6 to hold, but none does"):
        decision("< 5 -> 1", "> 5 -> 2").decide({"amount": 5})
    with pytest.raises(ExpressionFailed, match=r"the lines 5 to 10 to hold, but none does"):
        decision(*[f"{n} -> {n}" for n in range(6)], policy="COLLECT SUM").decide({"amount": 50})


def test_rules_that_are_counted_may_be_none() -> None:
    assert decision("< 5 -> 1", policy="COLLECT COUNT").decide({"amount": 5}) == {"discount": 0}


def test_defaults_stand_in_where_no_rule_holds() -> None:
    default = "<defaultOutputEntry><text>amount // 10</text></defaultOutputEntry>"
    assert decision("< 5 -> 1", inside_output=default).decide({"amount": 50}) == {"discount": 5}


def test_priority_goes_by_the_order_of_the_outputs_values() -> None:
    values = '<outputValues><text>"refuse", "ask", "grant"</text></outputValues>'
    rules = decision('- -> "grant"', '> 100 -> "ask"', '> 500 -> "refuse"', policy="PRIORITY", inside_output=values)
    assert [rules.decide({"amount": n})["discount"] for n in (1, 200, 600)] == ["grant", "ask", "refuse"]


def test_several_outputs_come_by_name() -> None:
    rules = decision('< 5 -> 1 | "few"', '- -> 2 | "many"', outputs=("level", "word"), policy="FIRST")
    assert rules.decide({"amount": 9}) == {"level": 2, "word": "many"}


# --- cells and columns ----------------------------------------------------------------------------------------------


def test_columns_and_results_are_expressions_of_our_own_language() -> None:
    rules = decision('"ACME" | true -> amount * rate // 100', "- | - -> 0", inputs=("upper(name)", "amount > 5"), policy="FIRST")
    data = {"name": "Acme", "amount": 200, "rate": 7}
    assert rules.decide(data) == {"discount": 14}
    assert rules.decide({**data, "amount": 5}) == {"discount": 0}


def test_feels_words_for_constants_and_dates_are_understood_in_results() -> None:
    rules = decision("1 -> true", "2 -> false", "3 -> null", '4 -> date("2026-01-31")', '5 -> "text"')
    assert [rules.decide({"amount": n})["discount"] for n in range(1, 6)] == [True, False, None, "2026-01-31", "text"]


def test_what_has_no_value_matches_only_what_asks_for_that() -> None:
    assert decision("< 5 -> 1", "null -> 2", "- -> 3", policy="FIRST").decide({"amount": None}) == {"discount": 2}
    assert decision("< 5 -> 1", "not(< 5) -> 2", "- -> 3", policy="FIRST").decide({"amount": None}) == {"discount": 3}


def test_a_value_of_another_kind_is_an_error_and_no_miss() -> None:
    with pytest.raises(ExpressionFailed, match=r"discount.dmn:5\): Expected a value of \"amount\" that can be compared"):
        decision("< 5 -> 1", "- -> 2", policy="FIRST").decide({"amount": "4"})


def test_a_value_that_an_input_does_not_list_is_an_error() -> None:
    values = '<inputValues><text>"gold", "silver"</text></inputValues>'
    rules = decision('"gold" -> 1', "- -> 2", policy="FIRST", inside_input=values)
    assert rules.decide({"amount": "silver"}) == {"discount": 2}
    with pytest.raises(ExpressionFailed, match="one of the values that are listed"):
        rules.decide({"amount": "bronze"})


def test_a_value_that_an_output_does_not_list_is_an_error() -> None:
    values = "<outputValues><text>1, 2</text></outputValues>"
    with pytest.raises(ExpressionFailed, match="but the rule gives another"):
        decision("- -> amount", inside_output=values).decide({"amount": 3})


def test_only_whole_numbers_are_collected() -> None:
    with pytest.raises(ExpressionFailed, match="a whole number to collect"):
        decision("- -> amount", "- -> 1", policy="COLLECT SUM").decide({"amount": "a"})
    with pytest.raises(ExpressionFailed, match="at most 9,223"):
        decision("- -> amount", "- -> 1", policy="COLLECT SUM").decide({"amount": 2**63 - 1})


def test_an_expression_without_a_result_names_its_place() -> None:
    with pytest.raises(ExpressionFailed, match=r'In the decision "Discount" \(.*discount.dmn:3\): '):
        decision("- -> 1", inputs=("amount // 0",)).decide({"amount": 1})
    with pytest.raises(ExpressionFailed, match=r'In the decision "Discount" \(.*discount.dmn:5\): '):
        decision("- -> amount // 0").decide({"amount": 1})


def test_a_literal_expression_is_a_decision() -> None:
    text = '<decision id="fee" name="Fee"><variable name="fee" typeRef="integer"/><literalExpression><text>amount // 50</text>'
    read = read_decisions(dmn(f"{text}</literalExpression></decision>"), FILE)
    assert read.problems == ()
    assert read.decisions[0].decide({"amount": 100}) == {"fee": 2}


@pytest.mark.parametrize("namespace", VERSIONS)
def test_the_versions_that_modelers_write_are_read(namespace: str) -> None:
    assert read_decisions(dmn(table(["- -> 1"]), namespace=namespace), FILE).decisions[0].decide({"amount": 1}) == {"discount": 1}


# --- what is refused ------------------------------------------------------------------------------------------------

GOOD = "- -> 1"
REFUSED = {
    "COLLECT without an aggregation": table([GOOD], policy="COLLECT"),
    "RULE ORDER": table([GOOD], policy="RULE ORDER"),
    "no aggregation under FIRST": table([GOOD], policy="FIRST").replace("hitPolicy", 'aggregation="SUM" hitPolicy'),
    "OUTPUT ORDER": table([GOOD], policy="OUTPUT ORDER"),
    "the output values of each output": table([GOOD], policy="PRIORITY"),
    "one output to collect, but there are 2": table(["- -> 1 | 2"], outputs=("a", "b"), policy="COLLECT SUM"),
    "two are called alike": table(["- -> 1 | 2"], outputs=("a", "a")),
    "an output, but the table has none": table([], outputs=()),
    "rules in the table, but there are none": table([]),
    "rule 1 has 2 and 1": table(["- | - -> 1"]),
    "a type that is known here": table([GOOD], types=("days and time duration",)),
    "5: Expected a test like": table(["gold -> 1"]),
    "it is empty": table(["- -> "]),
    "no [ ] in rule 1's result": table(["- -> amount[1]"]),
    "no [ ] in the input": table([GOOD], inputs=("amount[1]",)),
    "a required decision": table(
        [GOOD], beside='<informationRequirement><requiredDecision href="#other"/></informationRequirement>'
    ),
    "a knowledge requirement": table(
        [GOOD], beside='<knowledgeRequirement><requiredKnowledge href="#x"/></knowledgeRequirement>'
    ),
    "a business knowledge model": table([GOOD]) + '<businessKnowledgeModel id="x"/>',
    "a type of one's own": '<itemDefinition id="x"/>' + table([GOOD]),
    "an invocation": '<decision id="x"><invocation/></decision>',
    "neither": '<decision id="x"/>',
    "an id for the decision": "<decision/>",
    'FEEL as the expression language, but it is "groovy"': table([GOOD]).replace(
        "typeRef", 'expressionLanguage="groovy" typeRef', 1
    ),
    'but it is "juel"': table([GOOD]).replace("<outputEntry>", '<outputEntry expressionLanguage="juel">'),
    'but it is "javascript"': table([GOOD]).replace("<inputEntry>", '<inputEntry expressionLanguage="javascript">'),
    "a default for each output or for none": table(["- -> 1 | 2"], outputs=("a", "b"))
    .replace("/output>", "/output>", 1)
    .replace('"Any"></output>', '"Any"><defaultOutputEntry><text>1</text></defaultOutputEntry></output>', 1),
    "at most 1,000 rules": table([GOOD] * 1_001),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_not_evaluated_is_refused_by_name(why: str) -> None:
    assert why in refused(dmn(REFUSED[why]))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<definitions/>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        dmn(namespace="https://www.omg.org/spec/DMN/20230324/MODEL/"),
        b'<!DOCTYPE d SYSTEM "x"><d/>',
        dmn(attributes='expressionLanguage="http://www.w3.org/1999/XPath"'),
    ],
)
def test_what_is_no_dmn_of_a_known_version_is_refused(content: bytes) -> None:
    assert read_decisions(content, FILE).decisions == ()
    refused(content)


def test_every_cell_that_is_refused_is_told() -> None:
    assert refused(dmn(table(["gold -> x.y", "silver -> 1"]))).count("Expected") == 3


@pytest.mark.parametrize(
    "language", ["feel", "FEEL", "http://www.omg.org/spec/FEEL/20140401", "https://www.omg.org/spec/DMN/20191111/FEEL/"]
)
def test_feel_has_several_names(language: str) -> None:
    assert read_decisions(dmn(table([GOOD]), attributes=f'expressionLanguage="{language}"'), FILE).problems == ()


def test_what_only_explains_is_read_past() -> None:
    drawn = '<inputData id="i"/><knowledgeSource id="k"/><textAnnotation id="t"/><association id="a"/>'
    beside = '<informationRequirement><requiredInput href="#i"/></informationRequirement><authorityRequirement/>'
    explained = table([GOOD], beside=beside).replace("<rule>", '<annotation name="Why"/><rule><description>Because</description>')
    read = read_decisions(dmn(drawn, explained), FILE)
    assert read.problems == ()
    assert len(read.decisions) == 1
