"""Diagrams that other people drew, with a first carry-over map and with what `check` asks for, and all ways through them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from lxml import etree
from pydantic import BaseModel, ConfigDict

from engine.clock import TurnedClock
from engine.connector import Completed, Connectors, Value
from engine.definition.check import check
from engine.definition.data_item import DataItem, DataType
from engine.definition.diagram import FlowNode
from engine.definition.diagram_reader import read_diagram
from engine.definition.finding import Finding, Severity
from engine.definition.first_map import first_map
from engine.definition.process_definition import DIAGRAM_SUFFIX, MAP_SUFFIX, main_process, read_definition
from engine.execution.executable import Executable
from engine.rehearsal.stage import Stage
from engine.rehearsal.work import Instance, Subscription

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
CAMUNDA = "{http://camunda.org/schema/1.0/bpmn}"
_START = datetime(2026, 10, 1, tzinfo=UTC)
_MOST_MOVES = 2_000
_JAVA = ("class", "delegateExpression", "expression", "resultVariable")
_ABSTRACT = ("task", "manualTask")
_WITHOUT_A_PLACE = ("assignee", "formKey", "calledElementTenantId")


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True)
class Stub:
    """A connector that takes anything and gives nothing."""

    topic: str = "stub"
    parameters: type[BaseModel] = Anything
    outputs: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    def run(self, request: Any, context: Any) -> Completed:
        raise AssertionError("on the stage, no connector is called")


STUBS: Connectors = {"stub": Stub()}


@dataclass(frozen=True)
class Adopted:
    """A diagram under the name that `check` wants, with its first map, and what `check` says about the two."""

    files: Mapping[str, bytes]
    findings: tuple[Finding, ...]

    @property
    def refusals(self) -> list[str]:
        """`RULE ELEMENT` of every error."""
        errors = (each for each in self.findings if each.severity is Severity.ERROR)
        return sorted({f"{each.rule} {each.element or '-'}" for each in errors})


def adopt(content: bytes) -> Adopted:
    """As `init --from` does, with the file called by its process's id."""
    process = main_process(read_diagram(content, "adopted.bpmn"), None)
    assert process is not None
    diagram = {process.id + DIAGRAM_SUFFIX: content}
    files = {**diagram, process.id + MAP_SUFFIX: first_map(diagram, STUBS).encode()}
    return Adopted(files, check(files, STUBS))


# --- what check asks for ------------------------------------------------------------------------------------------------


def mend(content: bytes) -> bytes:
    """What `check` asks for and needs no knowledge of the business: 'External' and a topic for Java, user tasks for tasks without
    a kind, no assignees and foreign forms, `${...}` and `not`, 'Executable', one process, a condition for every way.
    """
    root = etree.fromstring(content)
    for element in root.iter(f"{BPMN}*"):
        _mend_settings(element)
    _mend_texts(root)
    _mend_processes(root)
    _mend_gateways(root)
    return etree.tostring(root)


def _mend_settings(element: Any) -> None:
    local = etree.QName(element).localname
    if local in _ABSTRACT:
        element.tag = f"{BPMN}userTask"
    if local in ("serviceTask", "sendTask", "businessRuleTask") and not element.get(f"{CAMUNDA}topic"):
        if local == "businessRuleTask":
            element.tag = f"{BPMN}serviceTask"
        for name in _JAVA:
            element.attrib.pop(f"{CAMUNDA}{name}", None)
        for extra in [*element.iter(f"{CAMUNDA}field")]:
            extra.getparent().remove(extra)
        element.set(f"{CAMUNDA}type", "external")
        element.set(f"{CAMUNDA}topic", "stub")
    for name in _WITHOUT_A_PLACE:
        element.attrib.pop(f"{CAMUNDA}{name}", None)
    groups = element.get(f"{CAMUNDA}candidateGroups", "")
    if "," in groups:
        element.set(f"{CAMUNDA}candidateGroups", groups.split(",")[0].strip())


def _mend_texts(root: Any) -> None:
    for condition in root.iter(f"{BPMN}conditionExpression"):
        text = (condition.text or "").strip().replace("#{", "${")
        condition.text = re.sub(r"!(?!=)", "not ", "" if text == "true" else text)
        condition.attrib.pop("language", None)


def _mend_processes(root: Any) -> None:
    drawn = [each for each in root.iter(f"{BPMN}process") if len(each.findall(f"{BPMN}sequenceFlow"))]
    for other in [each for each in root.iter(f"{BPMN}process", f"{BPMN}collaboration") if each is not drawn[0]]:
        root.remove(other)
    for reusable in [each for each in root if etree.QName(each).localname.startswith("global")]:
        root.remove(reusable)
    drawn[0].set("isExecutable", "true")


