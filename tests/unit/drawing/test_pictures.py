"""What stands in a picture: every kind of element as the standard draws it, names where they belong, marks on their elements."""

from __future__ import annotations

import pytest

from engine.definition.bpmn_xml import words
from engine.drawing import Mark, Marking, draw, read_picture
from engine.drawing.marks import LOOKS
from engine.drawing.picture import Box, Point
from engine.errors import DefinitionInvalid
from tests.builders.placed import document, edge, groups, label, plane, shape, svg, texts, titles

TASK = '<task id="a" name="Do it"/>'
TWO = '<task id="a" name="A"/><task id="b" name="B"/><sequenceFlow id="f" name="go" sourceRef="a" targetRef="b"/>'
APART = (shape("a", 0, 0), shape("b", 300, 0))


def drawn(element: str, key: str = "a", box: str = "", beside: str = "") -> str:
    """One element's group, as text."""
    root = svg(document(element, plane(box or shape(key)), beside=beside))
    (group,) = groups(root, key)
    for title in group.findall("{*}title"):
        group.remove(title)
    return "".join(f"{part.tag.rpartition('}')[2]} {sorted(part.attrib.items())}\n" for part in group.iter())


# --- kinds ----------------------------------------------------------------------------------------------------------

TASKS = words("task userTask serviceTask scriptTask businessRuleTask manualTask sendTask receiveTask callActivity")


def test_kinds_of_tasks_are_told_apart() -> None:
    assert len({drawn(f'<{kind} id="a"/>').replace(kind, "") for kind in TASKS}) == len(TASKS)


EVENTS = sorted(words("startEvent intermediateCatchEvent intermediateThrowEvent endEvent"))
TRIGGERS = words("none message timer signal error escalation conditional link cancel compensate terminate")


@pytest.mark.parametrize("kind", [*EVENTS, "boundaryEvent"])
def test_events_are_told_apart_by_what_they_wait_for_or_throw(kind: str) -> None:
    looks = {drawn(f'<{kind} id="a">{f"<{t}EventDefinition/>" if t != "none" else ""}</{kind}>') for t in TRIGGERS}
    several = "<messageEventDefinition/><timerEventDefinition/>"
    looks |= {drawn(f'<{kind} id="a">{several}</{kind}>'), drawn(f'<{kind} id="a" parallelMultiple="true">{several}</{kind}>')}
    assert len(looks) == len(TRIGGERS) + 2


def test_start_intermediate_and_end_events_are_told_apart_without_colour() -> None:
    inside = "<messageEventDefinition/>"
    assert len({drawn(f'<{kind} id="a">{inside}</{kind}>').replace(kind, "") for kind in EVENTS}) == len(EVENTS)


@pytest.mark.parametrize(("kind", "attribute"), [("boundaryEvent", "cancelActivity"), ("startEvent", "isInterrupting")])
def test_events_that_do_not_interrupt_are_dashed(kind: str, attribute: str) -> None:
    assert "dasharray" in drawn(f'<{kind} id="a" {attribute}="false"/>')
    assert "dasharray" not in drawn(f'<{kind} id="a" {attribute}="true"/>')


def test_an_event_definition_may_stand_beside_the_process() -> None:
    referring = '<startEvent id="a"><eventDefinitionRef>t</eventDefinitionRef></startEvent>'
    written = '<startEvent id="a"><timerEventDefinition/></startEvent>'
    assert drawn(referring, beside='<timerEventDefinition id="t"/>') == drawn(written)


def test_kinds_of_gateways_are_told_apart() -> None:
    marked = shape("a", more='isMarkerVisible="true"')
    kinds = ("exclusiveGateway", "parallelGateway", "inclusiveGateway", "complexGateway", "eventBasedGateway")
    looks = {drawn(f'<{kind} id="a"/>', box=marked).replace(kind, "") for kind in kinds}
    looks |= {drawn(f'<eventBasedGateway id="a" instantiate="true" {more}/>') for more in ("", 'eventGatewayType="Parallel"')}
    assert len(looks) == 7
    assert drawn('<exclusiveGateway id="a"/>') != drawn('<exclusiveGateway id="a"/>', box=marked)


