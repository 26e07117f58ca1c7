"""Any BPMN file gives a model of what is drawn in it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engine.definition.diagram import Diagram, Process
from engine.definition.diagram_reader import read_diagram
from engine.errors import DefinitionInvalid
from tests.builders.corpus import CORPUS, WITHOUT
from tests.builders.drawing import HEAD, diagram

FOREIGN = sorted(CORPUS.rglob("*.bpmn")) if CORPUS.is_dir() else []


def read(content: str | bytes) -> Diagram:
    return read_diagram(content if isinstance(content, bytes) else content.encode(), "x.bpmn")


def process(*parts: str) -> Process:
    [only] = read(diagram(*parts)).processes
    return only


def test_a_prefix_is_only_a_name() -> None:
    plain = '<definitions xmlns="{0}"><process id="p"><userTask id="a"/></process></definitions>'
    prefixed = '<b:definitions xmlns:b="{0}"><b:process id="p"><b:userTask id="a"/></b:process></b:definitions>'
    for text in (plain, prefixed):
        [only] = read(text.format("http://www.omg.org/spec/BPMN/20100524/MODEL")).processes
        assert [(node.id, node.kind) for node in only.nodes.values()] == [("a", "userTask")]


@pytest.mark.parametrize("text", ["<svg/>", '<definitions xmlns="http://example.com"/>', "<a"])
def test_what_is_not_bpmn_is_refused(text: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        read(text)
    assert len(refused.value.findings) == 1


def test_sequence_flows_without_an_id_get_one_that_nothing_else_has() -> None:
    flow = '<sequenceFlow sourceRef="a" targetRef="b"/>'
    drawn = process(
        '<task id="a"/><task id="b"/><task id="flow_1"/>', flow, '<sequenceFlow id="f" sourceRef="b" targetRef="a"/>', flow
    )
    assert [each.id for each in drawn.flows] == ["flow_2", "f", "flow_3"]


def test_surrounding_white_space_means_nothing() -> None:
    drawn = process(
        '<exclusiveGateway id=" g " name="  "/>',
        '<sequenceFlow id="f" sourceRef="g " targetRef=" g">'
        "<conditionExpression>\n  ${ok}\n  </conditionExpression></sequenceFlow>",
    )
    [flow] = drawn.flows
    assert (flow.source, flow.target, flow.condition) == ("g", "g", "${ok}")
    assert drawn.nodes["g"].name is None


def test_entities_cdata_and_comments_in_a_condition_are_read_as_text() -> None:
    inside = "a &lt; 1 <!-- and --><![CDATA[and b > 2]]>"
    drawn = process(
        f'<sequenceFlow id="f" sourceRef="a" targetRef="b"><conditionExpression>{inside}</conditionExpression></sequenceFlow>'
    )
    assert drawn.flows[0].condition == "a < 1 and b > 2"


def test_a_node_belongs_to_its_innermost_lane_and_is_offered_to_its_name() -> None:
    drawn = process(
        '<laneSet><lane id="outer" name="Sales"><flowNodeRef>a</flowNodeRef><flowNodeRef> b </flowNodeRef>'
        '<childLaneSet><lane id="inner" name="Sales Tokyo"><flowNodeRef>b</flowNodeRef></lane></childLaneSet></lane></laneSet>',
        '<userTask id="a"/><userTask id="b"/><userTask id="c"/><userTask id="d" camunda:candidateGroups="Finance"/>',
    )
    assert {key: (node.lane, node.group) for key, node in drawn.nodes.items()} == {
        "a": ("Sales", "Sales"),
        "b": ("Sales Tokyo", "Sales Tokyo"),
        "c": (None, None),
        "d": (None, "Finance"),
    }
    assert [(lane.id, lane.parent) for lane in drawn.lanes] == [("outer", None), ("inner", "outer")]


def test_forms_keep_their_fields_choices_and_constraints() -> None:
    drawn = process(
        '<userTask id="a" camunda:dueDate="P30D"><extensionElements><camunda:formData>'
        '<camunda:formField id="way" label="Way" type="enum"><camunda:value id="card" name="By card"/><camunda:value id="cash"/>'
        '<camunda:validation><camunda:constraint name="required"/><camunda:constraint name="readonly" config="false"/>'
        '</camunda:validation></camunda:formField><camunda:formField id="plain" type="string"/>'
        "</camunda:formData></extensionElements></userTask>"
    )
    task = drawn.nodes["a"]
    way, plain = task.fields
    assert (task.due, task.unsupported) == ("P30D", ())
    assert (way.name, way.label, way.type, way.required, way.readonly) == ("way", "Way", "enum", True, False)
    assert way.choices == (("card", "By card"), ("cash", "cash"))
    assert (plain.label, plain.required) == ("plain", False)


def test_service_tasks_keep_their_topic_and_parameters() -> None:
    drawn = process(
        '<serviceTask id="a" camunda:type="external" camunda:topic="pay"><extensionElements><camunda:inputOutput>'
        '<camunda:inputParameter name="amount"> ${amount} </camunda:inputParameter>'
        '<camunda:outputParameter name="receipt">${id}</camunda:outputParameter>'
        "</camunda:inputOutput></extensionElements></serviceTask>"
    )
    task = drawn.nodes["a"]
    assert (task.service_type, task.topic) == ("external", "pay")
    assert [(each.name, each.text) for each in (*task.inputs, *task.outputs)] == [("amount", "${amount}"), ("receipt", "${id}")]


def test_events_are_resolved_to_names_and_codes() -> None:
    drawn = process(
        '<startEvent id="s"><messageEventDefinition messageRef="tns:m_next"/></startEvent>',
        '<boundaryEvent id="b" attachedToRef="t" cancelActivity="false"><errorEventDefinition errorRef="e_declined" '
        'camunda:errorCodeVariable="code" camunda:errorMessageVariable="why"/></boundaryEvent>',
        '<intermediateCatchEvent id="c"><timerEventDefinition><timeDuration>PT2H</timeDuration></timerEventDefinition>'
        "</intermediateCatchEvent>",
        '<endEvent id="e"><messageEventDefinition messageRef="nowhere"/></endEvent>',
    )
    events = {key: node.events[0] for key, node in drawn.nodes.items()}
    assert (events["s"].kind, events["s"].name) == ("message", "next")
    assert (events["b"].code, events["b"].code_variable, events["b"].message_variable) == ("declined", "code", "why")
    assert (drawn.nodes["b"].attached_to, drawn.nodes["b"].interrupting) == ("t", False)
    assert (events["c"].kind, events["c"].timer, events["c"].text) == ("timer", "duration", "PT2H")
    assert (events["e"].reference, events["e"].name) == ("nowhere", None)


def test_what_is_inside_a_sub_process_knows_it() -> None:
    drawn = process(
        '<laneSet><lane id="l" name="Sales"><flowNodeRef>sub</flowNodeRef></lane></laneSet>'
        '<subProcess id="sub"><userTask id="a"/><subProcess id="deep"><task id="b"/>'
        '<sequenceFlow id="f" sourceRef="b" targetRef="b"/></subProcess></subProcess>'
    )
    assert {key: node.scope for key, node in drawn.nodes.items()} == {"sub": None, "a": "sub", "deep": "sub", "b": "deep"}
    assert drawn.flows[0].scope == "deep"
    assert drawn.nodes["b"].lane == "Sales"


def test_everything_carries_its_line_and_column() -> None:
    content = diagram('<task id="a"/>', '  <sequenceFlow id="f" sourceRef="a" targetRef="a"/>')
    drawn = read(content)
    lines = content.decode().splitlines()
    [only] = drawn.processes
    assert lines[only.nodes["a"].position.line - 1][only.nodes["a"].position.column - 1 :].startswith('<task id="a"')
    assert str(only.flows[0].position) == f"x.bpmn:{only.nodes['a'].position.line + 1}:3"


def test_the_second_use_of_an_id_is_noted() -> None:
    drawn = read(diagram('<task id="a"/>', '<task id="b"/>', '<textAnnotation id="a"/>'))
    assert [(key, at.line) for key, at in drawn.duplicates] == [("a", 6)]


def test_a_process_that_does_not_say_so_is_executable() -> None:
    drawn = read(f'{HEAD}<process id="p"/><process id="q" isExecutable="false"/></definitions>')
    assert [each.executable for each in drawn.processes] == [True, False]


def test_what_changes_meaning_and_is_not_modelled_is_noted_with_its_place() -> None:
    drawn = read(
        f'{HEAD}\n<globalTask id="g"/>\n<process id="p" camunda:candidateStarterGroups="x">\n'
        "<correlationSubscription/></process></definitions>"
    )
    assert [(name, at.line) for name, at in drawn.other_elements] == [
        ("globalTask", 2),
        ("camunda:candidateStarterGroups", 3),
        ("correlationSubscription", 4),
    ]


# --- diagrams that other people drew ----------------------------------------------------------------------------------


@pytest.mark.skipif(not FOREIGN, reason=WITHOUT)
@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: str(path.relative_to(CORPUS)))
def test_a_diagram_that_somebody_else_drew_has_a_model(path: Path) -> None:
    content = path.read_bytes()
    drawn = read_diagram(content, path.name)
    assert sum(len(each.nodes) for each in drawn.processes) <= content.count(b"id=")
    assert sum(len(each.flows) for each in drawn.processes) == content.count(b"sequenceFlow ")
    for each in drawn.processes:
        assert all(flow.source in each.nodes and flow.target in each.nodes for flow in each.flows)


def test_a_thousand_elements_are_read_in_a_moment() -> None:
    tasks = "".join(f'<userTask id="t{n}"/><sequenceFlow id="f{n}" sourceRef="t{n}" targetRef="t{n + 1}"/>' for n in range(500))
    began = time.process_time()
    assert len(process(tasks).nodes) == 500
    assert time.process_time() - began < 0.5


def test_outgoing_flows_keep_the_order_in_which_their_node_lists_them_wherever_they_stand_in_the_file() -> None:
    flows = [f'<sequenceFlow id="{name}" sourceRef="split" targetRef="t"/>' for name in ("c", "b", "unlisted", "a")]
    split = '<exclusiveGateway id="split"><outgoing>a</outgoing><outgoing>b</outgoing><outgoing>c</outgoing></exclusiveGateway>'
    drawn = process(split, '<task id="t"/>', *flows)
    assert [flow.id for flow in drawn.flows_from("split")] == ["a", "b", "c", "unlisted"]
    unlisted = process('<exclusiveGateway id="split"/>', '<task id="t"/>', *flows)
    assert [flow.id for flow in unlisted.flows_from("split")] == ["c", "b", "unlisted", "a"]
