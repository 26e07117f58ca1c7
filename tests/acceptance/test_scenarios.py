"""`run-process test`: what analysts, programs and build servers are told of scenarios."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.acceptance.program import CHECKOUT, Program

PROCESSES = CHECKOUT / "processes"
BROKEN = ("charged: nothing, mailed: nothing, thrown: nothing, ended: contract_ended", "ended: done")
REFUSED_TASK = ("task: issue_credit\n        for: Sales", "task: isue_credit\n        for: Sales")


@pytest.fixture
def desk(run: Program) -> Program:
    """A folder with the shipped process and its scenarios, and no database."""
    for each in PROCESSES.glob("monthly-card-charge.*"):
        (shutil.copytree if each.is_dir() else shutil.copy)(each, run.folder / each.name)
    return run


def change(desk: Program, old: str, new: str, name: str = "monthly-card-charge.scenarios.yaml") -> None:
    path = desk.folder / name
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new, 1), encoding="utf-8")


def test_scenarios_that_pass_are_counted_with_what_they_cover(desk: Program) -> None:
    done = desk("test", ".")
    assert done.stdout == (
        "monthly-card-charge.bpmn: 18 scenarios passed; covered are 50 of 50 flow nodes, 58 of 58 sequence flows: 100%\n"
    )
    assert sorted(path.name for path in desk.folder.glob("*.db*")) == []


def test_a_scenario_that_fails_says_what_was_expected_where_and_what_happened(desk: Program) -> None:
    change(desk, *BROKEN)
    done = desk("test", "monthly-card-charge.bpmn", code=3)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("monthly-card-charge.scenarios.yaml:")
    assert lines[0].endswith(": A contract that ends is not charged, and has no next month")
    assert lines[1] == ("    Expected the instance to end at done (Month done), but it ended at contract_ended (Contract ended).")
    assert "approve -> decision -> contract_ended" in lines[-2]
    assert "17 scenarios passed, 1 failed" in lines[-1]


def test_what_is_not_covered_is_listed_and_can_be_asked_for(desk: Program) -> None:
    whole = (desk.folder / "monthly-card-charge.scenarios.yaml").read_text(encoding="utf-8")
    first, _, _ = whole.partition("  - name: The next month")
    (desk.folder / "monthly-card-charge.scenarios.yaml").write_text(first, encoding="utf-8")
    done = desk("test", ".", "--min-coverage", "90", code=3)
    assert "1 scenario passed; covered are 14 of 50 flow nodes" in done.stdout
    assert "expected are at least 90%" in done.stdout
    assert "    not covered: monthly-card-charge.bpmn:" in done.stdout
    assert "contract_ended (Contract ended)" in done.stdout
    assert "flow_send_back: Approved? -> before_entry (send back)" in done.stdout
    assert desk("test", ".", "--min-coverage", "20").stdout.startswith("monthly-card-charge.bpmn: 1 scenario passed")


def test_scenarios_are_chosen_by_their_names(desk: Program) -> None:
    assert "3 scenarios passed" in desk("test", "monthly-card-charge.scenarios.yaml", "-k", "CREDIT").stdout
    assert "there are none" in desk("test", ".", "-k", "no such", code=2).stderr


def test_mistakes_in_scenarios_are_told_by_place_and_checked_as_warnings(desk: Program) -> None:
    change(desk, *REFUSED_TASK)
    done = desk("test", ".", code=3)
    assert 'Expected a user task, but "isue_credit" is none. Do: write "issue_credit".' in done.stdout
    assert "monthly-card-charge.bpmn: not tried" in done.stdout
    assert "scenarios-invalid" in desk("check", ".", code=3).stdout
    desk("deploy", ".")


def test_a_definition_that_would_be_refused_is_not_tried(desk: Program) -> None:
    change(desk, 'camunda:topic="stripe.charge"', 'camunda:topic="stripe.chrge"', "monthly-card-charge.bpmn")
    done = desk("test", ".", code=3)
    assert "stripe.chrge" in done.stdout
    assert "not tried" in done.stdout


def test_a_folder_without_scenarios_is_wrong_usage(desk: Program) -> None:
    (desk.folder / "monthly-card-charge.scenarios.yaml").unlink()
    assert "with scenarios in it, but there are none" in desk("test", ".", code=2).stderr


def test_scenarios_without_their_diagram_are_wrong_usage(desk: Program) -> None:
    (desk.folder / "monthly-card-charge.bpmn").unlink()
    done = desk("test", "monthly-card-charge.scenarios.yaml", code=2)
    assert "Expected monthly-card-charge.bpmn beside" in done.stderr


def test_build_servers_get_a_test_case_for_each_scenario(desk: Program) -> None:
    change(desk, *BROKEN)
    [suite] = ET.fromstring(desk("test", ".", "--format", "junit", code=3).stdout.encode())
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("monthly-card-charge", "18", "1")
    assert len(suite) == 18
    [failure] = suite.iter("failure")
    assert (failure.get("message") or "").startswith("Expected the instance to end at done")
    assert "started at start_by_hand" in (failure.text or "")


def test_build_servers_get_an_error_for_what_could_not_be_tried(desk: Program) -> None:
    change(desk, *REFUSED_TASK)
    [suite] = ET.fromstring(desk("test", ".", "--format", "junit", code=3).stdout.encode())
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    assert "isue_credit" in (next(suite.iter("error")).text or "")


def test_the_report_is_one_page_with_the_diagram_in_which_the_uncovered_is_marked(desk: Program) -> None:
    whole = (desk.folder / "monthly-card-charge.scenarios.yaml").read_text(encoding="utf-8")
    head = whole.partition("scenarios:\n")[0]
    one = 'scenarios: [{name: "<b>It</b> begins", expect: {task: enter_amount}}, {name: It fails, expect: {task: approve}}]\n'
    (desk.folder / "monthly-card-charge.scenarios.yaml").write_text(head + one, encoding="utf-8")
    desk("test", ".", "--report", "report.html", code=3)
    page = (desk.folder / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "<svg" in page
    assert 'data-element-id="contract_ended"' in page
    assert "marked-uncovered" in page
    assert "marked-covered" in page
    assert "&lt;b&gt;It&lt;/b&gt; begins" in page
    assert "but there are: enter_amount (1. Charging amount entry)" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in page


def test_reports_that_cannot_be_written_say_so(desk: Program) -> None:
    done = desk("test", ".", "--report", "no/such/folder.html", code=1)
    assert "Expected to write no/such/folder.html" in done.stderr


def test_the_files_are_left_alone(desk: Program) -> None:
    before = {path: path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()}
    desk("test", ".")
    assert {path: path.read_bytes() for path in Path(desk.folder).rglob("*") if path.is_file()} == before