LOOPS = [
    "<standardLoopCharacteristics/>",
    "<multiInstanceLoopCharacteristics/>",
    '<multiInstanceLoopCharacteristics isSequential="true"/>',
]


def test_activities_show_their_markers() -> None:
    looks = {drawn(f'<subProcess id="a">{loop}</subProcess>') for loop in ("", *LOOPS)}
    looks |= {drawn('<subProcess id="a" isForCompensation="true"/>'), drawn('<subProcess id="a" triggeredByEvent="true"/>')}
    looks |= {drawn('<adHocSubProcess id="a"/>'), drawn('<transaction id="a"/>')}
    assert len(looks) == 8


def test_a_sub_process_is_collapsed_or_expanded_as_the_file_says_or_by_what_is_drawn_in_it() -> None:
    inside = '<subProcess id="a"><task id="b"/></subProcess>'
    plus = "M7 2.6 V11.4"
    assert plus in drawn(inside, box=shape("a", more='isExpanded="false"'))
    assert plus not in drawn(inside, box=shape("a", more='isExpanded="true"'))
    assert plus in drawn(inside)
    assert plus not in drawn(inside, box=shape("a", 0, 0, 300, 200) + shape("b", 10, 50))


def test_a_call_activity_shows_the_kind_of_the_global_task_that_it_calls() -> None:
    called = drawn('<callActivity id="a" calledElement="t"/>', beside='<globalUserTask id="t"/>')
    assert called != drawn('<callActivity id="a" calledElement="q"/>', beside='<process id="q"/>')


def test_pools_and_lanes_have_their_names_in_strips_lying_and_standing() -> None:
    beside = '<collaboration id="c"><participant id="pool" name="Sales" processRef="p"/></collaboration>'
    lanes = '<laneSet id="ls"><lane id="one" name="One"/></laneSet>'
    for standing in ("true", "false"):
        more = f'isHorizontal="{standing}"'
        drawing = plane(shape("pool", 0, 0, 600, 400, more), shape("one", 30, 0, 570, 400, more), element="c")
        root = svg(document(lanes, drawing, beside=beside))
        turned = [text for text in root.iter("{*}text") if "rotate(-90)" in (text.get("transform") or "")]
        assert texts(root) == ["Sales", "One"]
        assert len(turned) == (2 if standing == "true" else 0)


def test_a_pool_without_content_has_its_name_in_the_middle() -> None:
    beside = '<collaboration id="c"><participant id="pool" name="Bank"/></collaboration>'
    root = svg(document("", plane(shape("pool", 0, 0, 600, 100), element="c"), beside=beside))
    (text,) = root.iter("{*}text")
    assert text.get("transform") is None
    assert [span.get("x") for span in text] == ["300"]


def test_data_objects_show_their_state_and_that_they_are_many() -> None:
    state = '<dataState name="paid"/>'
    one = f'<dataObject id="d"/><dataObjectReference id="a" name="Bill" dataObjectRef="d">{state}</dataObjectReference>'
    root = svg(document(one, plane(shape("a", 0, 0, 36, 50))))
    assert texts(root) == ["Bill", "[paid]"]
    assert drawn(one) != drawn(one.replace('id="d"', 'id="d" isCollection="true"'))


def test_annotations_and_groups_show_their_text() -> None:
    process = '<textAnnotation id="n"><text>See the contract</text></textAnnotation><group id="g" categoryValueRef="v"/>'
    beside = '<category id="k"><categoryValue id="v" value="Billing"/></category>'
    root = svg(document(process, plane(shape("n", 0, 0, 150, 40), shape("g", 0, 100, 300, 200)), beside=beside))
    assert texts(root) == ["See the contract", "Billing"]


