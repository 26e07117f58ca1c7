"""`run-process init --from`: an analyst who has a diagram already gets its first carry-over map."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.program import MANAGER, OPERATOR, SALES, Program

LEAVE = """\
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
  <process id="leave" name="Leave" isExecutable="true" camunda:historyTimeToLive="P180D">
    <startEvent id="start" name="Start"><outgoing>f1</outgoing></startEvent>
    <sequenceFlow id="f1" sourceRef="start" targetRef="ask"/>
    <userTask id="ask" name="Ask for leave" camunda:candidateGroups="Sales">
      <extensionElements><camunda:formData>
        <camunda:formField id="days" label="Days" type="long"/>
        <camunda:formField id="from_day" label="From" type="date"/>
      </camunda:formData></extensionElements>
    </userTask>
    <sequenceFlow id="f2" sourceRef="ask" targetRef="is_long"/>
    <exclusiveGateway id="is_long" name="Long?" default="f4"/>
    <sequenceFlow id="f3" name="yes" sourceRef="is_long" targetRef="approve">
      <conditionExpression>${days &gt; 5}</conditionExpression>
    </sequenceFlow>
    <sequenceFlow id="f4" name="no" sourceRef="is_long" targetRef="end"/>
    <userTask id="approve" name="Approve" camunda:candidateGroups="Managers">
      <extensionElements><camunda:formData>
        <camunda:formField id="approved" label="Approved" type="boolean"/>
      </camunda:formData></extensionElements>
    </userTask>
    <sequenceFlow id="f5" sourceRef="approve" targetRef="end"/>
    <endEvent id="end" name="End"/>
  </process>
</definitions>
"""


@pytest.fixture
def leave(run: Program) -> str:
    (run.folder / "leave.bpmn").write_text(LEAVE)
    return "leave.bpmn"


def test_check_names_the_command_that_makes_the_map_and_the_diagram_then_runs(run: Program, leave: str) -> None:
    told = " ".join(run("check", leave, code=3).stdout.split())
    (command,) = re.findall(r"run-process (init --from \S+)", told)
    assert run(*command.split()).stdout == "leave.carry-over.yaml\n"
    assert (run.folder / leave).read_text() == LEAVE
    assert run("check", leave).stdout == ""
    assert run("deploy", leave, "--as", OPERATOR).stdout == "leave@1\n"
    run("start", "leave", "--as", OPERATOR)
    run("complete", "t1", "--set", "days=12", "--set", "from_day=2026-11-02", "--as", SALES)
    run("complete", "t2", "--set", "approved=yes", "--as", MANAGER)
    data = run("show", "i1", "--json").json["data"]
    assert (data["days"], data["from_day"], data["approved"]) == (12, "2026-11-02", True)


def test_a_map_that_is_there_is_never_overwritten(run: Program, leave: str) -> None:
    (run.folder / "leave.carry-over.yaml").write_text("mine\n")
    assert "leave.carry-over.yaml is there already" in run.refused("init", "--from", leave)
    assert (run.folder / "leave.carry-over.yaml").read_text() == "mine\n"


def test_what_is_no_diagram_makes_no_map(run: Program) -> None:
    (run.folder / "notes.bpmn").write_text("Call Ann.\n")
    (run.folder / "notes.txt").write_text(LEAVE)
    assert "not-well-formed" in run.refused("init", "--from", "notes.bpmn")
    assert 'called NAME.bpmn, but it is "notes.txt"' in run.refused("init", "--from", "notes.txt")
    assert {path.name for path in run.folder.iterdir() if path.suffix in (".yaml", ".bpmn")} <= {"notes.bpmn", "run-process.yaml"}


@pytest.mark.parametrize("words", [(), ("leave", "--from", "leave.bpmn"), ("--from", "leave.bpmn", "--in", "elsewhere")])
def test_a_name_and_a_diagram_exclude_each_other(run: Program, leave: str, words: tuple[str, ...]) -> None:
    run("init", *words, code=2)
    assert not (run.folder / "leave.carry-over.yaml").exists()
