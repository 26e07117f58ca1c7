"""The refund process that is shipped: its diagram is drawn legibly, its map obeys the schema, and its controls are proved."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator
from lxml import etree
from ruamel.yaml import YAML

from connectors.email.language import Compiler
from connectors.email.templates import Templates
from connectors.registry import ConnectorSettings, build_connectors
from engine.definition.check import check
from engine.services.deploying import read_files

PROCESSES = Path(__file__).parents[2] / "processes"
FILES = read_files(PROCESSES / "refund.bpmn")
XMLNS = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
    "camunda": "http://camunda.org/schema/1.0/bpmn",
}
DIAGRAM = etree.fromstring(FILES["refund.bpmn"])
MAP = YAML(typ="safe", pure=True).load(FILES["refund.carry-over.yaml"])


def find(path: str, start: Any = DIAGRAM) -> list[Any]:
    return list(start.xpath(path, namespaces=XMLNS))


def tag(element: Any) -> str:
    return str(etree.QName(element).localname)


NODES = {
    e.get("id"): e for e in find("bpmn:process/*[not(self::bpmn:documentation or self::bpmn:laneSet)]") if "Flow" not in tag(e)
}
FLOWS = {e.get("id"): e for e in find("bpmn:process/bpmn:sequenceFlow")}


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


def drawn(path: str) -> dict[str, Box]:
    found = {}
    for bounds in find(path):
        x, y, width, height = (float(bounds.get(key)) for key in ("x", "y", "width", "height"))
        found[bounds.xpath("string(ancestor::*[@bpmnElement][1]/@bpmnElement)")] = Box(x, y, x + width, y + height)
    return found


SHAPES = drawn("//bpmndi:BPMNShape/dc:Bounds")
LABELS = drawn("//bpmndi:BPMNLabel/dc:Bounds")
WAYS = {
    e.get("bpmnElement"): [(float(p.get("x")), float(p.get("y"))) for p in find("di:waypoint", e)]
    for e in find("//bpmndi:BPMNEdge")
}
LINES = {
    flow: [Box(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])).grown(1) for a, b in pairwise(points)]
    for flow, points in WAYS.items()
}
HOST = {name: node.get("attachedToRef") for name, node in NODES.items() if node.get("attachedToRef")}


# --- the diagram ------------------------------------------------------------------------------------------------------


def test_everything_is_drawn_once_in_its_lane() -> None:
    around = [e.get("id") for e in find("//bpmn:lane | //bpmn:participant")]
    assert sorted(e.get("bpmnElement") for e in find("//bpmndi:BPMNShape")) == sorted([*NODES, *around])
    assert sorted(e.get("bpmnElement") for e in find("//bpmndi:BPMNEdge")) == sorted(FLOWS)
    refs = find("//bpmn:flowNodeRef")
    assert sorted(ref.text for ref in refs) == sorted(NODES)
    assert all(SHAPES[ref.text].is_inside(SHAPES[ref.getparent().get("id")]) for ref in refs)


def test_shapes_stand_apart_and_boundary_events_on_their_tasks() -> None:
    for a, b in combinations(NODES, 2):
        together = HOST.get(a) == b or HOST.get(b) == a
        gap = 0 if a in HOST or b in HOST else 40
        assert SHAPES[a].grown(gap).overlaps(SHAPES[b]) == together, (a, b)


def test_edges_dock_to_what_they_join_run_level_or_upright_and_cross_nothing() -> None:
    for name, flow in FLOWS.items():
        ends = (flow.get("sourceRef"), flow.get("targetRef"))
        for node, (x, y) in zip(ends, (WAYS[name][0], WAYS[name][-1]), strict=True):
            shape = SHAPES[node]
            assert shape.left <= x <= shape.right, name
            assert shape.top <= y <= shape.bottom, name
            assert x in (shape.left, shape.right) or y in (shape.top, shape.bottom), name
        assert all((a[0] == b[0]) != (a[1] == b[1]) for a, b in pairwise(WAYS[name])), name
        for node in NODES:
            shape = SHAPES[node].grown(-2 if node in ends else 0)
            assert not any(line.overlaps(shape) for line in LINES[name]), (name, node)
    for a, b in combinations(LINES, 2):
        assert not any(one.overlaps(other) for one in LINES[a] for other in LINES[b]), (a, b)


def test_names_are_legible() -> None:
    named = {name for name, e in {**NODES, **FLOWS}.items() if e.get("name") and not tag(e).endswith("Task")}
    assert set(LABELS) == named
    covered = [SHAPES[name] for name in NODES] + [line for lines in LINES.values() for line in lines]
    for name, label in LABELS.items():
        assert not any(label.overlaps(other) for other in covered), name
    for a, b in combinations(LABELS, 2):
        assert not LABELS[a].overlaps(LABELS[b]), (a, b)


# --- what it promises -------------------------------------------------------------------------------------------------


def test_nothing_is_wrong_with_it() -> None:
    connectors = build_connectors(ConnectorSettings(None, None, live=False, smtp_url="file:///mail", mail_from="b@example.com"))
    assert check(FILES, connectors) == ()


@pytest.mark.parametrize(
    ("taken", "given"),
    [
        ('targetRef="give_back"', 'targetRef="notify"'),  # the arrow of the approval leads elsewhere, that of the request here
        ('sourceRef="ask" targetRef="approve"', 'sourceRef="ask" targetRef="give_back"'),
    ],
)
def test_a_way_to_the_money_past_the_approval_is_refused(taken: str, given: str) -> None:
    drawn_otherwise = FILES["refund.bpmn"].decode().replace(taken, given)
    if "notify" in given:
        drawn_otherwise = drawn_otherwise.replace('targetRef="ask"', 'targetRef="give_back"')
    rules = {finding.rule for finding in check({**FILES, "refund.bpmn": drawn_otherwise.encode()}, _connectors())}
    assert "control-must-pass" in rules


def _connectors() -> Mapping[str, Any]:
    return build_connectors(ConnectorSettings(None, None, live=False, smtp_url="file:///mail", mail_from="b@example.com"))


def test_who_asks_and_who_approves_are_kept_apart_and_nothing_is_carried_over() -> None:
    assert {"different_people": ["ask", "approve"]} in MAP["controls"]
    assert {item["carry"] for item in MAP["data"].values()} == {"drop"}
    assert MAP.keys() & {"bill", "message"} == set()


def test_the_map_obeys_its_schema_and_lists_what_the_forms_hold() -> None:
    schema = json.loads((PROCESSES / "carry-over.schema.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(MAP)) == []
    assert set(find("//camunda:formField/@id")) <= set(MAP["data"])


def test_nothing_is_given_back_or_asked_for_again_by_default() -> None:
    defaults = {FLOWS[node.get("default")].get("name") for node in NODES.values() if node.get("default")}
    assert defaults == {"send back", "give up"}


def test_the_mail_tells_the_amount_and_the_month_and_loads_nothing_from_elsewhere() -> None:
    templates = Templates({f"mail/{name.split('/')[1]}": text for name, text in FILES.items() if "/" in name}, Compiler())
    values = {
        "customer_name": "<b>Ada</b>",
        "amount": 2050,
        "currency": "EUR",
        "month": "2026-10",
        "locale": "en",
        "to": "a@b.cd",
    }
    mail = templates.render("refunded", values)
    for part in (mail.subject, mail.text, mail.html or ""):
        assert "€20.50" in part
        assert "October 2026" in part
    assert "&lt;b&gt;Ada&lt;/b&gt;" in (mail.html or "")
    html = FILES["refund.mail/refunded.html"].decode()
    assert not re.search(r"https?:|//|src=|href=|url\(|@import|<(script|img|link|style)", html)