def test_choreographies_show_who_begins_and_conversations_are_drawn() -> None:
    beside = (
        '<collaboration id="c"><participant id="s" name="Seller"/><participant id="b" name="Buyer"/><conversation id="v"/>'
        '<conversationLink id="l" sourceRef="s" targetRef="v"/></collaboration>'
        '<choreography id="ch"><choreographyTask id="t" name="Order"/></choreography>'
    )
    band = 'participantBandKind="{}" isMessageVisible="true"'
    drawing = plane(
        shape("t", 0, 0, 140, 120),
        shape("s", 0, 0, 140, 22, band.format("top_initiating")),
        shape("b", 0, 98, 140, 22, band.format("bottom_non_initiating")),
        shape("v", 300, 0, 60, 50),
        edge("l", (140, 20), (300, 25)),
        element="ch",
    )
    root = svg(document("", drawing, beside=beside))
    assert texts(root) == ["Order", "Seller", "Buyer"]
    (seller,), (buyer,) = groups(root, "s"), groups(root, "b")
    assert [rect.get("fill") for rect in seller.iter("{*}rect")] == [None, None]
    assert all(rect.get("fill") for rect in buyer.iter("{*}rect"))
    assert groups(root, "v")
    assert groups(root, "l")


# --- lines ----------------------------------------------------------------------------------------------------------


def line(flow: str, points: tuple[tuple[int, int], ...] = ((100, 40), (300, 40)), **more: str) -> str:
    root = svg(document(f'<task id="a"/><task id="b"/>{flow}', plane(*APART, edge("f", *points, **more))))
    return "".join(str(sorted(part.attrib.items())) for part in groups(root, "f")[0])


def test_default_and_conditional_flows_are_marked_at_their_beginning() -> None:
    plain = line('<sequenceFlow id="f" sourceRef="a" targetRef="b"/>')
    conditional = '<sequenceFlow id="f" sourceRef="a" targetRef="b"><conditionExpression>x</conditionExpression></sequenceFlow>'
    default = '<task id="c" default="f"/><sequenceFlow id="f" sourceRef="a" targetRef="b"/>'
    assert len({plain, line(conditional), line(default)}) == 3


def test_a_condition_behind_a_gateway_is_not_marked() -> None:
    process = (
        '<exclusiveGateway id="a"/><task id="b"/>'
        '<sequenceFlow id="f" sourceRef="a" targetRef="b"><conditionExpression>x</conditionExpression></sequenceFlow>'
    )
    root = svg(document(process, plane(*APART, edge("f", (100, 40), (300, 40)))))
    assert len(list(groups(root, "f")[0].iter("{*}path"))) == 2  # shaft and head


def test_message_flows_are_dashed_and_carry_an_envelope_where_the_file_shows_it() -> None:
    beside = '<collaboration id="c"><messageFlow id="f" sourceRef="a" targetRef="b"/></collaboration>'
    shown = {}
    for kind in ("", "initiating", "non_initiating"):
        more = f'messageVisibleKind="{kind}"' if kind else ""
        drawing = plane(*APART, edge("f", (100, 40), (300, 40), more=more), element="c")
        root = svg(document('<task id="a"/><task id="b"/>', drawing, beside=beside))
        (group,) = groups(root, "f")
        assert group.find("{*}path[@stroke-dasharray]") is not None
        shown[kind] = [rect.get("fill") for rect in group.iter("{*}rect")]
    assert shown == {"": [], "initiating": [None], "non_initiating": ["#cccccc"]}


def test_associations_have_the_heads_that_the_file_says() -> None:
    heads = [
        line(f'<association id="f" sourceRef="a" targetRef="b" associationDirection="{way}"/>').count("('fill', 'none')") - 1
        for way in ("None", "One", "Both")
    ]
    assert heads == [0, 1, 2]


def test_a_line_that_ends_within_a_shape_is_cut_at_its_outline() -> None:
    process = '<endEvent id="b"/><task id="a"/><sequenceFlow id="f" sourceRef="a" targetRef="b"/>'
    centre_to_centre = edge("f", (50, 40), (318, 40))
    root = svg(document(process, plane(shape("a"), shape("b", 300, 22, 36, 36), centre_to_centre)))
    shaft, head = groups(root, "f")[0].iter("{*}path")
    assert (shaft.get("d") or "").startswith("M100 40 ")
    assert (head.get("d") or "").startswith("M300 40 ")


# --- names ----------------------------------------------------------------------------------------------------------


