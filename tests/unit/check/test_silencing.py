"""What an analyst silences in the diagram, with a reason, and what can't be silenced."""

from __future__ import annotations

from engine.definition.check import examine
from engine.definition.check.rule_text import rule_texts
from engine.definition.finding import Severity
from tests.builders.drawing import (
    billing,
    carry_over,
    connectors,
    diagram,
    element,
    end,
    files,
    flows,
    form_field,
    found,
    start,
    user,
)
from tests.builders.play import Play, executable_of

AMOUNT = {"amount": "{type: integer, carry: drop}"}
ENTER = user("enter", form_field("amount", "long"))


def ignoring(*values: str) -> str:
    given = "".join(f'<camunda:property name="check_ignore" value="{value}"/>' for value in values)
    return f"<extensionElements><camunda:properties>{given}</camunda:properties></extensionElements>"


def drawn(call: str, ways: str = "call -> charge") -> dict[str, bytes]:
    return files(billing({"call": call}, {"declined": f"declined -> {ways}"}))


def test_an_element_may_silence_several_rules_each_with_its_reason() -> None:
    call = f'<userTask id="call">{ignoring("task-without-group: anyone may call", "label-required: the form says it")}</userTask>'
    bare = '<userTask id="call"/>'
    assert {"task-without-group", "label-required"} <= {each.rule for each in found(drawn(bare))}
    examination = examine(drawn(call), connectors())
    assert examination.findings == ()
    assert {(each.finding.rule, each.reason) for each in examination.silenced} == {
        ("task-without-group", "anyone may call"),
        ("label-required", "the form says it"),
    }


def test_a_silence_holds_for_its_element_alone() -> None:
    given = files(
        billing(
            {
                "call": element("userTask", "call", ignoring("task-without-group: anyone may call")),
                "more": element("userTask", "more"),
            },
            {"declined": "declined -> call -> more -> charge"},
        )
    )
    assert [(each.rule, each.element) for each in found(given)] == [("task-without-group", "more")]


def test_a_sequence_flow_can_be_silenced_even_without_an_id() -> None:
    way = b'<sequenceFlow id="decision-enter" sourceRef="decision" targetRef="enter">'
    plain = billing({"decision": '<exclusiveGateway id="decision" default="decision-stopped"/>'}, {"stop": "decision -> stopped"})
    assert way in plain
    unset = ignoring("read-before-set: nobody reads it").encode()
    given = files(plain.replace(way, b'<sequenceFlow sourceRef="decision" targetRef="enter">' + unset))
    unused = [each for each in found(given) if each.rule == "silence-unused"]
    assert [each.element for each in unused] == ["flow_1"]


def test_on_the_process_a_silence_holds_for_what_is_found_in_the_map() -> None:
    head = b'isExecutable="true">'
    silence = ignoring("item-unused: for the yearly report").encode()
    map_ = carry_over({**AMOUNT, "old": "{type: string, carry: drop}"}, repeats="")
    simple = (start(), ENTER, end(), flows("start -> enter -> end"))
    given = files(diagram(*simple).replace(head, head + silence), map_)
    examination = examine(given, connectors())
    assert examination.findings == ()
    assert [each.finding.rule for each in examination.silenced] == ["item-unused"]


def test_errors_cannot_be_silenced_but_for_what_is_never_reached() -> None:
    errors = [text for text in rule_texts() if text.severities == (Severity.ERROR,) and text.can_be_silenced]
    assert [text.id for text in errors] == ["unreachable-node"]


def test_a_process_runs_beside_an_element_that_is_never_reached() -> None:
    island = element("userTask", "island", ignoring("unreachable-node: for next year"), 'camunda:candidateGroups="Sales"')
    parts = (start(), ENTER, island, end(), end("never"), flows("start -> enter -> end", "island -> never"))
    played = Play(executable_of(*parts, items=AMOUNT, repeats="")).start("start")
    assert list(played.open.values()) == ["enter"]
    assert played.complete("enter", amount=1).completed


def test_a_property_of_another_name_silences_nothing() -> None:
    call = element("userTask", "call", ignoring("task-without-group: anyone may call").replace("check_ignore", "ignore"))
    assert [each.rule for each in found(drawn(call))] == ["task-without-group"]
