"""The scenarios of the shipped processes pass, pass everywhere, and are as editors expect them."""

from __future__ import annotations

import json
import shutil
from io import BytesIO
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from commands.session import connectors
from commands.testing.trying import try_out
from engine.clock import SystemStopwatch
from engine.definition.process_definition import read_definition
from engine.services.deploying import read_files
from tests.builders.company import PROCESSES

SHIPPED = ("monthly-card-charge", "refund")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_scenario_passes_and_together_they_pass_every_node_and_flow(name: str) -> None:
    trial = try_out(PROCESSES / f"{name}.bpmn", connectors(), lambda _: True, SystemStopwatch())
    assert trial.rehearsal is not None, trial.findings
    assert [each.failure for each in trial.rehearsal.performances if each.failure] == []
    coverage = trial.rehearsal.coverage
    assert ([node.id for node in coverage.uncovered_nodes], [flow.id for flow in coverage.uncovered_flows]) == ([], [])
    assert coverage.percent == 100


@pytest.mark.parametrize("name", SHIPPED)
def test_scenarios_are_no_part_of_a_definition(name: str) -> None:
    files = read_files(PROCESSES / f"{name}.bpmn")
    assert not any("scenarios" in each for each in files)
    assert read_definition(files).digest == read_definition(dict(files)).digest


def test_the_example_in_the_readme_passes(tmp_path: Path) -> None:
    readme = (PROCESSES.parent / "README.md").read_text(encoding="utf-8")
    [example] = [block for block in readme.split("```yaml\n")[1:] if block.startswith("process: monthly-card-charge\nstart:")]
    for each in PROCESSES.glob("monthly-card-charge.*"):
        (shutil.copytree if each.is_dir() else shutil.copy)(each, tmp_path / each.name)
    (tmp_path / "monthly-card-charge.scenarios.yaml").write_text(example.partition("```")[0], encoding="utf-8")
    trial = try_out(tmp_path / "monthly-card-charge.bpmn", connectors(), lambda _: True, SystemStopwatch())
    assert trial.rehearsal is not None, trial.findings
    assert [each.failure for each in trial.rehearsal.performances] == [None]


def as_editors_read(path: Path) -> object:
    yaml = YAML(typ="safe", pure=True)
    yaml.constructor.yaml_constructors.pop("tag:yaml.org,2002:timestamp", None)
    return yaml.load(BytesIO(path.read_bytes()))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_schema_for_editors_accepts_the_shipped_scenarios(name: str) -> None:
    schema = json.loads((PROCESSES / "scenarios.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    path = PROCESSES / f"{name}.scenarios.yaml"
    errors = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(as_editors_read(path))]
    assert errors == []
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=scenarios.schema.json\n")


@pytest.mark.parametrize(
    "wrong",
    [
        {"scenarios": [{"steps": []}]},
        {"scenarios": [{"name": "A", "steps": [{"task": "a", "job": "b"}]}]},
        {"scenarios": [{"name": "A", "steps": [{"job": "a", "fails": "b", "breaks": "c"}]}]},
        {"scenarios": [{"name": "A", "steps": [{"time": "3 days"}]}]},
        {"scenarios": [{"name": "A", "expect": {"chargd": "nothing"}}]},
        {"scenarios": [{"name": "A", "expect": {"charged": "none"}}]},
    ],
)
def test_the_schema_for_editors_refuses_what_cannot_be_read(wrong: dict[str, object]) -> None:
    schema = json.loads((PROCESSES / "scenarios.schema.json").read_text(encoding="utf-8"))
    assert not jsonschema.Draft202012Validator(schema).is_valid({"process": "billing", **wrong})