def test_a_name_in_a_task_is_wrapped_and_stays_in_its_box() -> None:
    name = "Collect what the customer owes for all of the last month"
    root = svg(document(f'<userTask id="a" name="{name}"/>', plane(shape("a"))))
    lines = texts(root)
    assert " ".join(lines) == name
    assert all(0 < float(span.get("y") or 0) < 80 for span in root.iter("{*}tspan"))


def test_a_name_too_long_for_its_box_ends_in_an_ellipsis() -> None:
    root = svg(document(f'<task id="a" name="{"word " * 300}"/>', plane(shape("a"))))
    assert texts(root)[-1].endswith("…")
    assert len(texts(root)) < 10


def test_a_name_stands_where_the_file_puts_it_else_below_the_shape() -> None:
    process = '<startEvent id="a" name="Begin"/>'
    placed = svg(document(process, plane(shape("a", 0, 0, 36, 36, inside=label(200, 300, 60, 14)))))
    below = svg(document(process, plane(shape("a", 0, 0, 36, 36))))
    (there,), (here,) = placed.iter("{*}tspan"), below.iter("{*}tspan")
    assert (there.get("x"), 300 < float(there.get("y") or 0) < 315) == ("230", True)
    assert (here.get("x"), 36 < float(here.get("y") or 0) < 60) == ("18", True)


def test_the_size_and_weight_of_names_are_the_files() -> None:
    styles = '<di:BPMNLabelStyle id="s"><dc:Font size="20" isBold="true" isItalic="true"/></di:BPMNLabelStyle>'
    drawing = plane(shape("a", 0, 0, 200, 100, inside=label(0, 0, 200, 100, 'labelStyle="s"')), styles=styles)
    (text,) = svg(document(TASK, drawing)).iter("{*}text")
    assert (text.get("font-size"), text.get("font-weight"), text.get("font-style")) == ("20", "bold", "italic")


def test_names_of_lines_are_written_over_everything_else() -> None:
    root = svg(document(TWO, plane(*APART, edge("f", (100, 40), (300, 40), inside=label(150, 30, 40, 14)))))
    assert texts(root) == ["A", "B", "go"]


# --- colours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attributes", ['bioc:stroke="#aa0000" bioc:fill="#ffeeee"', 'color:border-color="#aa0000" color:background-color="#ffeeee"']
)
def test_colours_of_the_file_are_kept(attributes: str) -> None:
    (group,) = groups(svg(document(TASK, plane(shape("a", more=attributes)))), "a")
    assert (group.get("stroke"), group.get("fill")) == ("#aa0000", "#ffeeee")


def test_a_name_on_a_dark_ground_is_light() -> None:
    root = svg(document(TASK, plane(shape("a", more='bioc:fill="#101010"'))))
    (text,) = root.iter("{*}text")
    assert text.get("fill") == "#ffffff"


@pytest.mark.parametrize("text", ["url(javascript:alert(1))", 'red"/&gt;', "#12345", "expression(x)", ";fill:red", ""])
def test_what_is_no_colour_is_passed_over(text: str) -> None:
    written = text.replace('"', "&quot;")
    (group,) = groups(svg(document(TASK, plane(shape("a", more=f'bioc:fill="{written}" bioc:stroke="{written}"')))), "a")
    assert (group.get("fill"), group.get("stroke")) == ("#ffffff", "#222222")


# --- several diagrams -----------------------------------------------------------------------------------------------


def test_several_diagrams_of_a_file_stand_below_each_other_under_their_names() -> None:
    process = '<subProcess id="s" name="Inner"><task id="b" name="B"/></subProcess>'
    root = svg(document(process, plane(shape("s", -500, 900), name="Whole"), plane(shape("b", 5000, -300), element="s")))
    assert texts(root) == ["Whole", "Inner", "Inner", "B"]
    outer, inner = (float(groups(root, key)[0].find("{*}rect").get("y") or 0) for key in "sb")  # type: ignore[union-attr]
    assert outer + 80 < inner < outer + 250


# --- for those who don't see it -------------------------------------------------------------------------------------


