"""What `init` hands out is drawn legibly; that it is right, its own scenarios and `check` say (tests/acceptance/test_init.py)."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

from lxml import etree

from engine.definition.diagram_reader import read_diagram

FILE = Path(__file__).parents[2] / "commands" / "new_process" / "files" / "new-process.bpmn"
ROOT: Any = etree.parse(FILE).getroot()
PROCESS = read_diagram(FILE.read_bytes(), FILE.name).processes[0]
DC, DI, BPMNDI = (f"{{http://www.omg.org/spec/{name}}}" for name in ("DD/20100524/DC", "DD/20100524/DI", "BPMN/20100524/DI"))

Box = tuple[float, float, float, float]


def box(bounds: Any) -> Box:
    x, y, width, height = (float(bounds.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def drawn() -> tuple[dict[str, Box], dict[str, Box], dict[str, list[tuple[float, float]]]]:
    """Shapes and labels by element, and the points of the edges."""
    shapes = {each.get("bpmnElement"): box(each.find(f"{DC}Bounds")) for each in ROOT.iter(f"{BPMNDI}BPMNShape")}
    labels = {each.getparent().get("bpmnElement"): box(each.find(f"{DC}Bounds")) for each in ROOT.iter(f"{BPMNDI}BPMNLabel")}
    edges = {
        each.get("bpmnElement"): [(float(p.get("x")), float(p.get("y"))) for p in each.iter(f"{DI}waypoint")]
        for each in ROOT.iter(f"{BPMNDI}BPMNEdge")
    }
    return shapes, labels, edges


SHAPES, LABELS, EDGES = drawn()
LINES = [(min(a, c), min(b, d), max(a, c) + 1, max(b, d) + 1) for way in EDGES.values() for (a, b), (c, d) in pairwise(way)]


def test_everything_has_its_place() -> None:
    assert set(EDGES) == {flow.id for flow in PROCESS.flows}
    assert set(SHAPES) - {"Participant_1"} == {*PROCESS.nodes, *(lane.id for lane in PROCESS.lanes)}


def test_nothing_covers_anything_else() -> None:
    nodes = {key: SHAPES[key] for key in PROCESS.nodes}
    for one, other in combinations(nodes, 2):
        attached = one in (PROCESS.nodes[other].attached_to, other) or other == PROCESS.nodes[one].attached_to
        assert overlap(nodes[one], nodes[other]) == attached, (one, other)
    for key, label in LABELS.items():
        assert not any(overlap(label, each) for each in (*nodes.values(), *LINES)), key
        assert not any(overlap(label, each) for other, each in LABELS.items() if other != key), key


def test_every_node_lies_in_its_lane_and_every_arrow_begins_and_ends_at_its_node() -> None:
    for lane in PROCESS.lanes:
        around = SHAPES[lane.id]
        assert all(around[1] < SHAPES[node][1] and SHAPES[node][3] < around[3] for node in lane.nodes), lane.id
    for flow in PROCESS.flows:
        for (x, y), node in ((EDGES[flow.id][0], flow.source), (EDGES[flow.id][-1], flow.target)):
            left, top, right, bottom = SHAPES[node]
            assert (x in (left, right) and top < y < bottom) or (y in (top, bottom) and left < x < right), flow.id
