"""Scenarios are read with everything that is wrong with them, each at its place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.errors import DefinitionInvalid
from engine.rehearsal.scenario import BreakJob, ClaimTask, CompleteTask, FailJob, Look, PassTime, SendMessage, SucceedJob
from engine.rehearsal.scenario_reader import check_scenarios
from tests.builders.drawing import connectors
from tests.unit.rehearsal.company import DEFINITION, FILE, HEAD, read

STEPS = """
scenarios:
  - name: All that can happen
    now: 2026-11-02T08:00:00+01:00
    start: {customer: other}
    steps:
      - task: Enter
        for: Sales
        by: ann
        with: {amount: 010.50, approved: yes, receipt: "7", problem: }
        refused: no
      - {claim: enter, by: ann}
      - {job: pay}
      - {job: charge, succeeds: {payment_id: p1}}
      - {job: charge, fails: declined, says: Lost.}
      - {job: charge, breaks: No network.}
      - {time: P1DT2H}
      - {message: next, key: 7, with: {paid: 3}}
      - {expect: {task: [enter, approve], ran: {Charge: [{amount: 1}, {}]}, thrown: nothing, ended: end}}
"""


def test_everything_that_can_be_written_is_read() -> None:
    [scenario] = read(STEPS.replace("refused: no", 'refused: "no"'))
    assert (scenario.name, scenario.now) == ("All that can happen", datetime(2026, 11, 2, 7, tzinfo=UTC))
    assert {name: given.text for name, given in scenario.start.items()} == {
        "customer": "other",
        "month": "2026-12",
        "currency": "USD",
    }
    actions = [step.action for step in scenario.steps]
    kinds = [CompleteTask, ClaimTask, SucceedJob, SucceedJob, FailJob, BreakJob, PassTime, SendMessage, Look]
    assert [type(action) for action in actions] == kinds
    [entering, _, _, succeeding, failing, breaking, passing, sending, _] = actions
    assert isinstance(entering, CompleteTask)
    assert (entering.node, entering.group, entering.by, entering.refused) == ("enter", "Sales", "ann", "no")
    typed = {name: given.text for name, given in entering.values.items()}
    assert typed == {"amount": "010.50", "approved": "yes", "receipt": "7", "problem": None}
    assert isinstance(succeeding, SucceedJob)
    assert succeeding.outputs["payment_id"].text == "p1"
    assert failing == FailJob("charge", "declined", "Lost.")
    assert breaking == BreakJob("charge", "No network.")
    assert passing == PassTime("P1DT2H")
    assert isinstance(sending, SendMessage)
    assert (sending.name, sending.key, sending.values["paid"].text) == ("next", "7", "3")
    expected = scenario.steps[-1].expected
    assert expected is not None
    assert (expected.tasks, expected.thrown, expected.ended) == (("enter", "approve"), (), ("end",))
    assert [list(values) for values in expected.ran["pay"]] == [["amount"], []]
    assert (expected.data, expected.following, expected.group) == ({}, None, None)


def found(text: str, head: str = HEAD) -> list[str]:
    return [
        f"{each.position.line}: {each.rule}: {each.message}"
        for each in check_scenarios((head + text).encode(), FILE, DEFINITION, connectors())
    ]


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("{task: entr}", '6: scenarios-unknown-element: Expected a user task, but "entr" is none. Do: write "enter".'),
        ("{task: charge}", '6: scenarios-unknown-element: Expected a user task, but "charge" is none.'),
        ("{job: enter}", '6: scenarios-unknown-element: Expected a service task, but "enter" is none.'),
        (
            "{task: enter, with: {amout: 1}}",
            '6: scenarios-unknown-item: Expected a data item of billing, but "amout" is none. Do: write "amount".',
        ),
        ("{task: enter, with: {amount: [1]}}", "6: scenarios-wrong-type: Expected one value for amount"),
        (
            "{job: charge, fails: lost}",
            '6: scenarios-unknown-error: Expected an error of pay, but "lost" is none. Do: write one of declined.',
        ),
        ("{job: charge, succeeds: {id: 1}}", '6: scenarios-unknown-output: Expected an output of pay, but "id" is none.'),
        (
            "{job: charge, fails: declined, breaks: No.}",
            "6: scenarios-several-outcomes: Expected one outcome of a job, but there are fails and breaks.",
        ),
        ("{time: three days}", '6: scenarios-wrong-type: "time": Expected a positive ISO 8601 duration'),
        ("{message: nxt}", '6: scenarios-unknown-message: Expected a message of billing, but "nxt" is none. Do: write "next".'),
        (
            "{task: enter, job: charge}",
            "6: scenarios-unknown-step: Expected one of task, claim, job, time, message, signal in a step",
        ),
        ("{tsk: enter}", "6: scenarios-unknown-step: Expected one of task,"),
        (
            "{task: enter, whit: {}}",
            "6: scenarios-unknown-key: Expected one of task, for, by, with, refused, expect in the step task, but there is",
        ),
        ("enter", "6: scenarios-wrong-type: Expected a mapping for a step"),
        (
            "{expect: {ended: stop}}",
            '6: scenarios-unknown-element: Expected an end event, but "stop" is none. Do: write one of end.',
        ),
        ("{expect: {data: {amout: 1}}}", "6: scenarios-unknown-item"),
        ("{expect: {next: {amout: 1}}}", "6: scenarios-unknown-item"),
        (
            "{expect: {ran: {charge: {amont: 1}}}}",
            '6: scenarios-unknown-parameter: Expected a parameter of pay, but "amont" is none. Do: write "amount".',
        ),
        ("{expect: {chargd: nothing}}", "6: scenarios-unknown-key"),
    ],
)
def test_what_is_none_is_named_with_its_line(step: str, says: str) -> None:
    [finding] = found(f"scenarios:\n  - name: It\n    steps:\n      - {step}\n")
    assert finding.startswith(says)


@pytest.mark.parametrize(
    ("text", "head", "says"),
    [
        (
            "scenarios: []\n",
            "process: other\n",
            "1: scenarios-other-process: Expected the process billing, which the diagram draws, but it is other.",
        ),
        ("", HEAD, '1: scenarios-missing-key: Expected "scenarios" in the scenarios, but it is missing.'),
        (
            "scenarios: [{name: A}, {name: A}]\n",
            HEAD,
            "3: scenarios-repeated: Expected every scenario to have its own name, but 'A' is repeated.",
        ),
        ("scenarios: [{steps: []}]\n", HEAD, '3: scenarios-missing-key: Expected "name" in the scenario'),
        ("scenarios: {name: A}\n", HEAD, '3: scenarios-wrong-type: Expected a list for "scenarios"'),
        ("now: later\nscenarios: []\n", HEAD, '3: scenarios-wrong-type: "now": Expected a date'),
        ("start_event: enter\nscenarios: []\n", HEAD, "3: scenarios-unknown-element: Expected a start event"),
        ("scenarios: [&a {name: A}]\n", HEAD, "3: yaml-anchor"),
        ("- a\n", "", "1: scenarios-wrong-type: Expected a mapping for the scenarios"),
    ],
)
def test_a_file_that_is_not_as_it_must_be_says_so(text: str, head: str, says: str) -> None:
    [finding] = found(text, head)
    assert finding.startswith(says)


def test_all_findings_come_at_once_and_keep_the_file_from_being_used() -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        read("scenarios:\n  - name: It\n    steps: [{task: a}, {task: b}]\n")
    assert len(refused.value.findings) == 2


def test_scenarios_without_a_mistake_have_no_findings() -> None:
    assert found("scenarios: [{name: It, steps: [{task: enter}], expect: {task: approve}}]\n") == []