def test_a_picture_says_what_it_is_and_every_element_its_name_and_kind() -> None:
    root = svg(document(TWO, plane(*APART, edge("f", (100, 40), (300, 40)))), {"a": Marking(Mark.INCIDENT, note="card declined")})
    assert root.get("role") == "img"
    assert root.findtext("{*}desc") == "A BPMN diagram with 2 shapes and 1 lines. 1 of its elements are marked."
    assert titles(groups(root, "a") + groups(root, "f")) == ["A, task, incident: card declined", "go, sequence flow"]


# --- marks ----------------------------------------------------------------------------------------------------------

PAIR = document(TWO, plane(*APART, edge("f", (100, 40), (300, 40))))


def test_marks_are_classes_on_their_elements() -> None:
    root = svg(PAIR, {"a": "covered", "b": [Mark.TOKEN, "incident"], "f": Marking("added"), "elsewhere": "moved"})
    assert [groups(root, key)[0].get("class") for key in "abf"] == [
        "bpmn-task marked-covered",
        "bpmn-task marked-token marked-incident",
        "bpmn-sequenceFlow marked-added",
    ]


def test_a_mark_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="blue"):
        draw(PAIR, "pair.bpmn", {"a": "blue"})


def test_marks_that_appear_together_differ_by_more_than_their_colour() -> None:
    together = [
        {Mark.COVERED, Mark.UNCOVERED},
        {Mark.PATH, Mark.TOKEN, Mark.INCIDENT},
        {Mark.ADDED, Mark.REMOVED, Mark.CHANGED, Mark.MOVED},
    ]
    for kinds in together:
        assert len({(LOOKS[kind].dashes, LOOKS[kind].badge, LOOKS[kind].sign) for kind in kinds}) == len(kinds)


def test_a_badge_shows_a_figure_and_the_legend_what_marks_mean() -> None:
    marks = {"a": Marking(Mark.TOKEN, badge="12"), "f": Mark.UNCOVERED}
    assert texts(svg(PAIR, marks))[-3:] == ["12", "not covered", "a token is here"]
    assert texts(svg(PAIR, marks, legend=False))[-1] == "12"


def test_marks_and_legend_lie_within_the_view() -> None:
    x, y, width, height = map(float, (svg(PAIR, {"a": "incident"}).get("viewBox") or "").split())
    without = list(map(float, (svg(PAIR).get("viewBox") or "").split()))
    assert y < without[1]
    assert height > without[3] + 30
    assert (x, width > 0) == (x, True)


# --- what the file doesn't have -------------------------------------------------------------------------------------


def test_a_file_that_is_no_bpmn_is_refused() -> None:
    with pytest.raises(DefinitionInvalid, match=r"Expected a BPMN 2\.0 <definitions> element"):
        read_picture(b"<svg/>", "x.bpmn")


def test_elements_without_a_place_are_told() -> None:
    picture = read_picture(document(TWO, plane(shape("a"))), "x.bpmn")
    assert picture.notes == ("These elements have no place in the file, so they are left out: b, f.",)


def test_places_without_an_element_are_drawn_as_unknown_and_told() -> None:
    content = document(TASK, plane(shape("a"), shape("ghost", 200, 0)))
    assert read_picture(content, "x.bpmn").notes == ("These places are for elements that the file does not have: ghost.",)
    assert groups(svg(content), "ghost")[0].get("class") == "bpmn-unknown"


def test_a_line_without_way_is_drawn_straight() -> None:
    (drawn_plane,) = read_picture(document(TWO, plane(*APART, edge("f"))), "x.bpmn").planes
    assert drawn_plane.edges[0].points == (Point(50, 40), Point(350, 40))


def test_a_shape_without_bounds_is_left_out_and_told() -> None:
    content = document(TWO, plane(shape("a"), '<di:BPMNShape bpmnElement="b"/>', edge("f", (1, 1), (2, 2))))
    picture = read_picture(content, "x.bpmn")
    assert [s.box for s in picture.planes[0].shapes] == [Box(0, 0, 100, 80)]
    assert "no usable place" in picture.notes[0]
    assert picture.notes[0].endswith(": b.")
