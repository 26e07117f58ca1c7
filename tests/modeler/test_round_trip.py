"""A diagram that a modeler has opened and saved means what it meant before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.definition.bpmn_xml import DIALECTS
from engine.definition.diagram import Process
from engine.definition.diagram_reader import read_diagram
from engine.errors import DefinitionInvalid
from tests.builders.corpus import CORPUS, WITHOUT
from tests.modeler.packages import saved

ROOT = Path(__file__).parents[2]
SHIPPED = [*sorted((ROOT / "processes").glob("*.bpmn")), ROOT / "commands" / "new_process" / "files" / "new-process.bpmn"]
OTHER_ENGINES = [namespace.encode() for namespace, name in DIALECTS.items() if name != "camunda"]
UNNUMBERED = "no namespace uri given for prefix"  # what the library can't write: a prefix that stands in attributes alone
NOT_DRAWABLE = ("getTotalLength", "reading '0'")  # what jsdom hasn't got: the length of a curve


def meaning(value: Any) -> Any:
    """Everything that a model says, without where it stands in the file. Elements of one kind may change places."""
    if is_dataclass(value):
        return {each.name: meaning(getattr(value, each.name)) for each in fields(value) if each.name != "position"}
    if isinstance(value, Mapping):
        return {key: meaning(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [meaning(each) for each in value]
    return " ".join(value.split()) if isinstance(value, str) else value  # in an attribute, line breaks are white space


def meaning_of(process: Process) -> Any:
    said = meaning(process)
    said["flows"] = {flow.id: meaning(flow) for flow in process.flows}
    said["lanes"] = {lane.id: (lane.name, lane.parent, sorted(lane.nodes)) for lane in process.lanes}
    said["ways"] = {node: [flow.id for flow in process.flows_from(node)] for node in process.nodes}  # the order of conditions
    for node in said["nodes"].values():
        node["unsupported"].sort()
    return said


def compared(before: bytes, after: bytes) -> Iterator[tuple[Any, Any]]:
    first, second = read_diagram(before, "x"), read_diagram(after, "x")
    assert [each.id for each in first.processes] == [each.id for each in second.processes]
    for one, other in zip(first.processes, second.processes, strict=True):
        yield meaning_of(one), meaning_of(other)


def theirs() -> dict[str, bytes]:
    """Diagrams that others drew, for our dialect or for none."""
    if not CORPUS.is_dir():
        pytest.skip(WITHOUT)
    contents = {str(path.relative_to(CORPUS)): path.read_bytes() for path in sorted(CORPUS.rglob("*.bpmn"))}
    return {name: each for name, each in contents.items() if not any(namespace in each for namespace in OTHER_ENGINES)}


@pytest.mark.parametrize("way", ["moddle", "modeler"])
def test_our_diagrams_mean_the_same_after_they_were_saved(packages: Path, way: str) -> None:
    drawn = {path.name: path.read_bytes() for path in SHIPPED}
    for name, after in saved(packages, way, drawn).items():
        assert isinstance(after, bytes), (name, after)
        for one, other in compared(drawn[name], after):
            assert one == other, name


@pytest.mark.parametrize("way", ["moddle", "modeler"])
def test_diagrams_of_others_mean_the_same_after_they_were_saved(packages: Path, way: str) -> None:
    drawn = theirs()
    if way == "modeler":  # it draws each of them, which takes its time: those in our own dialect
        drawn = {name: each for name, each in drawn.items() if b"camunda.org/schema/1.0" in each}
    compared_ones = 0
    for name, after in saved(packages, way, drawn).items():
        if isinstance(after, str):
            assert UNNUMBERED in after or any(each in after for each in NOT_DRAWABLE), (name, after)
            continue
        try:
            pairs = list(compared(drawn[name], after))
        except DefinitionInvalid:
            continue  # a file that is refused as a whole has no meaning to keep
        for one, other in pairs:
            if way == "modeler" and b"isExecutable=" not in drawn[name]:
                assert other.pop("executable") is False  # it is written out now: `check` names such a process
                one.pop("executable")
            assert one == other, name
        compared_ones += 1
    assert compared_ones > len(drawn) * 3 // 4
