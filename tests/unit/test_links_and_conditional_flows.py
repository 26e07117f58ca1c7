"""Link events, and sequence flows with conditions out of activities. Every step is stored and read back."""

from __future__ import annotations

import pytest

from engine.errors import ExpressionFailed
from tests.builders.drawing import element, end, exclusive, flows, parallel, script, service, start, user
from tests.builders.drawing_scopes import error, instances, link, on_edge, repeated, sub
from tests.builders.play import Play, executable_of

# --- links ----------------------------------------------------------------------------------------------------------


def test_a_link_leads_on_where_its_name_is_caught() -> None:
    drawn = executable_of(
        start(), exclusive("x", "x-b"), user("a"), link("to_far", "far", throws=True), link("from_far", "far", throws=False),
        user("b"), link("to_near", "near", throws=True), link("from_near", "near", throws=False), user("c"), user("d"), end(),
        flows("start -> x", "x -> a if ${approved}", "a -> to_far", "from_far -> c -> end", "x -> b -> to_near",
              "from_near -> d -> end"),
    )  # fmt: skip
    assert Play(drawn).start(approved=True).complete("a").path == ("a", "to_far", "from_far")
    assert Play(drawn).start(approved=False).complete("b").waiting == ["d"]


def test_several_links_of_one_name_lead_to_one_place_and_a_loop_may_use_one() -> None:
    drawn = executable_of(
        start(), link("again", "top", throws=True), link("first", "top", throws=True), link("top", "top", throws=False),
        user("work"), exclusive("x", "x-again"), end(),
        flows("start -> first", "top -> work -> x -> again", "x -> end if ${approved}"),
    )  # fmt: skip
    play = Play(drawn).start().complete("work", approved=False).complete("work", approved=False)
    assert play.complete("work", approved=True).completed


def test_a_link_stays_within_its_sub_process() -> None:
    inside = sub("work", start("begin"), link("go", "on", throws=True), link("come", "on", throws=False), user("inside"),
                 end("done"), flows("begin -> go", "come -> inside -> done"))  # fmt: skip
    drawn = executable_of(
        start(), inside, link("outside_go", "on", throws=True), link("outside_come", "on", throws=False), user("outside"), end(),
        flows("start -> work -> outside_go", "outside_come -> outside -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    assert play.waiting == ["inside"]
    assert play.complete("inside").waiting == ["outside"]
    assert play.complete("outside").completed


# --- conditions on flows out of activities ---------------------------------------------------------------------------

ACTIVITIES = {
    "user": user("work", attributes='default="work-c" camunda:candidateGroups="Sales"'),
    "script": element("scriptTask", "work", "<script>receipt = 'x'</script>", 'default="work-c" scriptFormat="python"'),
    "sub": sub("work", start("begin"), end("done"), flows("begin -> done"), attributes='default="work-c"'),
    "several": repeated(user("work", attributes='default="work-c" camunda:candidateGroups="Sales"'), instances("2")),
}


def chosen(kind: str, amount: int) -> list[str]:
    drawn = executable_of(
        start(), ACTIVITIES[kind], user("a"), user("b"), user("c"), end(),
        flows("start -> work", "work -> a if ${amount > 1}", "work -> b if ${amount > 2}", "work -> c",
              "a -> end", "b -> end", "c -> end"),
    )  # fmt: skip
    play = Play(drawn).start(amount=amount)
    while "work" in play.waiting:
        play.complete("work")
    return sorted(play.waiting)


@pytest.mark.parametrize("kind", ACTIVITIES)
@pytest.mark.parametrize(("amount", "taken"), [(3, ["a", "b"]), (2, ["a"]), (1, ["c"])])
def test_every_flow_whose_condition_holds_is_taken_and_the_default_where_none_does(
    kind: str, amount: int, taken: list[str]
) -> None:
    assert chosen(kind, amount) == taken


def test_a_flow_without_a_condition_is_taken_beside_those_that_hold() -> None:
    drawn = executable_of(
        start(), user("work"), user("a"), user("b"), end(),
        flows("start -> work", "work -> a if ${approved}", "work -> b", "a -> end", "b -> end"),
    )  # fmt: skip
    assert sorted(Play(drawn).start().complete("work", approved=True).waiting) == ["a", "b"]
    assert Play(drawn).start().complete("work", approved=False).waiting == ["b"]


def test_flows_of_which_none_holds_are_an_error_and_nothing_has_changed() -> None:
    drawn = executable_of(start(), user("work"), end(), flows("start -> work", "work -> end if ${approved}"))
    play = Play(drawn).start()
    with pytest.raises(ExpressionFailed, match="conditions after 'work' to hold, but none does"):
        play.complete("work", approved=False)
    assert play.waiting == ["work"]
    assert play.complete("work", approved=True).completed


def test_what_sits_on_the_activity_waits_no_longer_when_one_of_its_flows_is_taken() -> None:
    drawn = executable_of(
        start(), service("pay", {}, {}), on_edge("failed", "pay", error()), user("a"), user("b"), parallel("join"), end(),
        script("note", "receipt = 'x'"), flows("start -> pay", "pay -> a if ${approved}", "pay -> b", "a -> join", "b -> join",
                                               "join -> end", "failed -> note -> end"),
    )  # fmt: skip
    play = Play(drawn).start(approved=True).done("pay")
    assert sorted(play.waiting) == ["a", "b"]
    assert play.complete("a").complete("b").completed
