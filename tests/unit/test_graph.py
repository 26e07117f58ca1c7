"""Where tokens can go."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.definition.diagram import FlowNode, Process, SequenceFlow
from engine.definition.finding import Position
from engine.definition.graph import loops_without, reachable, reachable_by_first_tokens, reachable_without, start_nodes

AT = Position("x.bpmn")


def draw(*ways: str, joins: str = "", on: dict[str, str] | None = None) -> Process:
    """`s -> a -> b`; `joins` are parallel gateways, `on` maps boundary events to their hosts, `s` is the start event."""
    names = dict.fromkeys(stop.strip() for way in ways for stop in way.split("->"))
    on = on or {}
    nodes = {
        name: FlowNode(name, _kind(name, joins, on), AT, attached_to=on.get(name)) for name in (*names, *(set(on) - set(names)))
    }
    pairs = [pair for way in ways for pair in itertools.pairwise(stop.strip() for stop in way.split("->"))]
    return Process("p", AT, nodes=nodes, flows=tuple(SequenceFlow(f"f{n}", a, b, AT) for n, (a, b) in enumerate(pairs)))


def _kind(name: str, joins: str, on: dict[str, str]) -> str:
    if name in joins:
        return "parallelGateway"
    return "boundaryEvent" if name in on else {"s": "startEvent", "u": "userTask"}.get(name, "scriptTask")


def test_tokens_begin_at_start_events_and_follow_the_flows() -> None:
    process = draw("s -> a -> b", "x -> b")
    assert start_nodes(process) == ("s",)
    reach = reachable(process, ["s"])
    assert set(reach.came_from) == {"s", "a", "b"}
    assert reach.path_to("b") == ("s", "a", "b")


def test_the_path_that_is_shown_is_a_shortest_one() -> None:
    assert reachable(draw("s -> a -> b -> c -> d", "s -> c"), ["s"]).path_to("d") == ("s", "c", "d")


def test_a_node_that_every_way_passes_is_proved() -> None:
    assert "d" not in reachable_without(draw("s -> a -> c", "s -> b -> c", "c -> d"), ["s"], ["c"])


def test_a_way_around_is_found() -> None:
    assert reachable_without(draw("s -> a -> b -> d", "a -> d"), ["s"], ["b"]).path_to("d") == ("s", "a", "d")


def test_what_must_be_passed_may_be_passed_in_a_loop() -> None:
    assert "d" not in reachable_without(draw("s -> a -> b -> a", "b -> d"), ["s"], ["b"])


def test_leaving_by_a_boundary_event_does_not_count_as_passing() -> None:
    process = draw("s -> a -> d", "e -> d", on={"e": "a"})
    assert reachable_without(process, ["s"], ["a"]).path_to("d") == ("s", "a", "e", "d")


def test_a_join_lets_nothing_through_before_all_its_branches_have_come() -> None:
    process = draw("s -> f -> a -> j -> d", "f -> b -> j", joins="fj")
    assert "d" not in reachable_without(process, ["s"], ["a"])
    assert "d" in reachable(process, ["s"])


def test_one_branch_of_a_split_does_not_prove_anything_about_the_other() -> None:
    assert "d" in reachable_without(draw("s -> f -> a", "f -> d", joins="f"), ["s"], ["a"])


def test_avoiding_nothing_reaches_the_same_where_no_join_is_starved() -> None:
    process = draw("s -> f -> a -> j -> d", "f -> b -> j", joins="fj")
    assert reachable_without(process, ["s"], []).came_from.keys() == reachable(process, ["s"]).came_from.keys()


def test_a_loop_is_found_with_its_way_round() -> None:
    process = draw("s -> a -> b -> c -> a", "c -> d")
    assert loops_without(process, lambda node: node.kind == "userTask") == [("a", "b", "c")]


def test_a_loop_of_one_is_a_loop() -> None:
    assert loops_without(draw("s -> a -> a"), lambda _: False) == [("a",)]


def test_a_loop_that_waits_is_none() -> None:
    assert loops_without(draw("s -> a -> u -> a"), lambda node: node.kind == "userTask") == []


def test_a_path_of_thousands_of_elements_is_no_deeper_for_the_program() -> None:
    process = draw(" -> ".join(["s", *(f"n{n}" for n in range(3_000)), "n0"]))
    [loop] = loops_without(process, lambda _: False)
    assert len(loop) == 3_000
    assert len(reachable(process, ["s"]).path_to("n2999")) == 3_001


NODES = "sabcde"


@given(st.sets(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES[1:])), max_size=14))
def test_passing_is_proved_exactly_when_no_walk_avoids_it(pairs: set[tuple[str, str]]) -> None:
    process = draw("s", *(f"{a} -> {b}" for a, b in sorted(pairs)), *NODES)
    reach = reachable_without(process, ["s"], ["c"])
    seen = {"s"}
    for _ in NODES:
        seen |= {b for a, b in pairs if a in seen and a != "c"}
    assert set(reach.came_from) == seen
    for node in seen:
        path = reach.path_to(node)
        assert path[0] == "s"
        assert "c" not in path[:-1]
        assert set(itertools.pairwise(path)) <= pairs


@given(st.sets(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=14))
def test_the_loops_are_those_of_the_drawing(pairs: set[tuple[str, str]]) -> None:
    process = draw("s", *(f"{a} -> {b}" for a, b in sorted(pairs)), *NODES)
    loops = loops_without(process, lambda _: False)
    after = {node: {b for a, b in pairs if a == node} for node in NODES}
    for _ in NODES:
        after = {node: near | {far for each in near for far in after[each]} for node, near in after.items()}
    in_loops = {node for node in NODES if node in after[node]}
    assert {node for loop in loops for node in loop} <= in_loops
    for loop in loops:
        assert set(itertools.pairwise((*loop, loop[0]))) <= pairs
    together = {frozenset(other for other in in_loops if other in after[node] and node in after[other]) for node in in_loops}
    assert len(loops) == len(together)


def test_what_only_the_second_token_of_a_reminder_comes_to_is_known() -> None:
    process = draw("s -> u -> d", "r -> x -> y", on={"r": "u"})
    reminder = replace(process, nodes={**process.nodes, "r": replace(process.nodes["r"], interrupting=False)})
    assert {"x", "y"} <= reachable(reminder, ["s"]).came_from.keys()
    assert set(reachable_by_first_tokens(reminder, ["s"]).came_from) == {"s", "u", "d"}
    assert {"x", "y"} <= reachable_by_first_tokens(process, ["s"]).came_from.keys()


def test_a_task_that_can_be_left_at_once_holds_up_no_loop() -> None:
    process = draw("s -> u -> d", "e -> u", on={"e": "u"})
    assert loops_without(process, lambda node: node.kind in ("userTask", "boundaryEvent")) == []
    assert loops_without(process, lambda node: node.kind == "userTask") == [("u", "e")]
