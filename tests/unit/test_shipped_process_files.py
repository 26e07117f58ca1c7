"""The process that is shipped: its diagram is drawn legibly, and its map and mails say what the diagram needs."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator
from lxml import etree
from ruamel.yaml import YAML

from connectors.email.language import Compiler
from connectors.email.templates import Templates

PROCESSES = Path(__file__).parents[2] / "processes"
NAME = "monthly-card-charge"
MAILS = sorted((PROCESSES / f"{NAME}.mail").iterdir())
XMLNS = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
    "camunda": "http://camunda.org/schema/1.0/bpmn",
}
NO_NODES = {"documentation", "laneSet", "sequenceFlow"}

DIAGRAM = etree.parse(PROCESSES / f"{NAME}.bpmn").getroot()


def find(path: str, start: Any = DIAGRAM) -> list[Any]:
    return list(start.xpath(path, namespaces=XMLNS))


def attribute(element: Any, name: str) -> Any:
    return element.get(f"{{{XMLNS['camunda']}}}{name}")


NODES = {e.get("id"): e for e in find("bpmn:process/*") if etree.QName(e).localname not in NO_NODES}
FLOWS = {e.get("id"): e for e in find("bpmn:process/bpmn:sequenceFlow")}
HOSTS = {name: e.get("attachedToRef") for name, e in NODES.items() if e.get("attachedToRef")}


# --- where things are drawn -------------------------------------------------------------------------------------------


class Point(NamedTuple):
    x: float
    y: float


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def grown(self, by: float) -> Box:
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def overlaps(self, other: Box) -> bool:
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def is_inside(self, other: Box) -> bool:
        return other.left <= self.left and other.top <= self.top and self.right <= other.right and self.bottom <= other.bottom

    def corners_of_diamond(self) -> set[Point]:
        """Where edges dock to gateways and events: the middles of the four sides."""
        x, y = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        return {Point(x, self.top), Point(x, self.bottom), Point(self.left, y), Point(self.right, y)}

    def has_on_border(self, point: Point) -> bool:
        within = self.left <= point.x <= self.right and self.top <= point.y <= self.bottom
        return within and (point.x in (self.left, self.right) or point.y in (self.top, self.bottom))


def box_of(bounds: Any) -> Box:
    x, y, width, height = (float(bounds.get(key)) for key in ("x", "y", "width", "height"))
    return Box(x, y, x + width, y + height)


def line_between(a: Point, b: Point) -> Box:
    """An edge's straight piece with a pixel of room around it, so that touching counts."""
    return Box(min(a.x, b.x), min(a.y, b.y), max(a.x, b.x), max(a.y, b.y)).grown(1)


def drawn_at(path: str) -> dict[str, Box]:
    return {e.xpath("string(ancestor::*[@bpmnElement][1]/@bpmnElement)"): box_of(e) for e in find(path)}


SHAPES = drawn_at("//bpmndi:BPMNShape/dc:Bounds")
LABELS = drawn_at("//bpmndi:BPMNLabel/dc:Bounds")
WAYPOINTS = {
    e.get("bpmnElement"): [Point(float(p.get("x")), float(p.get("y"))) for p in find("di:waypoint", e)]
    for e in find("//bpmndi:BPMNEdge")
}
LINES = {flow: [line_between(a, b) for a, b in pairwise(points)] for flow, points in WAYPOINTS.items()}


# --- the diagram ------------------------------------------------------------------------------------------------------


def test_every_node_lane_and_pool_has_one_shape_and_every_flow_one_edge() -> None:
    around = [e.get("id") for e in find("//bpmn:lane | //bpmn:participant")]
    assert sorted(e.get("bpmnElement") for e in find("//bpmndi:BPMNShape")) == sorted([*NODES, *around])
    assert sorted(e.get("bpmnElement") for e in find("//bpmndi:BPMNEdge")) == sorted(FLOWS)


def test_every_id_is_used_once() -> None:
    ids = find("//*[not(self::camunda:*)]/@id")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("child", "end"), [("incoming", "targetRef"), ("outgoing", "sourceRef")])
def test_nodes_list_the_flows_that_reach_and_leave_them(child: str, end: str) -> None:
    for name, node in NODES.items():
        listed = sorted(e.text for e in find(f"bpmn:{child}", node))
        assert listed == sorted(flow for flow, e in FLOWS.items() if e.get(end) == name), name


def test_every_node_lies_in_the_one_lane_that_lists_it() -> None:
    refs = find("//bpmn:flowNodeRef")
    assert sorted(ref.text for ref in refs) == sorted(NODES)
    for ref in refs:
        assert SHAPES[ref.text].is_inside(SHAPES[ref.getparent().get("id")]), ref.text