def _mend_gateways(root: Any) -> None:
    split = {each.get("id"): each.get("default") for each in root.iter(f"{BPMN}exclusiveGateway", f"{BPMN}inclusiveGateway")}
    flows = [each for each in root.iter(f"{BPMN}sequenceFlow") if each.get("sourceRef") in split]
    for flow in flows:
        source, key = flow.get("sourceRef"), flow.get("id")
        alone = sum(other.get("sourceRef") == source for other in flows) == 1
        condition = flow.find(f"{BPMN}conditionExpression")
        if alone or split[source] == key or (condition is not None and condition.text):
            continue
        if condition is not None:
            flow.remove(condition)
        if split[source] is None:  # so that there is always a way
            split[source] = key
            next(each for each in root.iter() if each.get("id") == source).set("default", key)
            continue
        item = re.sub(r"\W", "_", f"way_of_{source}")[:60]
        etree.SubElement(flow, f"{BPMN}conditionExpression").text = f'${{{item} == "{key}"}}'


# --- all ways through -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ways:
    """What a number of instances passed, and where they ended."""

    flow_nodes: frozenset[str]
    flows: frozenset[str]
    ends: frozenset[str]


def ways_through(files: Mapping[str, bytes], instances: int) -> Ways:
    """Run that many instances to their ends, each by its own seed: forms filled in by type, jobs done or failed with the errors
    that are caught, messages and signals received, time passed.
    """
    definition = read_definition(files)
    walk = _Walk(Executable(definition))
    ended = [walk.to_the_end(Random(seed)) for seed in range(instances)]
    return Ways(
        frozenset(node for each in ended for node in each.path),
        frozenset(flow for each in ended for flow in each.flows),
        frozenset(end for each in ended for end in each.end_events or ()),
    )


class _Walk:
    def __init__(self, executable: Executable) -> None:
        self._executable = executable
        self._definition = executable.definition
        texts = "\n".join(each.decode() for each in self._definition.files.values())
        self._texts = sorted({"Some text", *re.findall(r"""==\s*(?:"|'|&quot;|&apos;)(.*?)(?:"|'|&quot;|&apos;)""", texts)})

    def to_the_end(self, chance: Random) -> Instance:
        stage = Stage(TurnedClock(_START))
        stage.deploy(self._executable)
        process = self._definition.process
        starts = [node for node in process.of_kind("startEvent") if node.scope is None]
        items = self._definition.carry_over.items.values()
        data = {item.name: self._typed(item, chance) for item in items}
        data = {name: {"yes": True, "no": False}.get(str(value), value) for name, value in data.items()}
        instance = stage.begin(process.id, chance.choice(starts).id, data)
        for _ in range(_MOST_MOVES):
            if not stage.instances[instance.id].active:
                return stage.instances[instance.id]
            chance.choice(list(self._moves(stage, instance.id, chance)))()
        raise AssertionError(f"Expected {process.id} to end, but it waits at {stage.instances[instance.id].path[-3:]}.")

    def _moves(self, stage: Stage, instance: int, chance: Random) -> Iterator[Callable[[], object]]:
        """What can happen next."""
        for task in stage.tasks_of(instance):
            values = self._filled_in(self._executable.nodes[task.flow_node], chance)
            yield lambda task=task, values=values: stage.complete(task.id, values, "ann")
        for job in stage.jobs_of(instance):
            yield lambda job=job: stage.succeed(job.id)
            for code in self._caught(job.flow_node):
                yield lambda job=job, code=code: stage.fail(job.id, code, "It failed.")
        for waiting in [each for each in stage.subscriptions.values() if each.instance == instance]:
            yield lambda waiting=waiting: _receive(stage, waiting)
        due = stage.next_due()
        if due is not None:
            yield lambda due=due: stage.turn_to(due)

    def _caught(self, node: str) -> Iterator[str]:
        for boundary in self._definition.process.boundary_events_of(node):
            yield from (event.code or "any" for event in boundary.events if event.kind == "error")

    def _filled_in(self, node: FlowNode, chance: Random) -> dict[str, Value]:
        items = self._definition.carry_over.items
        return {each.name: self._typed(items[each.name], chance) for each in node.fields if not each.readonly}

    def _typed(self, item: DataItem, chance: Random) -> Value:
        match item.type:
            case DataType.BOOLEAN:
                return chance.choice(["yes", "no"])
            case DataType.INTEGER:
                return chance.choice([0, 1, 20, 1_000])
            case DataType.CHOICE:
                return chance.choice(item.choices)
            case DataType.DATE:
                return "2026-10-05"
            case _:
                return chance.choice(self._texts)


def _receive(stage: Stage, waiting: Subscription) -> None:
    if waiting.kind == "signal":
        stage.signal(waiting.name)
    else:
        stage.deliver(stage.publish(waiting.name, waiting.key, {}).id)
