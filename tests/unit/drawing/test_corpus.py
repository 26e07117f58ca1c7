"""Every diagram that other people drew is drawn with every shape and line of its interchange, where that has them."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from engine.drawing import draw, read_picture
from engine.drawing.picture import Box
from tests.builders.corpus import CORPUS, WITHOUT

if TYPE_CHECKING:
    from lxml.etree import _Element

CHECKOUT = Path(__file__).parents[3]
FOUND = sorted(CORPUS.rglob("*.bpmn")) if CORPUS.is_dir() else []
DIAGRAMS = [*FOUND, *sorted((CHECKOUT / "processes").glob("*.bpmn"))]
MODEL = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
DI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
NEAR = 0.02


def named(path: Path) -> str:
    return path.relative_to(CORPUS if path.is_relative_to(CORPUS) else CHECKOUT).as_posix()


@pytest.fixture(params=DIAGRAMS, ids=named)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@cache
def read(path: Path) -> tuple[_Element, _Element]:
    """The file as it is, read with nothing of ours, and the picture of it."""
    return etree.parse(path).getroot(), etree.fromstring(draw(path.read_bytes(), path.name))


def placed(root: _Element, tag: str) -> list[_Element]:
    return [each for plane in root.iter(f"{DI}BPMNPlane") for each in plane.iterchildren(f"{DI}{tag}")]


def element_id(item: _Element) -> str:
    return (item.get("bpmnElement") or "").rpartition(":")[2]


def drawn(picture: _Element) -> list[_Element]:
    return [group for group in picture.iter("{*}g") if group.get("data-element-id")]


def bounds(item: _Element) -> Box:
    found = item.find("{*}Bounds")
    assert found is not None
    return Box(*(float(found.get(name) or "nan") for name in ("x", "y", "width", "height")))


def extent(group: _Element) -> Box:
    """What a shape's outline takes, from its largest rectangle, circle or path of straight lines."""
    boxes = []
    for part in group.iterchildren("{*}rect", "{*}circle", "{*}path"):
        if part.tag.endswith("rect"):
            boxes.append(Box(*(float(part.get(name) or "nan") for name in ("x", "y", "width", "height"))))
        elif part.tag.endswith("circle"):
            x, y, r = (float(part.get(name) or "nan") for name in ("cx", "cy", "r"))
            rim = float(part.get("stroke-width") or 0) / 2
            boxes.append(Box(x - r - rim, y - r - rim, 2 * (r + rim), 2 * (r + rim)))
        elif part.get("transform") is None and not set(part.get("d") or "") & set("aVHQ"):
            numbers = [float(n) for n in (part.get("d") or "").replace("M", " ").replace("L", " ").replace("Z", " ").split()]
            xs, ys = numbers[::2], numbers[1::2]
            boxes.append(Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)))
    around = Box.around(boxes)
    assert around is not None
    return around


def test_the_corpus_is_there() -> None:
    if not FOUND:
        pytest.skip(WITHOUT)
    assert len(FOUND) > 50


def test_every_shape_and_line_is_drawn_once_for_each_time_the_file_places_it(path: Path) -> None:
    root, picture = read(path)
    wanted = Counter(element_id(item) for tag in ("BPMNShape", "BPMNEdge") for item in placed(root, tag))
    assert Counter(group.get("data-element-id") for group in drawn(picture)) == wanted


def test_every_shape_lies_where_the_file_puts_it(path: Path) -> None:
    root, picture = read(path)
    if len(list(root.iter(f"{DI}BPMNPlane"))) > 1:
        pytest.skip("several diagrams of one file are drawn below each other, so their places are moved")
    groups = {group.get("data-element-id"): group for group in drawn(picture)}
    for item in placed(root, "BPMNShape"):
        group, box = groups[element_id(item)], bounds(item)
        if group.get("class") in {"bpmn-dataStoreReference"}:
            continue  # a drum, whose outline is round
        found = extent(group)
        differences = (found.x - box.x, found.y - box.y, found.right - box.right, found.bottom - box.bottom)
        square = min(box.width, box.height) / 2
        if "Event" in (group.get("class") or ""):  # round ones fill the middle of their box
            centre = Box(box.centre.x - square, box.centre.y - square, 2 * square, 2 * square)
            differences = (found.x - centre.x, found.y - centre.y, found.right - centre.right, found.bottom - centre.bottom)
        assert max(map(abs, differences)) <= NEAR, (element_id(item), found, box)


def test_every_line_begins_ends_and_turns_where_the_file_says(path: Path) -> None:
    root, _ = read(path)
    picture = read_picture(path.read_bytes(), path.name)
    wanted = [
        (element_id(item), [(float(p.get("x") or "nan"), float(p.get("y") or "nan")) for p in item.iterchildren("{*}waypoint")])
        for item in placed(root, "BPMNEdge")
    ]
    found = [(edge.element.id, [(p.x, p.y) for p in edge.points]) for plane in picture.planes for edge in plane.edges]
    assert found == wanted


def test_every_name_is_written(path: Path) -> None:
    """Whole, or up to an ellipsis where the box has no room for it."""
    root, picture = read(path)
    names = {each.get("id"): each.get("name") or "" for each in root.iter(f"{MODEL}*")}
    written: dict[str, str] = {}
    for group in picture.iter("{*}g"):
        key = group.get("data-element-id") or group.get("data-label-of")
        text = "".join("".join((span.text or "").split()) for span in group.iterfind("{*}text/{*}tspan"))
        written[key or ""] = written.get(key or "", "") + text
    for group in drawn(picture):
        key = group.get("data-element-id") or ""
        name = "".join(names.get(key, "").split())
        assert written[key].startswith(name) or written[key].rstrip("…") == name[: len(written[key].rstrip("…"))], key


def test_the_picture_holds_everything_and_no_more_than_a_margin(path: Path) -> None:
    root, picture = read(path)
    x, y, width, height = map(float, (picture.get("viewBox") or "").split())
    view = Box(x, y, width, height)
    if len(list(root.iter(f"{DI}BPMNPlane"))) == 1:
        boxes = [bounds(item) for item in placed(root, "BPMNShape")]
        assert all(view.holds(box) for box in boxes)
    assert (float(picture.get("width") or 0), float(picture.get("height") or 0)) == (width, height)


def test_a_picture_is_the_same_every_time(path: Path) -> None:
    content = path.read_bytes()
    assert draw(content, path.name) == draw(content, path.name)