def test_lanes_fill_the_pool_without_gaps() -> None:
    pool = SHAPES[find("//bpmn:participant/@id")[0]]
    lanes = sorted((SHAPES[name] for name in find("//bpmn:lane/@id")), key=lambda lane: lane.top)
    assert [lane.top for lane in lanes] == [pool.top, *(lane.bottom for lane in lanes[:-1])]
    assert lanes[-1].bottom == pool.bottom
    assert {lane.right for lane in lanes} == {pool.right}


def test_nodes_stand_well_apart_and_boundary_events_on_their_task() -> None:
    for a, b in combinations(NODES, 2):
        if b in HOSTS or a in HOSTS:
            host, event = (a, b) if b in HOSTS else (b, a)
            if host not in HOSTS:
                assert SHAPES[host].overlaps(SHAPES[event]) == (HOSTS[event] == host), (a, b)
                continue
        gap = 0 if a in HOSTS else 40
        assert not SHAPES[a].grown(gap).overlaps(SHAPES[b]), (a, b)


def test_edges_dock_to_the_shapes_they_join() -> None:
    for name, flow in FLOWS.items():
        for node, point in ((flow.get("sourceRef"), WAYPOINTS[name][0]), (flow.get("targetRef"), WAYPOINTS[name][-1])):
            if etree.QName(NODES[node]).localname.endswith("Task"):
                assert SHAPES[node].has_on_border(point), name
            else:
                assert point in SHAPES[node].corners_of_diamond(), name


def test_edges_run_level_or_upright() -> None:
    for name, points in WAYPOINTS.items():
        assert len(points) >= 2
        assert all((a.x == b.x) != (a.y == b.y) for a, b in pairwise(points)), name


def test_no_edge_crosses_a_shape() -> None:
    for name, flow in FLOWS.items():
        ends = (flow.get("sourceRef"), flow.get("targetRef"))
        for node in NODES:
            shape = SHAPES[node].grown(-2 if node in ends else 0)
            assert not any(line.overlaps(shape) for line in LINES[name]), (name, node)


def crosses(one: Box, other: Box) -> bool:
    """Whether one straight piece runs right through the other, well away from both pieces' ends."""
    (level, upright) = (one, other) if one.bottom - one.top < one.right - one.left else (other, one)
    across = level.left + 20 < upright.left and upright.right < level.right - 20
    return across and upright.top + 20 < level.top and level.bottom < upright.bottom - 20


# Each of the four mails that end a month is reached from the charge, goes on to the hand-over and, if refused, to one and the
# same task, which itself goes on to the hand-over; a bill that was paid otherwise goes there as well. No drawing of that does
# without crossings; this one has two.
CROSSINGS = [{"flow_charge_settled", "flow_notice_refused"}, {"flow_credit_refused", "flow_payment_confirmed"}]


def test_no_two_edges_meet_but_for_the_two_crossings_that_cannot_be_avoided() -> None:
    for a, b in combinations(LINES, 2):
        meeting = [(one, other) for one in LINES[a] for other in LINES[b] if one.overlaps(other)]
        if {a, b} in CROSSINGS:
            assert [crosses(*pair) for pair in meeting] == [True]
        else:
            assert meeting == [], (a, b)


def test_named_events_gateways_and_flows_have_a_placed_label() -> None:
    named = {name for name, e in {**NODES, **FLOWS}.items() if e.get("name") and not etree.QName(e).localname.endswith("Task")}
    assert set(LABELS) == named


def test_no_label_covers_a_shape_an_edge_or_another_label() -> None:
    drawn = [SHAPES[name] for name in NODES] + [line for lines in LINES.values() for line in lines]
    for name, label in LABELS.items():
        assert not any(label.overlaps(other) for other in drawn), name
    for a, b in combinations(LABELS, 2):
        assert not LABELS[a].overlaps(LABELS[b]), (a, b)


def test_every_way_out_of_a_decision_is_named_and_one_is_taken_when_no_condition_holds() -> None:
    for name, node in NODES.items():
        flows = [FLOWS[e.text] for e in find("bpmn:outgoing", node)]
        if len(flows) > 1:
            assert node.get("name"), name
            assert all(flow.get("name") for flow in flows), name
            assert [flow.get("id") for flow in flows if not find("bpmn:conditionExpression", flow)] == [node.get("default")]


def test_nothing_is_approved_charged_settled_or_told_by_default() -> None:
    defaults = [FLOWS[node.get("default")] for node in NODES.values() if node.get("default")]
    assert {flow.get("name"): ways_to(flow) for flow in defaults if flow.get("name") == "no"} == {"no": {"wait_to_retry"}}
    assert {flow.get("name") for flow in defaults} == {"send back", "zero", "give up", "no", "by hand"}


# --- the carry-over map -----------------------------------------------------------------------------------------------

