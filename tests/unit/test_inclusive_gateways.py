"""How tokens move through inclusive gateways. The state is stored and read back between every two steps."""

from __future__ import annotations

from itertools import permutations

import pytest

from engine.errors import DefinitionInvalid, ExpressionFailed
from engine.execution.executable import Executable
from tests.builders.drawing import boundary_timer, end, exclusive, flows, parallel, script, start, user, wait
from tests.builders.events import catch, event_gateway, inclusive
from tests.builders.play import Play, executable_of

# --- splits ---------------------------------------------------------------------------------------------------------

SPLIT = executable_of(
    start(),
    inclusive("split", "split-none"),
    user("small"),
    user("large"),
    user("none"),
    inclusive("join"),
    user("after"),
    end(),
    flows(
        "start -> split",
        "split -> small if ${amount > 0}",
        "split -> large if ${amount > 100}",
        "split -> none",
        "small -> join",
        "large -> join",
        "none -> join -> after -> end",
    ),
)


@pytest.mark.parametrize(("amount", "taken"), [(500, ["small", "large"]), (5, ["small"]), (0, ["none"])])
def test_every_way_whose_condition_holds_is_taken_and_the_default_only_where_none_does(amount: int, taken: list[str]) -> None:
    assert Play(SPLIT).start(amount=amount).waiting == taken


def test_a_split_without_a_way_out_refuses_the_step() -> None:
    drawn = executable_of(
        start(), user("enter"), inclusive("split"), end("a"), end("b"),
        flows("start -> enter -> split", "split -> a if ${amount > 9}", "split -> b if ${amount > 5}"),
    )  # fmt: skip
    play = Play(drawn).start()
    with pytest.raises(ExpressionFailed, match="one of the conditions after 'split' to hold, but none does"):
        play.complete("enter", amount=1)
    assert play.waiting == ["enter"]


# --- joins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["small", "large"])
def test_a_join_waits_for_every_way_that_was_taken(first: str) -> None:
    second = "large" if first == "small" else "small"
    play = Play(SPLIT).start(amount=500).complete(first)
    assert play.waiting == [second]
    assert play.complete(second).waiting == ["after"]
    assert play.complete("after").completed


@pytest.mark.parametrize(("amount", "only"), [(5, "small"), (0, "none")])
def test_a_join_does_not_wait_for_ways_that_were_not_taken(amount: int, only: str) -> None:
    assert Play(SPLIT).start(amount=amount).complete(only).waiting == ["after"]


def test_a_join_after_a_parallel_split_waits_for_all_in_any_order() -> None:
    drawn = executable_of(
        start(), parallel("split"), user("a"), user("b"), user("c"), inclusive("join"), user("after"), end(),
        flows("start -> split -> a -> join -> after -> end", "split -> b -> join", "split -> c -> join"),
    )  # fmt: skip
    for order in permutations("abc"):
        play = Play(drawn).start()
        for number, task in enumerate(order, start=1):
            play.complete(task)
            assert ("after" in play.waiting) == (number == 3)


def test_a_join_waits_no_longer_for_a_token_that_has_ended_elsewhere() -> None:
    drawn = executable_of(
        start(), parallel("split"), user("a"), user("b"), exclusive("choice", "choice-gone"), inclusive("join"), user("after"),
        end(), end("gone"),
        flows("start -> split -> a -> join -> after -> end", "split -> b -> choice", "choice -> join if ${approved}",
              "choice -> gone"),
    )  # fmt: skip
    play = Play(drawn).start().complete("a")
    assert play.waiting == ["b"]
    assert play.complete("b", approved=False).waiting == ["after"]


def test_a_join_does_not_wait_for_a_token_that_could_come_to_a_flow_which_has_one_already() -> None:
    """BPMN 2.0.2, 13.4.3, (iv) to (vi): what may come to the flow that has a token needn't be waited for."""
    drawn = executable_of(
        start(), parallel("split"), user("a"), exclusive("meet"), user("b"), exclusive("choice", "choice-other"),
        exclusive("other"), inclusive("join"), user("after"), end(),
        flows("start -> split -> a -> meet -> join -> after -> end", "split -> b -> choice", "choice -> meet if ${approved}",
              "choice -> other -> join"),
    )  # fmt: skip
    play = Play(drawn).start().complete("a")
    assert play.waiting == ["b", "after"]
    assert play.complete("b", approved=False).waiting == ["after", "after"]


def test_a_join_in_a_loop_joins_each_round() -> None:
    drawn = executable_of(
        start(), exclusive("merge"), inclusive("split", "split-a"), user("a"), user("b"), user("c"), inclusive("join"),
        user("review"), exclusive("good", "good-merge"), end(),
        flows("start -> merge -> split", "split -> a", "split -> b if ${amount > 1}", "split -> c if ${amount > 2}",
              "a -> join", "b -> join", "c -> join -> review -> good", "good -> end if ${approved}", "good -> merge"),
    )  # fmt: skip
    play = Play(drawn).start(amount=3)
    for amount, taken in ((2, ["b", "c"]), (0, ["b"]), (3, ["a"]), (3, ["b", "c"])):
        assert play.waiting == taken
        for task in taken:
            play.complete(task)
        assert play.waiting == ["review"]
        play.complete("review", approved=False, amount=amount)
    for task in list(play.waiting):
        play.complete(task)
    assert play.complete("review", approved=True).completed


