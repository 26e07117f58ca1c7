"""An analyst picks an operation in the modeler, fills it in, and has what `check` accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from commands.session import connectors
from engine.definition.bpmn_xml import BPMN, CAMUNDA
from engine.definition.check import check
from engine.definition.diagram import FlowNode, Parameter
from engine.definition.diagram_reader import read_diagram
from engine.definition.element_template import FOLDER
from engine.services.deploying import read_files
from tests.modeler.packages import run_script

ROOT = Path(__file__).parents[2]
PROCESSES = ROOT / "processes"
TEMPLATES = [each for path in sorted((PROCESSES / FOLDER).glob("*.json")) for each in json.loads(path.read_text())]
DIAGRAMS = [
    PROCESSES / "monthly-card-charge.bpmn",
    PROCESSES / "refund.bpmn",
    ROOT / "commands" / "new_process" / "files" / "new-process.bpmn",
]


def tasks_of(content: bytes) -> dict[str, FlowNode]:
    return {node.id: node for node in read_diagram(content, "x").processes[0].of_kind("serviceTask")}


def as_plain_tasks(content: bytes) -> str:
    """The diagram before its service tasks were made any: tasks, with nothing but a name."""
    root = etree.fromstring(content)
    for task in root.iter(f"{{{BPMN}}}serviceTask"):
        task.tag = f"{{{BPMN}}}task"
        for name in [each for each in task.attrib if str(each).startswith(f"{{{CAMUNDA}}}")]:
            del task.attrib[name]
        extensions = task.find(f"{{{BPMN}}}extensionElements")
        assert extensions is not None
        task.remove(extensions)
    return etree.tostring(root, encoding="unicode")


def texts(parameters: tuple[Parameter, ...]) -> dict[str, str]:
    return {each.name: each.text for each in parameters}


def pick(task: FlowNode, *, filled: bool = True) -> dict[str, Any]:
    picked = {"element": task.id, "template": f"run-process.{task.topic}"}
    return picked | {"inputs": texts(task.inputs), "outputs": texts(task.outputs)} if filled else picked


def test_the_templates_fit_their_published_schema(packages: Path) -> None:
    assert len(TEMPLATES) >= 4
    assert run_script("validate.cjs", packages, templates=TEMPLATES) == []


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.stem)
def test_a_process_whose_tasks_were_picked_and_filled_in_is_the_process_that_we_ship(packages: Path, path: Path) -> None:
    files = read_files(path)
    drawn = files[path.name]
    tasks = tasks_of(drawn)
    done = run_script(
        "pick.cjs", packages, diagram=as_plain_tasks(drawn), templates=TEMPLATES, picks=[pick(task) for task in tasks.values()]
    )
    picked = tasks_of(done["xml"].encode())
    assert {key: (t.topic, t.service_type, texts(t.inputs), texts(t.outputs)) for key, t in picked.items()} == {
        key: (t.topic, "external", texts(t.inputs), texts(t.outputs)) for key, t in tasks.items()
    }
    assert 'camunda:modelerTemplate="run-process.email.send" camunda:modelerTemplateVersion="1"' in done["xml"]
    assert check({**files, path.name: done["xml"].encode()}, connectors()) == ()
    assert done["doubted"] == []


def test_what_is_picked_and_not_filled_in_is_told_by_check(packages: Path) -> None:
    path = DIAGRAMS[-1]
    files = read_files(path)
    drawn = files[path.name]
    charge = tasks_of(drawn)["charge"]
    others = [pick(task) for task in tasks_of(drawn).values() if task != charge]
    done = run_script(
        "pick.cjs", packages, diagram=as_plain_tasks(drawn), templates=TEMPLATES, picks=[*others, pick(charge, filled=False)]
    )
    found = check({**files, path.name: done["xml"].encode()}, connectors())
    assert {(each.element, each.rule) for each in found} == {("charge", "missing-parameter")}
    missing = {each.message.split('"')[1] for each in found}
    assert missing == {"amount", "currency", "stripe_customer", "description"}
