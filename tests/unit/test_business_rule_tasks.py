"""Business rule tasks in small diagrams, saved and restored between every two steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from engine.definition.process_definition import read_definition
from engine.errors import DataRefused, DefinitionInvalid, ExpressionFailed
from engine.execution.executable import Executable
from tests.builders.decisions import ask, dmn, table
from tests.builders.drawing import boundary, carry_over, diagram, element, end, exclusive, files, flows, start, user
from tests.builders.play import Play

ITEMS = {
    "amount": "{type: integer, carry: drop}",
    "tier": "{type: choice, choices: [gold, silver], carry: drop}",
    "discount": "{type: integer, carry: drop}",
    "reason": "{type: string, carry: drop}",
    "problem": "{type: text, carry: drop}",
}
TABLE = table(['> 100 | "gold" -> 20', '> 100 | "silver" -> 10', "<= 100 | - -> 0"], ("amount", "tier"))
TWO = table(['> 100 -> 20 | "large"', '- -> 0 | "small"'], outputs=("percent", "why"), policy="FIRST")


def play(*parts: str, tables: str = TABLE, items: Mapping[str, str] = ITEMS) -> Play:
    given = files(diagram(*parts), carry_over(items, repeats=""))
    return Play(Executable(read_definition({**given, "billing.decisions/tables.dmn": dmn(tables)})))


def asked(task: str = ask("rate"), tables: str = TABLE, **data: Any) -> Play:
    """An instance in which a task asks a table on this data, behind a user task."""
    drawn = play(start(), user("enter"), task, user("look"), end(), flows("start -> enter -> rate -> look -> end"), tables=tables)
    return drawn.start().complete("enter", **data)


def test_the_one_value_goes_into_the_result_variable() -> None:
    instance = asked(amount=500, tier="gold")
    assert instance.data["discount"] == 20
    assert instance.waiting == ["look"]
    assert instance.path == ("enter", "rate")


def test_a_gateway_goes_by_what_was_decided() -> None:
    ways = flows("start -> enter -> rate -> which", "which -> a if ${discount > 0}", "which -> b")
    nodes = (start(), user("enter"), ask("rate"), exclusive("which", "which-b"), end("a"), end("b"))
    assert play(*nodes, ways).start().complete("enter", amount=500, tier="silver").end_events == ("a",)
    assert play(*nodes, ways).start().complete("enter", amount=5).end_events == ("b",)


def test_several_values_go_where_output_parameters_put_them() -> None:
    outputs = {"discount": '${result["percent"]}', "reason": 'It is ${result["why"]}.'}
    instance = asked(ask("rate", result="result", mapping="singleResult", outputs=outputs), TWO, amount=500)
    assert (instance.data["discount"], instance.data["reason"]) == (20, "It is large.")
    assert "result" not in instance.data


def test_the_one_value_can_be_read_by_output_parameters_as_well() -> None:
    instance = asked(ask("rate", outputs={"reason": "${discount} percent"}), amount=500, tier="gold")
    assert (instance.data["discount"], instance.data["reason"]) == (20, "20 percent")


def test_a_table_finds_what_the_task_hands_to_it_and_nothing_of_that_stays() -> None:
    rules = table(["> 1000 -> 1", "- -> 2"], ("sum",), policy="FIRST")
    instance = asked(ask("rate", inputs={"sum": "${amount * 10}"}), rules, amount=101)
    assert instance.data == {"amount": 101, "discount": 1}


def test_the_same_data_decides_the_same_at_each_visit_of_a_loop() -> None:
    ways = flows("start -> enter -> rate -> which", "which -> enter if ${discount > 0}", "which -> done")
    instance = play(start(), user("enter"), ask("rate"), exclusive("which", "which-done"), end("done"), ways).start()
    instance.complete("enter", amount=500, tier="gold").complete("enter", amount=500, tier="silver")
    assert instance.data["discount"] == 10
    assert instance.complete("enter", amount=1).completed


def test_each_instance_of_a_repeated_task_decides_by_itself() -> None:
    rounds = "<loopCardinality>3</loopCardinality>"
    marker = f'<multiInstanceLoopCharacteristics isSequential="true">{rounds}</multiInstanceLoopCharacteristics>'
    repeated = ask("rate", inputs={"round": "${loopCounter}", "so_far": "${0 if discount is None else discount}"})
    repeated = repeated.replace("</businessRuleTask>", f"{marker}</businessRuleTask>")
    rules = table(["< 2 -> so_far + 1", "2 -> so_far + 100"], ("round",))
    assert asked(repeated, rules, amount=1).data["discount"] == 102


def test_a_literal_expression_decides_too() -> None:
    fee = '<decision id="discount"><literalExpression><text>amount // 50</text></literalExpression></decision>'
    assert asked(tables=fee, amount=500).data["discount"] == 10


def test_no_value_empties_the_data_item() -> None:
    assert "discount" not in asked(tables=table(["- -> null"]), amount=5, discount=7).data


# --- when there is no result ----------------------------------------------------------------------------------------

WITHOUT_RESULT = {
    "no rule holds": (table(["< 5 -> 1"]), ExpressionFailed, r"line.* 5 to hold, but none does"),
    "two rules hold": (table(["- -> 1", "- -> 2"]), ExpressionFailed, r"the rules 1 and 2 \(lines 5 and 6\) hold"),
    "the result doesn't fit": (table(['- -> "much"']), DataRefused, r"discount: Expected a whole number"),
    "an input can't be computed": (table(["- -> 1"], ("amount // 0",)), ExpressionFailed, r"tables.dmn:3"),
}


@pytest.mark.parametrize("why", WITHOUT_RESULT)
def test_without_a_result_nothing_moves(why: str) -> None:
    tables, kind, message = WITHOUT_RESULT[why]
    with pytest.raises(kind, match=message):
        asked(tables=tables, amount=500, tier="gold")


@pytest.mark.parametrize("why", WITHOUT_RESULT)
def test_an_error_boundary_event_catches_what_has_no_result(why: str) -> None:
    caught = boundary("failed", "rate", "e_script", 'camunda:errorCodeVariable="reason" camunda:errorMessageVariable="problem"')
    ways = flows("start -> enter -> rate -> done", "failed -> mend -> rate")
    tables, _, message = WITHOUT_RESULT[why]
    instance = play(start(), user("enter"), ask("rate"), caught, user("mend"), end("done"), ways, tables=tables)
    instance.start().complete("enter", amount=500)
    assert instance.waiting == ["mend"]
    assert instance.data["reason"] == "script_failed"
    assert re.search(message, str(instance.data["problem"]))
    assert "discount" not in instance.data


def test_an_event_sub_process_catches_it_as_well() -> None:
    handler = element(
        "subProcess",
        "handler",
        element("startEvent", "failed", '<errorEventDefinition errorRef="e_script"/>')
        + user("mend")
        + end("mended")
        + flows("failed -> mend -> mended"),
        'triggeredByEvent="true"',
    )
    drawn = play(start(), user("enter"), ask("rate"), end(), handler, flows("start -> enter -> rate -> end"))
    assert drawn.start().complete("enter", amount=500).waiting == ["mend"]


def test_a_definition_without_its_table_can_not_decide() -> None:
    with pytest.raises(DefinitionInvalid, match=r"Expected the decision 'discount' for 'rate'"):
        asked(tables=table(["- -> 1"], key="other"), amount=1)


def test_data_objects_and_stores_change_nothing() -> None:
    drawn = (
        '<dataObject id="d_amount"/><dataObjectReference id="r_amount" name="Amount" dataObjectRef="d_amount"/>'
        '<dataStoreReference id="ledger" name="Ledger"/>'
    )
    enter = element(
        "userTask",
        "enter",
        '<property id="p" name="__targetRef_placeholder"/>'
        '<dataInputAssociation id="in"><sourceRef>r_amount</sourceRef><targetRef>p</targetRef></dataInputAssociation>'
        '<dataOutputAssociation id="out"><targetRef>ledger</targetRef></dataOutputAssociation>',
        'camunda:candidateGroups="Sales"',
    )
    ways = flows("start -> enter -> rate -> end")
    with_data = play(start(), enter, ask("rate"), end(), drawn, ways).start().complete("enter", amount=5)
    without = play(start(), user("enter"), ask("rate"), end(), ways).start().complete("enter", amount=5)
    assert with_data.completed
    assert (with_data.walked, with_data.data) == (without.walked, without.data)