def test_tokens_of_two_rounds_are_not_mixed_up() -> None:
    """A token that came twice to one flow waits for the next round of the others."""
    drawn = executable_of(
        start(), parallel("split"), user("fast"), user("slow"), inclusive("join"), user("after"), exclusive("m"), end(),
        exclusive("again", "again-join"),
        flows("start -> split -> m -> fast -> again", "again -> m if ${approved}", "again -> join",
              "split -> slow -> join -> after -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    play.complete("fast", approved=True).complete("slow")
    assert play.waiting == ["fast"]  # one of the two flows has its token, and the other's may still come
    assert play.complete("fast", approved=False).waiting == ["after"]


def test_a_join_waits_for_what_a_boundary_event_may_bring() -> None:
    drawn = executable_of(
        start(), parallel("split"), user("a"), user("b"), boundary_timer("late", "b"), user("c"), inclusive("join"),
        user("after"), end(), end("gone"),
        flows("start -> split -> a -> join -> after -> end", "split -> b -> gone", "late -> c -> join"),
    )  # fmt: skip
    play = Play(drawn).start().complete("a")
    assert play.waiting == ["b", "late"]
    assert Play(drawn).start().complete("a").complete("b").waiting == ["after"]
    assert play.fire("late").waiting == ["c"]
    assert play.complete("c").waiting == ["after"]


def test_a_join_takes_the_events_behind_an_event_based_gateway_for_one_token() -> None:
    drawn = executable_of(
        start(), parallel("split"), user("a"), event_gateway("first"), catch("paid"), wait("late"), exclusive("meet"),
        inclusive("join"), user("after"), end(),
        flows("start -> split -> a -> meet -> join -> after -> end", "split -> first -> paid -> join", "first -> late -> meet"),
    )  # fmt: skip
    # The token at the gateway may come by "late" to the flow that has one already, so the join needn't wait.
    assert Play(drawn).start(customer="acme").complete("a").waiting == ["paid", "late", "after"]


def test_a_token_behind_the_join_that_may_come_back_through_it_is_not_waited_for() -> None:
    drawn = executable_of(
        start(), inclusive("join"), parallel("split"), user("a"), user("b"), end(),
        flows("start -> join -> split -> a -> end", "split -> b -> join"),
    )  # fmt: skip
    play = Play(drawn).start()
    assert play.waiting == ["a", "b"]
    play.complete("b")
    assert sorted(play.waiting) == ["a", "a", "b"]


def test_joins_one_behind_the_other_pass_in_one_step() -> None:
    drawn = executable_of(
        start(), parallel("split"), script("x", "amount = 1"), script("y", "amount = 2"), user("z"), inclusive("one"),
        inclusive("two"), user("after"), end(),
        flows("start -> split -> x -> one -> two -> after -> end", "split -> y -> one", "split -> z -> two"),
    )  # fmt: skip
    play = Play(drawn).start()
    assert play.waiting == ["z"]
    assert play.complete("z").waiting == ["after"]


def vicious() -> Executable:
    """Each of two joins waits for what comes out of the other."""
    return executable_of(
        start(), user("go"), parallel("split"), script("x", "amount = 1"), script("y", "amount = 2"), inclusive("one"),
        inclusive("two"), parallel("out1"), parallel("out2"), end(),
        flows("start -> go -> split -> x -> one -> out1 -> end", "split -> y -> two -> out2 -> end", "out1 -> two",
              "out2 -> one"),
    )  # fmt: skip


def test_two_joins_that_wait_for_each_other_are_refused_while_the_last_task_is_still_open() -> None:
    play = Play(vicious()).start()
    with pytest.raises(DefinitionInvalid, match="each way into 'one', 'two', but nothing is left that could bring one"):
        play.complete("go")
    assert play.waiting == ["go"]


def test_an_instance_that_went_round_often_is_no_larger() -> None:
    drawn = executable_of(
        start(), exclusive("merge"), inclusive("split", "split-a"), user("a"), user("b"), inclusive("join"), user("review"),
        flows("start -> merge -> split", "split -> a", "split -> b if ${amount > 1}", "a -> join",
              "b -> join -> review -> merge"),
    )  # fmt: skip
    play = Play(drawn).start(amount=0)
    sizes = set()
    for _ in range(30):
        play.complete("a").complete("review")
        sizes.add(len(play.state.tokens[2]))  # type: ignore[arg-type] # the rows of the tree
    assert len(sizes) == 1