SCHEMA = json.loads((PROCESSES / "carry-over.schema.json").read_text(encoding="utf-8"))
MAP_FILE = PROCESSES / f"{NAME}.carry-over.yaml"
MAP = YAML(typ="safe", pure=True).load(MAP_FILE)


def test_editors_find_the_schema_and_the_map_obeys_it() -> None:
    assert MAP_FILE.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=carry-over.schema.json\n")
    Draft202012Validator.check_schema(SCHEMA)
    assert list(Draft202012Validator(SCHEMA).iter_errors(MAP)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: m["data"]["billing_amount"].pop("currency"),
        lambda m: m["data"]["billing_amount"].update(carry="copy"),  # and still shows the previous one
        lambda m: m["data"]["email"].pop("carry"),
        lambda m: m["data"]["email"].update(carry="keep"),
        lambda m: m["data"]["email"].update(carry="next"),
        lambda m: m["data"]["email"].update(carry={"set": "a@example.com", "expr": "email"}),
        lambda m: m["data"]["email"].update(currency="currency"),
        lambda m: m["data"]["email"].update(type="e-mail"),
        lambda m: m["data"]["approval"].pop("choices"),
        lambda m: m["data"].update({"billing-amount": {"type": "string", "carry": "drop"}}),
        lambda m: m["bill"].update(every="monthly"),
        lambda m: m["bill"].update(every="P"),
        lambda m: m.pop("bill"),
        lambda m: m["controls"].append({"path": "charge"}),
        lambda m: m["controls"].append({"every_end": "stops"}),
        lambda m: m.update(control=[]),
    ],
)
def test_the_schema_refuses_a_map_that_is_not_one(spoil: Callable[[Any], object]) -> None:
    spoilt = copy.deepcopy(MAP)
    spoil(spoilt)
    assert list(Draft202012Validator(SCHEMA).iter_errors(spoilt)) != []


def test_the_map_lists_exactly_the_items_of_the_diagram() -> None:
    written = [
        *find("//camunda:formField/@id"),
        *find("//camunda:outputParameter/@name"),
        *find("//@camunda:errorMessageVariable"),
    ]
    expressions = [
        *find("//bpmn:conditionExpression/text()"),
        *find("//camunda:inputParameter/text()"),
        *find("//camunda:constraint/@config"),
    ]
    inside = " ".join(re.findall(r"\$\{(.*?)\}", " ".join(expressions)))
    read = re.findall(r"\b[a-z_]+\b(?!\()", re.sub(r"'[^']*'", "", inside))
    assert set(written) == set(MAP["data"])
    assert set(read) <= set(MAP["data"])


def test_the_choices_of_forms_are_those_of_the_map() -> None:
    choices: dict[str, list[str]] = {}
    for field in find("//camunda:formField[@type='enum']"):
        offered = find("camunda:value/@id", field)
        assert choices.setdefault(field.get("id"), offered) == offered
    assert choices == {name: item["choices"] for name, item in MAP["data"].items() if item["type"] == "choice"}


def test_who_sends_back_comments_and_who_ends_the_contract_gives_a_reason() -> None:
    fields = find("camunda:formField", find(".//camunda:formData", NODES["approve"])[0])
    conditions = {
        field.get("id"): constraint.get("config")
        for field in fields
        for constraint in find(".//camunda:constraint[@name='required']", field)
    }
    assert conditions == {
        "approval": None,
        "return_comment": "${approval == 'send_back'}",
        "end_reason": "${approval == 'end_contract'}",
    }


def test_no_form_can_turn_a_bill_into_another() -> None:
    for item in (MAP["bill"]["customer"], MAP["bill"]["period"]):
        fields = find(f"//camunda:formField[@id='{item}']")
        assert fields
        assert all(find(".//camunda:constraint/@name", field) == ["readonly"] for field in fields)


# --- the mails --------------------------------------------------------------------------------------------------------

TEMPLATES = Templates({f"mail/{path.name}": path.read_bytes() for path in MAILS}, Compiler())
MAIL_TASKS = {node: e for node, e in NODES.items() if attribute(e, "topic") == "email.send"}
DATA = {
    "email": "ada@example.com",
    "customer_name": "<b>Ada & Sons</b>",
    "billing_amount": -123456,
    "currency": "EUR",
    "billing_month": "2026-10",
    "billing_details": "Hosting: 1,000.00\nSupport: 234.56",
    "credit_reference": "CN-7",
    "decline_message": "Your card was reported stolen.",
}


def parameters(task: str) -> dict[str, Any]:
    """The task's parameters on DATA: literal text, or the value of the one item that an expression names."""
    texts = {e.get("name"): e.text for e in find(".//camunda:inputParameter", NODES[task])}
    return {"locale": "en"} | {name: DATA[text[2:-1]] if text.startswith("${") else text for name, text in texts.items()}


