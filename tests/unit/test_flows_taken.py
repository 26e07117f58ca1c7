"""A move tells which sequence flows its tokens took, also where two lead the same way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.builders.drawing import (
    boundary,
    boundary_timer,
    element,
    end,
    exclusive,
    flows,
    parallel,
    script,
    service,
    start,
    user,
    wait,
)
from tests.builders.drawing_scopes import after, instances, on_edge, repeated, sub
from tests.builders.events import inclusive
from tests.builders.play import Play, executable_of
from tests.doubles.context import START


def to_call(key: str, condition: str = "") -> str:
    """One more way from `decision` to `call`."""
    inside = f"<conditionExpression>{condition}</conditionExpression>" if condition else ""
    return f'<sequenceFlow id="{key}" sourceRef="decision" targetRef="call">{inside}</sequenceFlow>'


TO_THE_SAME = to_call("big", "${amount &gt; 9}") + to_call("small", "${amount &lt; 3}") + to_call("other")


class Walk(Play):
    """Notes the sequence flows of every move."""

    def __init__(self, *parts: str) -> None:
        super().__init__(executable_of(*parts))
        self.flows: list[str] = []

    def _advance(self, trigger: object) -> object:  # type: ignore[override] # the same, looked at
        transition = super()._advance(trigger)  # type: ignore[arg-type]
        self.flows += transition.flows
        return transition


def sorted_flows(walk: Walk) -> Sequence[str]:
    return sorted(walk.flows)


def test_a_flow_is_taken_when_its_token_leaves_and_not_before() -> None:
    walk = Walk(start(), user("enter"), end(), flows("start -> enter -> end"))
    walk.start()
    assert walk.flows == ["start-enter"]
    walk.complete("enter")
    assert walk.flows == ["start-enter", "enter-end"]


def test_all_ways_out_of_a_parallel_gateway_and_all_into_its_join_are_taken() -> None:
    walk = Walk(
        start(), parallel("fork"), user("a"), user("b"), parallel("join"), end(),
        flows("start -> fork -> a -> join -> end", "fork -> b -> join"),
    )  # fmt: skip
    walk.start().complete("a").complete("b")
    assert sorted_flows(walk) == ["a-join", "b-join", "fork-a", "fork-b", "join-end", "start-fork"]


@pytest.mark.parametrize(("amount", "taken"), [(10, "big"), (1, "small"), (5, "other")])
def test_of_flows_that_lead_the_same_way_it_is_the_one_whose_condition_holds(amount: int, taken: str) -> None:
    walk = Walk(
        start(), exclusive("decision", "other"), user("call"), end(), flows("start -> decision", "call -> end"), TO_THE_SAME
    )
    walk.start(amount=amount)
    assert walk.flows == ["start-decision", taken]


def test_two_flows_without_conditions_that_lead_the_same_way_are_both_taken() -> None:
    walk = Walk(
        start(), parallel("fork"), user("call"), end(), flows("start -> fork", "call -> end"),
        '<sequenceFlow id="one" sourceRef="fork" targetRef="call"/><sequenceFlow id="two" sourceRef="fork" targetRef="call"/>',
    )  # fmt: skip
    walk.start()
    assert sorted_flows(walk) == ["one", "start-fork", "two"]


def test_the_way_out_of_a_boundary_event_is_taken_in_place_of_its_activity_s() -> None:
    walk = Walk(
        start(), service("charge", {}, {}), boundary("declined", "charge"), end(), end("stopped"),
        flows("start -> charge -> end", "declined -> stopped"),
    )  # fmt: skip
    walk.start().fail("charge", "declined")
    assert walk.flows == ["start-charge", "declined-stopped"]


def test_an_event_that_does_not_interrupt_takes_its_way_beside_the_activity_s() -> None:
    walk = Walk(
        start(), user("enter"), boundary_timer("late", "enter", interrupting=False), end(), end("told"),
        flows("start -> enter -> end", "late -> told"),
    )  # fmt: skip
    walk.start().fire("late").complete("enter")
    assert walk.flows == ["start-enter", "late-told", "enter-end"]


def test_a_loop_takes_its_flows_each_time() -> None:
    walk = Walk(
        start(), script("count", "amount = amount + 1"), exclusive("more", "more-end"), end(),
        flows("start -> count -> more", "more -> count if ${amount < 3}", "more -> end"),
    )  # fmt: skip
    walk.start(amount=0)
    assert walk.flows == ["start-count", *["count-more", "more-count"] * 2, "count-more", "more-end"]


def test_behind_an_event_based_gateway_it_is_the_way_to_the_event_that_came_first() -> None:
    walk = Walk(
        start(), element("eventBasedGateway", "first"), wait("soon", "P1D"), wait("late", "P2D"), end(), end("other"),
        flows("start -> first -> soon -> end", "first -> late -> other"),
    )  # fmt: skip
    walk.start()
    assert walk.flows == ["start-first"]
    walk.fire("soon")
    assert walk.flows == ["start-first", "first-soon", "soon-end"]
    assert walk.clock.now() == START


def test_flows_inside_and_around_a_sub_process_are_taken_in_their_order() -> None:
    walk = Walk(
        start(), sub("inside", start("begin"), user("enter"), end("done"), flows("begin -> enter -> done")),
        on_edge("late", "inside", after()), end(), end("stopped"), flows("start -> inside -> end", "late -> stopped"),
    )  # fmt: skip
    walk.start()
    assert walk.flows == ["start-inside", "begin-enter"]
    walk.complete("enter")
    assert walk.flows == ["start-inside", "begin-enter", "enter-done", "inside-end"]


def test_what_leaves_a_sub_process_by_its_edge_takes_that_way_alone() -> None:
    walk = Walk(
        start(), sub("inside", start("begin"), user("enter"), end("done"), flows("begin -> enter -> done")),
        on_edge("late", "inside", after()), end(), end("stopped"), flows("start -> inside -> end", "late -> stopped"),
    )  # fmt: skip
    walk.start().fire("late")
    assert walk.flows == ["start-inside", "begin-enter", "late-stopped"]


def test_an_activity_that_is_done_several_times_takes_its_way_out_once() -> None:
    walk = Walk(start(), repeated(user("enter"), instances("2")), end(), flows("start -> enter -> end"))
    walk.start().complete("enter").complete("enter")
    assert walk.flows == ["start-enter", "enter-end"]


def test_an_activity_whose_flows_have_conditions_takes_those_that_hold() -> None:
    walk = Walk(
        start(), user("enter"), end("big"), end("any"), end("small"),
        flows("start -> enter", "enter -> big if ${amount > 9}", "enter -> small if ${amount < 3}", "enter -> any"),
    )  # fmt: skip
    walk.start(amount=10).complete("enter")
    assert sorted_flows(walk) == ["enter-any", "enter-big", "start-enter"]


@pytest.mark.parametrize(("amount", "taken"), [(10, ["join-end", "pick-a", "pick-b"]), (1, ["join-end", "pick-b"])])
def test_an_inclusive_gateway_takes_every_way_whose_condition_holds(amount: int, taken: list[str]) -> None:
    walk = Walk(
        start(), inclusive("pick"), script("a", "receipt = 'a'"), script("b", "receipt = 'b'"), inclusive("join"), end(),
        flows("start -> pick -> a if ${amount > 9}", "pick -> b if ${amount > 0}", "a -> join -> end", "b -> join"),
    )  # fmt: skip
    walk.start(amount=amount)
    assert [flow for flow in sorted_flows(walk) if flow.startswith(("pick", "join"))] == taken
