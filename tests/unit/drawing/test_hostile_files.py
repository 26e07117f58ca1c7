"""What strangers put into a file: nothing of it is executed, and the picture stays small."""

from __future__ import annotations

import time

import pytest
from lxml import etree

from engine.drawing import draw, draw_picture, picture_page, read_picture, to_png
from engine.drawing.reader import FARTHEST, MOST_ITEMS, MOST_LAID_OUT
from engine.errors import ConfigurationInvalid, DefinitionInvalid
from tests.builders.placed import HEAD, document, edge, groups, plane, shape, svg, texts

NASTY = "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&quot;alert(2)&quot; ]]&gt; &lt;!-- javascript:alert(3) &amp;amp;"
MEANT = '<script>alert(1)</script>" onload="alert(2)" ]]> <!-- javascript:alert(3) &amp;'
HTML_SAFE = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "h1",
    "p",
    "div",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}
SVG_SAFE = {"svg", "title", "desc", "g", "rect", "circle", "path", "text", "tspan"}


def tags(root: etree._Element) -> set[str]:
    return {str(each.tag).rpartition("}")[2] for each in root.iter()}


def test_markup_in_names_is_text() -> None:
    process = f'<task id="a" name="{NASTY}"/><textAnnotation id="n"><text>{NASTY}</text></textAnnotation>'
    root = svg(document(process, plane(shape("a", 0, 0, 2000, 80), shape("n", 0, 100, 2000, 80))))
    assert texts(root) == [MEANT, MEANT]
    assert tags(root) <= SVG_SAFE


def test_a_page_has_no_element_attribute_or_link_of_the_files_making() -> None:
    picture = read_picture(document(f'<task id="a" name="{NASTY}"/>', plane(shape("a"))), f"{MEANT}.bpmn")
    page = etree.HTML(picture_page(picture, {"a": "incident"}, about=MEANT))
    assert tags(page) <= HTML_SAFE | SVG_SAFE
    attributes = {str(name) for each in page.iter() for name in each.attrib}
    assert not [name for name in attributes if name.startswith("on") or name in {"href", "src", "xlink:href", "style"}]


def test_markup_in_notes_of_marks_is_text() -> None:
    from engine.drawing import Marking

    root = svg(
        document('<task id="a"/>', plane(shape("a"))), {"a": Marking("token", badge="<b>\x00\x1b", note="<i>\ud800</i>\x07")}
    )
    assert tags(root) <= SVG_SAFE
    assert groups(root, "a")[0].findtext("{*}title") == "a, task, a token is here <b>  : <i> </i> "


def test_a_document_type_is_refused() -> None:
    with pytest.raises(DefinitionInvalid, match="DOCTYPE"):
        draw(b'<!DOCTYPE x [<!ENTITY a "b">]>' + document("", plane()), "x.bpmn")


@pytest.mark.parametrize("number", ["NaN", "inf", "-INF", "1e300", str(FARTHEST * 2), "12px", "", "0x10"])
def test_places_that_are_no_places_are_left_out(number: str) -> None:
    process = '<task id="a" name="A"/><task id="b"/><sequenceFlow id="f" sourceRef="a" targetRef="b"/>'
    content = document(process, plane(shape("a"), shape("b", number, 0), edge("f", (0, 0), (number, 5))))
    root = svg(content)
    assert groups(root, "a")
    assert not groups(root, "b")
    assert "no usable place" in read_picture(content, "x.bpmn").notes[0]
    assert all(abs(float(part)) < FARTHEST for part in (root.get("viewBox") or "").split())


def test_a_box_may_be_without_size_and_a_negative_one_is_none() -> None:
    process = '<task id="a" name="A"/><userTask id="b"/><endEvent id="c"/><exclusiveGateway id="d"/><dataStoreReference id="e"/>'
    flat = [shape(key, 0, 0, 0, 0) for key in "abcde"]
    root = svg(document(process, plane(*flat, shape("a", 0, 0, -5, 10))))
    assert [len(groups(root, key)) for key in "abcde"] == [1, 1, 1, 1, 1]


def test_a_picture_as_large_as_can_be_is_still_a_bitmap_of_bounded_size() -> None:
    pytest.importorskip("resvg_py", reason="PNG needs the extra `pictures`")
    far = shape("b", FARTHEST - 200, 1_000)
    png = to_png(draw(document('<task id="a"/><task id="b"/>', plane(shape("a", -FARTHEST, 0), far)), "x.bpmn"))
    assert png.startswith(b"\x89PNG")
    assert max(int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")) <= 8_000


def test_a_bitmap_in_which_nothing_would_be_seen_is_refused() -> None:
    pytest.importorskip("resvg_py", reason="PNG needs the extra `pictures`")
    flat = draw(
        document('<task id="a"/><task id="b"/>', plane(shape("a", -FARTHEST, 0), shape("b", FARTHEST - 100, 0))), "x.bpmn"
    )
    with pytest.raises(ConfigurationInvalid, match="too far away"):
        to_png(flat)


def test_a_name_of_a_million_letters_takes_no_more_room_than_its_box() -> None:
    for name in ("x" * 1_000_000, "x " * 500_000, "x-" * 500_000, "&#10;" * 200_000 + "x", "\u6f22" * 300_000):
        process = f'<task id="a" name="{name}"/><startEvent id="b" name="{name}"/>'
        process += f'<textAnnotation id="c"><text>{name}</text></textAnnotation>'
        if len(process.encode()) > 4_500_000:
            process = process.split("<startEvent")[0]
        content = document(process, plane(shape("a"), shape("b", 200, 0, 36, 36), shape("c", 300, 0)))
        before = time.process_time()
        drawn = draw(content, "x.bpmn")
        assert len(drawn) < 20_000
        assert time.process_time() - before < 2


def test_the_same_element_placed_very_often_is_drawn_so_often_and_no_more() -> None:
    content = document('<task id="a" name="A"/>', plane(*[shape("a")] * 5_300))
    before = time.process_time()
    picture = read_picture(content, "x.bpmn")
    drawn = draw_picture(picture)
    assert picture.notes[0] == f"Only the first {MOST_ITEMS:,} of 5,300 shapes and lines are drawn."
    assert len(drawn) < 1_000 * MOST_ITEMS
    assert time.process_time() - before < 20


def test_many_elements_without_places_are_laid_out_up_to_a_number() -> None:
    tasks = "".join(f'<task id="t{n}"/><sequenceFlow id="f{n}" sourceRef="t{n}" targetRef="t{n // 2}"/>' for n in range(1_200))
    picture = read_picture(f'{HEAD}<process id="p">{tasks}</process></definitions>'.encode(), "x.bpmn")
    assert len(picture.planes[0].shapes) + len(picture.planes[0].edges) <= MOST_LAID_OUT
    assert picture.notes[-1] == f"Only the first {MOST_LAID_OUT:,} of 2,400 elements are laid out."


def test_references_in_circles_end() -> None:
    process = (
        '<subProcess id="a" default="a"><subProcess id="b"/><sequenceFlow id="f" sourceRef="b" targetRef="b"/></subProcess>'
        '<boundaryEvent id="c" attachedToRef="c"/><callActivity id="d" calledElement="d"/>'
    )
    assert read_picture(f'{HEAD}<process id="p">{process}</process></definitions>'.encode(), "x.bpmn").planes
    root = svg(document(process, plane(*(shape(key) for key in "abcd"), edge("f", (0, 0), (0, 0)))))
    assert groups(root, "f")