def test_every_mail_is_sent_by_a_task_in_both_forms() -> None:
    named = {parameters(task)["template"] for task in MAIL_TASKS}
    assert {path.name for path in MAILS} == {f"{name}.{form}" for name in named for form in ("txt", "html")}


@pytest.mark.parametrize("task", MAIL_TASKS)
def test_a_mail_is_written_from_its_tasks_parameters_alone(task: str) -> None:
    mail = TEMPLATES.render(parameters(task)["template"], parameters(task))
    assert "October 2026" in mail.subject
    assert "<b>Ada & Sons</b>" in mail.text
    assert "\n  Hosting: 1,000.00\n  Support: 234.56\n\n" in mail.text
    assert "€1,234.56" in mail.text
    assert mail.html is not None
    assert "&lt;b&gt;Ada &amp; Sons&lt;/b&gt;" in mail.html
    assert "€1,234.56" in mail.html


def ways_on(node: str) -> set[str]:
    """The flow nodes that a sequence flow reaches from this one, gateways passed by."""
    return {target for flow in find("bpmn:outgoing/text()", NODES[node]) for target in ways_to(FLOWS[flow])}


def ways_to(flow: Any) -> set[str]:
    """The flow nodes that a sequence flow leads to, gateways passed by."""
    target = flow.get("targetRef")
    return ways_on(target) if etree.QName(NODES[target]).localname.endswith("Gateway") else {target}


LAST_MAILS = [task for task in MAIL_TASKS if task != "notify_declined"]


@pytest.mark.parametrize("task", LAST_MAILS)
def test_a_refused_address_is_corrected_by_a_person_and_the_chain_goes_on(task: str) -> None:
    (event,) = (NODES[name] for name, host in HOSTS.items() if host == task)
    (caught,) = find("bpmn:errorEventDefinition", event)
    assert event.get("cancelActivity", "true") == "true"
    assert find("//bpmn:error[@errorCode='address_refused']/@id") == [caught.get("errorRef")]
    assert attribute(caught, "errorMessageVariable") == "mail_problem"
    assert ways_on(event.get("id")) == {"correct_address"}
    assert ways_on("correct_address") == {"hand_over"} == ways_on(task)


def test_who_corrects_an_address_sees_why_and_enters_it_for_the_months_to_come() -> None:
    fields = find(".//camunda:formField", NODES["correct_address"])
    constraints = {field.get("id"): find(".//camunda:constraint/@name", field) for field in fields}
    assert constraints.pop("email") == ["required"]
    assert {"customer_name", "mail_problem"} <= set(constraints)
    assert all(names == ["readonly"] for names in constraints.values())
    assert MAP["data"]["email"]["carry"] == "copy"


def test_a_credit_is_told_as_a_positive_amount_with_its_number() -> None:
    mail = TEMPLATES.render("credited", parameters("notify_credited"))
    for part in (mail.subject, mail.text, mail.html or ""):
        assert "€1,234.56" in part
        assert "-€" not in part
    assert "CN-7" in mail.text


def test_who_cannot_be_told_of_a_decline_is_waited_for_all_the_same_and_the_address_can_be_corrected() -> None:
    assert ways_on("notify_declined") == {"wait_to_retry"} == ways_on("notify_declined_refused")
    (caught,) = find("bpmn:errorEventDefinition", NODES["notify_declined_refused"])
    assert attribute(caught, "errorMessageVariable") == "mail_problem"
    assert {"mail_problem", "email"} <= set(find(".//camunda:formField/@id", NODES["wait_to_retry"]))


BANKS_REASON = {"reason", "decline_message", "decline_code", "advice_code", "code", "message"}


@pytest.mark.parametrize("task", MAIL_TASKS)
def test_no_mail_is_given_the_banks_reason(task: str) -> None:
    assert DATA["decline_message"] not in parameters(task).values()
    assert not BANKS_REASON & set(parameters(task))


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.name)
def test_no_template_can_show_the_banks_reason(path: Path) -> None:
    """A template shows its parameters and nothing else, so it is enough that it doesn't name one of these."""
    read = Compiler().variables(path.name, path.read_text(encoding="utf-8"), escape=path.suffix == ".html")
    assert read
    assert not BANKS_REASON & read


def test_a_decline_is_told_with_the_amount_and_what_can_be_done() -> None:
    mail = TEMPLATES.render("declined", parameters("notify_declined") | {"amount": 12345})
    for part in (mail.text, mail.html or ""):
        assert "declined" in part
        assert "€123.45" in part
        assert "What you can do:" in part
        assert "reply to this message" in part.replace("\n", " ")


@pytest.mark.parametrize("path", [path for path in MAILS if path.suffix == ".html"], ids=lambda path: path.name)
def test_mails_load_nothing_from_elsewhere(path: Path) -> None:
    assert not re.search(r"https?:|//|src=|href=|url\(|@import|<(script|img|link|style)", path.read_text(encoding="utf-8"))
