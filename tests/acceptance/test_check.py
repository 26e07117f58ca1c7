"""`run-process check`: several files at once, what is silenced, and the forms in which findings come."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from engine.definition.check.rule_text import rule_texts
from tests.acceptance.program import CHECKOUT, PROCESSES, Program

CASES = CHECKOUT / "tests" / "definitions" / "check"
SCHEMA_PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"  # carries the schema as OASIS published it


def case(run: Program, rule: str, *names: str) -> None:
    """Copy diagrams of a rule's folder, with their maps, into the working directory."""
    for name in names:
        for path in (CASES / rule).glob(f"*/{name}*"):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, run.folder / path.name)


def test_nothing_is_said_of_what_is_right(run: Program) -> None:
    done = run("check", PROCESSES)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_finding_has_its_place_its_line_and_its_remedy(run: Program) -> None:
    case(run, "label-required", "label_required")
    done = run("check", ".", code=3)
    assert done.stdout.splitlines() == [
        "label_required.bpmn:5:5: warning: label-required: [enter]",
        '    <userTask id="enter" camunda:candidateGroups="Sales">',
        "    Expected the task to have a name, but it has none.",
        "    Do: write what is done in it.",
    ]
    assert done.stderr == "1 warning in 1 file.\n"


def test_a_secret_is_found_and_not_repeated(run: Program) -> None:
    case(run, "secret-in-diagram", "secret_in_diagram")
    for form in ("text", "json", "sarif"):
        done = run("check", ".", "--format", form, code=3)
        assert "secret-in-diagram" in done.stdout
        assert "sk_live_0123456789" not in done.stdout + done.stderr


def test_warnings_are_let_pass_up_to_a_number_and_errors_are_not(run: Program) -> None:
    case(run, "label-required", "label_required")
    case(run, "task-without-group", "task_without_group")
    run("check", ".", code=3)
    run("check", ".", "--max-warnings", "1", code=3)
    run("check", ".", "--max-warnings", "2")
    case(run, "duplicate-id", "duplicate_id")
    run("check", ".", "--max-warnings", "9", code=3)
    assert "Error: " in run("check", ".", "--max-warnings", "-1", code=2).stderr


def test_a_note_alone_needs_nobody(run: Program) -> None:
    case(run, "drawing-only", "drawing_only")
    assert ": note: drawing-only" in run("check", ".").stdout


def test_what_is_thrown_in_one_file_and_caught_in_another_is_right_when_both_are_checked(run: Program) -> None:
    case(run, "message-not-thrown", "thrown_in_the_other_file")
    folder = run.folder / "thrown_in_the_other_file"
    assert run("check", folder).stdout == ""
    assert run("check", folder / "billing.bpmn", folder / "orders.bpmn", folder).stdout == ""
    assert "message-not-thrown" in run("check", folder / "orders.bpmn", code=3).stdout
    assert "message-not-awaited" in run("check", folder / "billing.bpmn", code=3).stdout


def test_what_is_silenced_is_counted_and_listed_with_its_reason(run: Program) -> None:
    case(run, "silence-unused", "needed")
    done = run("check", ".")
    assert (done.stdout, done.stderr) == ("", "Nothing found; 1 silenced.\n")
    assert run("check", ".", "--json").json == []
    report = run("check", ".", "--format", "json").json
    assert (report["findings"], report["errors"], report["warnings"], report["notes"]) == ([], 0, 0, 0)
    [silenced] = report["silenced"]
    assert (silenced["rule"], silenced["element"]) == ("task-without-group", "confirm")
    assert silenced["reason"] == "everyone may confirm this"


def test_an_error_is_not_silenced_and_the_attempt_is_told(run: Program) -> None:
    case(run, "silence-refused", "an_error")
    found = {finding["rule"] for finding in run("check", ".", "--json", code=3).json}
    assert {"control-must-pass", "silence-refused"} <= found
    assert run("deploy", ".", code=1).stdout == ""


def test_json_for_programs_says_the_same_in_both_forms(run: Program) -> None:
    case(run, "missing-reference", "missing_reference")
    listed = run("check", ".", "--json", code=3).json
    report = run("check", ".", "--format", "json", code=3).json
    assert report["findings"] == listed
    assert report["errors"] == len(listed) > 0


def sarif_of(run: Program) -> dict[str, Any]:
    case(run, "silence-unused", "needed")
    case(run, "condition-not-boolean", "a_sum")
    return json.loads(run("check", ".", "--format", "sarif", code=3).stdout)


def test_sarif_tells_rules_places_and_what_is_suppressed(run: Program) -> None:
    [told] = sarif_of(run)["runs"]
    rules = told["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [text.id for text in rule_texts()]
    wrong, suppressed = told["results"]
    assert (wrong["ruleId"], wrong["level"]) == ("condition-not-boolean", "error")
    assert rules[wrong["ruleIndex"]]["id"] == wrong["ruleId"]
    [location] = wrong["locations"]
    place = location["physicalLocation"]
    line = (run.folder / place["artifactLocation"]["uri"]).read_text().splitlines()[place["region"]["startLine"] - 1]
    assert line[place["region"]["startColumn"] - 1 :].startswith("<sequenceFlow")
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "ask-other"
    assert suppressed["suppressions"] == [{"kind": "inSource", "justification": "everyone may confirm this"}]


def test_sarif_is_valid_against_its_published_schema(run: Program, tmp_path_factory: pytest.TempPathFactory) -> None:
    jsonschema.Draft7Validator(published_schema(tmp_path_factory.mktemp("schema"))).validate(sarif_of(run))


def published_schema(folder: Path) -> dict[str, Any]:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here to fetch the published SARIF schema")
    fetched = subprocess.run([npm, "pack", SCHEMA_PACKAGE], cwd=folder, capture_output=True, text=True, timeout=60)
    if fetched.returncode:
        pytest.skip(f"npm can't fetch the published SARIF schema: {fetched.stderr.strip()[-200:]}")
    with tarfile.open(next(folder.glob("*.tgz"))) as package:
        name = next(name for name in package.getnames() if re.search(r"sarif-2\.1\.0[^/]*\.json$", name))
        content = package.extractfile(name)
        assert content is not None
        schema: dict[str, Any] = json.load(content)
    assert schema["title"].startswith("Static Analysis Results Format (SARIF) Version 2.1.0")
    return schema
