"""A file without places for its elements is drawn all the same: from left to right, nothing over anything else."""

from __future__ import annotations

import re
import time
from itertools import combinations
from pathlib import Path

import pytest

from engine.drawing import draw, read_picture
from engine.drawing.picture import Box, Picture
from tests.builders.placed import HEAD, document, edge, plane, shape

PROCESSES = Path(__file__).parents[3] / "processes"
NOTE = "The file has no places for its elements, so they are laid out from left to right."


def unplaced(process: str, beside: str = "") -> Picture:
    return read_picture(f'{HEAD}{beside}<process id="p">{process}</process></definitions>'.encode(), "x.bpmn")


def boxes(picture: Picture) -> dict[str, Box]:
    return {s.element.id: s.box for s in picture.planes[0].shapes}


def flow(source: str, target: str) -> str:
    return f'<sequenceFlow id="{source}_{target}" sourceRef="{source}" targetRef="{target}"/>'


def apart(one: Box, other: Box) -> bool:
    return one.right <= other.x or other.right <= one.x or one.bottom <= other.y or other.bottom <= one.y


@pytest.mark.parametrize("name", ["monthly-card-charge", "refund"])
def test_a_shipped_process_without_its_places_keeps_every_element_and_flow(name: str) -> None:
    content = (PROCESSES / f"{name}.bpmn").read_bytes()
    whole = read_picture(content, name)
    bare = read_picture(re.sub(rb"<bpmndi:BPMNDiagram.*</bpmndi:BPMNDiagram>", b"", content, flags=re.DOTALL), name)
    assert bare.notes == (NOTE,)
    assert {i.element.id for i in bare.planes[0].items} == {i.element.id for i in whole.planes[0].items}
    nodes = [s for s in bare.planes[0].shapes if s.element.kind not in {"participant", "lane", "boundaryEvent"}]
    assert all(apart(one.box, other.box) for one, other in combinations(nodes, 2))
    lanes = {s.element.id: s.box for s in bare.planes[0].shapes if s.element.kind in {"participant", "lane"}}
    pool = next(s.box for s in bare.planes[0].shapes if s.element.kind == "participant")
    assert all(pool.holds(box) for box in lanes.values())
    assert all(pool.holds(s.box) for s in nodes)


def test_steps_follow_each_other_to_the_right() -> None:
    placed = boxes(unplaced(f'<startEvent id="a"/><task id="b"/><endEvent id="c"/>{flow("a", "b")}{flow("b", "c")}'))
    assert placed["a"].right < placed["b"].x < placed["b"].right < placed["c"].x


def test_branches_lie_below_each_other_and_a_loop_leads_back() -> None:
    process = f'<exclusiveGateway id="a"/><task id="b"/><task id="c"/>{flow("a", "b")}{flow("a", "c")}{flow("c", "a")}'
    picture = unplaced(process)
    placed = boxes(picture)
    assert placed["b"].x == placed["c"].x
    assert placed["b"].bottom < placed["c"].y
    back = next(e for e in picture.planes[0].edges if e.element.id == "c_a")
    assert max(p.y for p in back.points) > placed["c"].bottom


def test_lanes_and_pools_lie_below_each_other() -> None:
    lane = '<lane id="{}"><flowNodeRef>{}</flowNodeRef></lane>'
    lanes = f'<laneSet id="s">{lane.format("l1", "a")}{lane.format("l2", "b")}</laneSet>'
    beside = (
        '<collaboration id="c"><participant id="x" processRef="p"/><participant id="y"/>'
        '<messageFlow id="m" sourceRef="a" targetRef="y"/></collaboration>'
    )
    picture = unplaced(f'{lanes}<task id="a"/><task id="b"/>{flow("b", "a")}', beside)
    placed = boxes(picture)
    assert placed["l1"].bottom == placed["l2"].y
    assert placed["l1"].holds(placed["a"])
    assert placed["l2"].holds(placed["b"])
    assert placed["x"].bottom < placed["y"].y
    assert {e.element.id for e in picture.planes[0].edges} == {"b_a", "m"}


def test_sub_processes_hold_what_is_in_them_and_boundary_events_sit_on_their_activity() -> None:
    process = (
        f'<subProcess id="s"><task id="a"/><task id="b"/>{flow("a", "b")}</subProcess><boundaryEvent id="t" attachedToRef="s"/>'
    )
    placed = boxes(unplaced(f'{process}<task id="c"/>{flow("t", "c")}'))
    assert placed["s"].holds(placed["a"])
    assert placed["s"].holds(placed["b"])
    assert placed["t"].y < placed["s"].bottom < placed["t"].bottom
    assert placed["c"].x > placed["s"].right


def test_data_and_annotations_lie_below_and_keep_their_lines() -> None:
    process = (
        '<task id="a"/><textAnnotation id="n"><text>why</text></textAnnotation><association id="l" sourceRef="a" targetRef="n"/>'
    )
    picture = unplaced(process)
    assert boxes(picture)["n"].y > boxes(picture)["a"].bottom
    assert [e.element.id for e in picture.planes[0].edges] == ["l"]


@pytest.mark.parametrize("process", ["", flow("a", "b"), '<task/><task id=""/>', f'<task id="a"/>{flow("a", "gone")}'])
def test_what_is_not_whole_is_drawn_as_far_as_it_goes(process: str) -> None:
    content = f'{HEAD}<process id="p">{process}</process></definitions>'.encode()
    assert draw(content, "x.bpmn").startswith(b"<svg")


def test_five_hundred_elements_are_drawn_in_well_under_a_second() -> None:
    tasks = "".join(f'<userTask id="t{n}" name="Collect what customer {n} owes"/>' for n in range(250))
    flows = "".join(flow(f"t{n}", f"t{n + 1}") for n in range(249))
    drawn = [shape(f"t{n}", 160 * (n % 20), 120 * (n // 20)) for n in range(250)]
    drawn += [edge(f"t{n}_t{n + 1}", (160 * (n % 20) + 100, 40), (160 * (n % 20) + 160, 40)) for n in range(249)]
    for content in (
        document(tasks + flows, plane(*drawn)),
        f'{HEAD}<process id="p">{tasks}{flows}</process></definitions>'.encode(),
    ):
        before = time.process_time()
        draw(content, "x.bpmn", {f"t{n}": "covered" for n in range(250)})
        assert time.process_time() - before < 1.0
