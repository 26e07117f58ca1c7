"""Embedded sub-processes: how they are entered and left, errors and timers on their edge. Every step is stored and read back."""

from __future__ import annotations

import pytest

from engine.errors import DefinitionInvalid, ExpressionFailed
from engine.execution.transition import ErrorNotCaught, InstanceCompleted, TimerClosed, UserTaskClosed
from tests.builders.drawing import boundary, end, exclusive, flows, parallel, script, service, start, throw, user, wait
from tests.builders.drawing_scopes import after, error, error_end, on_edge, sub, terminate
from tests.builders.play import Play, executable_of

# --- entering and leaving -------------------------------------------------------------------------------------------

SEVERAL_ENDS = executable_of(
    start(),
    sub(
        "work",
        start("begin"), parallel("split"), user("a"), user("b"), end("a_done"), user("c"),
        flows("begin -> split -> a -> a_done", "split -> b -> c"),  # c is an implicit end
    ),
    user("review"),
    end(),
    flows("start -> work -> review -> end"),
)  # fmt: skip


@pytest.mark.parametrize("order", [("a", "b", "c"), ("b", "a", "c"), ("b", "c", "a")])
def test_a_sub_process_is_left_once_when_the_last_of_its_tokens_has_ended(order: tuple[str, ...]) -> None:
    play = Play(SEVERAL_ENDS).start()
    assert play.waiting == ["a", "b"]
    for task in order:
        assert "review" not in play.waiting
        play.complete(task)
    assert play.path[-1] == "work"
    assert play.waiting == ["review"]
    assert play.complete("review").end_events == ("end",)


def test_what_is_inside_two_sub_processes_leaves_both() -> None:
    inner = sub("inner", start("inner_start"), user("deep"), end("inner_end"), flows("inner_start -> deep -> inner_end"))
    outer = sub("outer", start("outer_start"), inner, user("rest"), end("outer_end"),
                flows("outer_start -> inner -> rest -> outer_end"))  # fmt: skip
    play = Play(executable_of(start(), outer, end(), flows("start -> outer -> end"))).start()
    assert play.complete("deep").path == ("deep", "inner_end", "inner")
    assert play.complete("rest").path == ("rest", "outer_end", "outer", "end")
    assert play.end_events == ("end",)


def test_the_ends_inside_are_no_ends_of_the_instance() -> None:
    drawn = executable_of(start(), sub("work", start("begin"), end("done"), flows("begin -> done")), end(),
                          flows("start -> work -> end"))  # fmt: skip
    assert Play(drawn).start().effects[-1] == InstanceCompleted(("end",))


def test_jobs_timers_scripts_and_choices_run_inside() -> None:
    inside = sub(
        "work",
        start("begin"), script("count", "amount = amount + 1"), exclusive("enough", "enough-pause"), wait("pause"),
        service("pay", {"amount": "${amount}"}, {"receipt": "${payment_id}"}), throw("next"), end("done"), end("idle"),
        flows("begin -> count -> enough", "enough -> pay if ${amount > 1}", "enough -> pause -> idle", "pay -> next -> done"),
    )  # fmt: skip
    drawn = executable_of(start(), inside, end(), flows("start -> work -> end"))
    play = Play(drawn).start(amount=1).done("pay", payment_id="pay_1")
    assert play.data == {"amount": 2, "receipt": "pay_1"}
    assert [thrown.message for thrown in play.thrown] == ["next"]
    assert play.completed
    assert Play(drawn).start(amount=0).fire("pause").completed


def test_a_loop_comes_back_into_a_sub_process_as_often_as_it_likes() -> None:
    drawn = executable_of(
        start(), exclusive("merge"), sub("work", start("begin"), parallel("split"), user("a"), user("b"), parallel("join"),
        end("done"), flows("begin -> split -> a -> join -> done", "split -> b -> join")), user("review"),
        exclusive("again", "again-merge"), end(),
        flows("start -> merge -> work -> review -> again", "again -> end if ${approved}", "again -> merge"),
    )  # fmt: skip
    play, sizes = Play(drawn).start(), set()
    for number in range(6):
        first, second = ("a", "b") if number % 2 else ("b", "a")
        assert play.complete(first).waiting == [second]
        rows = play.complete(second).state.tokens[2]
        sizes.add(len(rows) if isinstance(rows, list) else 0)
        play.complete("review", approved=False)
    assert len(sizes) == 1, "the state doesn't grow with the rounds"
    assert play.complete("a").complete("b").complete("review", approved=True).completed


def test_two_tokens_in_one_sub_process_are_in_two_of_its_instances() -> None:
    """Their tokens never meet at its join."""
    drawn = executable_of(
        start(), parallel("fork"), exclusive("merge"), sub("work", start("begin"), parallel("split"), user("a"), user("b"),
        parallel("join"), user("c"), end("done"), flows("begin -> split -> a -> join -> c -> done", "split -> b -> join")),
        end(), flows("start -> fork -> merge -> work -> end", "fork -> other -> merge"), exclusive("other"),
    )  # fmt: skip
    play = Play(drawn).start()
    assert sorted(play.waiting) == ["a", "a", "b", "b"]
    tokens = sorted(token for token, node in play.open.items() if node == "a")
    play.complete("a")
    play.complete("a")
    assert play.waiting == ["b", "b"], "both tokens at the join are of different instances"
    assert len(tokens) == 2
    play.complete("b")
    assert sorted(play.waiting) == ["b", "c"]
    assert play.complete("b").complete("c").complete("c").completed


def test_a_sub_process_in_which_tokens_wait_for_ever_is_refused_before_anything_changed() -> None:
    inside = sub("work", start("begin"), user("choose"), exclusive("x", "x-join"), parallel("join"), user("never"), end("done"),
                 flows("begin -> choose -> x -> join -> done", "never -> join", "x -> never if ${approved}"))  # fmt: skip
    play = Play(executable_of(start(), inside, end(), flows("start -> work -> end"))).start()
    with pytest.raises(DefinitionInvalid, match="nothing is left that could bring one"):
        play.complete("choose", approved=False)
    assert play.waiting == ["choose"]


# --- terminate ------------------------------------------------------------------------------------------------------


def test_a_terminate_end_ends_its_own_scope_alone() -> None:
    inner = sub("inner", start("inner_start"), parallel("inner_split"), user("stop"), user("lost"), terminate("enough"),
                flows("inner_start -> inner_split -> stop -> enough", "inner_split -> lost"))  # fmt: skip
    drawn = executable_of(
        start(), parallel("split"), inner, user("beside"), user("after"), end(),
        flows("start -> split -> inner -> after -> end", "split -> beside -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    lost = play.token("lost")
    play.complete("stop")
    assert UserTaskClosed(lost, "lost", completed=False) in play.effects
    assert sorted(play.waiting) == ["after", "beside"]
    assert not play.completed


def test_a_terminate_end_at_the_top_ends_what_is_inside_sub_processes_too() -> None:
    drawn = executable_of(
        start(), parallel("split"), sub("work", start("begin"), user("inside"), end("done"), flows("begin -> inside -> done")),
        user("stop"), terminate("enough"), end(), flows("start -> split -> work -> end", "split -> stop -> enough"),
    )  # fmt: skip
    play = Play(drawn).start().complete("stop")
    assert play.end_events == ("enough",)
    assert play.waiting == []


# --- errors on the edge ---------------------------------------------------------------------------------------------


def failing(*edges: str, ways: tuple[str, ...] = (), inside: tuple[str, ...] = ()) -> Play:
    """A sub-process with a service task, a task beside it, and these boundary events, each leading to `NAME_task`."""
    work = sub("work", start("begin"), parallel("split"), service("pay", {}, {}), user("beside"), end("done"), *inside,
               flows("begin -> split -> pay -> done", "split -> beside -> done"))  # fmt: skip
    names = [edge.split('id="')[1].split('"')[0] for edge in edges]
    drawn = executable_of(
        start(), work, *edges, *(user(f"{name}_task") for name in names), end(),
        flows("start -> work -> end", *(f"{name} -> {name}_task -> end" for name in names), *ways),
    )  # fmt: skip
    return Play(drawn).start()


def test_an_error_inside_is_caught_on_the_edge_and_ends_everything_inside() -> None:
    play = failing(on_edge("caught", "work", error(attributes='camunda:errorCodeVariable="receipt"')))
    beside = play.token("beside")
    play.fail("pay", "declined")
    assert UserTaskClosed(beside, "beside", completed=False) in play.effects
    assert play.path == ("caught",)
    assert play.waiting == ["caught_task"]
    assert play.data == {"receipt": "declined"}
    assert play.complete("caught_task").completed


def test_of_two_events_on_the_edge_that_with_the_code_is_taken() -> None:
    edges = on_edge("any", "work", error(None)), on_edge("caught", "work", error())
    assert failing(*edges).fail("pay", "declined").waiting == ["caught_task"]
    assert failing(*edges).fail("pay", "else").waiting == ["any_task"]


def test_the_narrowest_scope_wins_even_when_it_catches_every_error() -> None:
    narrow = boundary("narrow", "pay", None), user("help"), flows("narrow -> help -> done")
    play = failing(on_edge("caught", "work", error()), inside=narrow).fail("pay", "declined")
    assert sorted(play.waiting) == ["beside", "help"]


def test_an_error_that_nothing_on_the_way_out_catches_changes_nothing() -> None:
    play = failing(on_edge("caught", "work", error()))
    with pytest.raises(ExpressionFailed, match="for the error 'odd', but there is none"):
        play.fail("pay", "odd")
    assert sorted(play.waiting) == ["beside", "pay"]


def test_an_error_end_event_goes_to_the_next_scope_out_that_catches_it() -> None:
    inner = sub("inner", start("inner_start"), user("decide"), error_end("refused"), flows("inner_start -> decide -> refused"))
    outer = sub("outer", start("outer_start"), inner, on_edge("odd", "inner", error("e_odd")), end("outer_end"), end("odd_end"),
                flows("outer_start -> inner -> outer_end", "odd -> odd_end"))  # fmt: skip
    drawn = executable_of(
        start(), outer, on_edge("caught", "outer", error(attributes='camunda:errorMessageVariable="receipt"')), user("help"),
        end(), flows("start -> outer -> end", "caught -> help -> end"),
    )  # fmt: skip
    play = Play(drawn).start().complete("decide")
    assert play.path == ("decide", "refused", "caught")
    assert play.waiting == ["help"]
    assert play.data == {"receipt": "Declined"}


def test_an_error_end_event_takes_its_sub_process_s_other_tokens_and_timers_away() -> None:
    work = sub("work", start("begin"), parallel("split"), user("decide"), error_end("refused"), wait("pause"), end("done"),
               flows("begin -> split -> decide -> refused", "split -> pause -> done"))  # fmt: skip
    drawn = executable_of(
        start(), work, on_edge("caught", "work", error()), end("caught_end"), end(),
        flows("start -> work -> end", "caught -> caught_end"),
    )  # fmt: skip
    play = Play(drawn).start()
    pause = play.token("pause")
    play.complete("decide")
    assert TimerClosed(pause, "pause", fired=False) in play.effects
    assert play.end_events == ("caught_end",)


@pytest.mark.parametrize("nested", [False, True])
def test_an_error_end_event_that_nothing_catches_ends_the_instance_and_says_so(nested: bool) -> None:
    failing_part = (
        sub("work", start("begin"), user("decide"), error_end("refused"), flows("begin -> decide -> refused"))
        if nested
        else user("decide") + error_end("refused") + flows("decide -> refused")
    )
    first = "work" if nested else "decide"
    drawn = executable_of(
        start(), parallel("split"), failing_part, user("beside"), end(),
        flows(f"start -> split -> {first}", "split -> beside -> end", *(["work -> end"] if nested else [])),
    )  # fmt: skip
    play = Play(drawn).start().complete("decide")
    assert ErrorNotCaught("refused", "declined") in play.effects
    assert play.effects[-1] == InstanceCompleted(("refused",))
    assert play.waiting == []


def test_an_instance_that_ends_by_an_error_inside_throws_nothing_more() -> None:
    work = sub("work", start("begin"), error_end("refused"), flows("begin -> refused"))
    drawn = executable_of(start(), work, throw("next"), end(), flows("start -> work -> next -> end"))
    play = Play(drawn).start()
    assert play.thrown == []
    assert play.end_events == ("refused",)


# --- scripts and expressions that have no result ----------------------------------------------------------------------


def test_a_script_that_fails_is_an_error_that_an_event_on_its_edge_catches() -> None:
    drawn = executable_of(
        start(), script("count", "amount = amount + 1"),
        on_edge("failed", "count", error("e_script", 'camunda:errorCodeVariable="receipt"')), user("enter"), end(),
        flows("start -> count -> end", "failed -> enter -> count"),
    )  # fmt: skip
    play = Play(drawn).start()
    assert play.data == {"receipt": "script_failed"}
    assert play.complete("enter", amount=1).completed
    assert play.data["amount"] == 2


@pytest.mark.parametrize("reference", [None, "e_script"])
def test_what_has_no_result_anywhere_inside_is_caught_on_the_edge(reference: str | None) -> None:
    work = sub("work", start("begin"), exclusive("size", "size-small"), end("large"), user("small"), end("done"),
               flows("begin -> size", "size -> large if ${amount > 1}", "size -> small -> done"))  # fmt: skip
    drawn = executable_of(
        start(), work, on_edge("failed", "work", error(reference)), user("help"), end(),
        flows("start -> work -> end", "failed -> help -> end"),
    )  # fmt: skip
    assert Play(drawn).start().waiting == ["help"]
    assert Play(drawn).start(amount=1).waiting == ["small"]


def test_a_parameter_without_a_value_is_caught_before_there_is_a_job() -> None:
    work = sub("work", start("begin"), service("pay", {"amount": "${amount + 1}"}, {}), end("done"),
               flows("begin -> pay -> done"))  # fmt: skip
    drawn = executable_of(
        start(), work, on_edge("failed", "work", error(None)), user("help"), end(),
        flows("start -> work -> end", "failed -> help -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    assert play.waiting == ["help"]
    assert [type(effect).__name__ for effect in play.effects] == ["UserTaskOpened"]


def test_a_script_that_nothing_catches_changes_nothing_and_is_told() -> None:
    drawn = executable_of(
        start(), user("enter"), script("count", "amount = amount + 1"), on_edge("declined", "count", error()), end(),
        flows("start -> enter -> count -> end", "declined -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    with pytest.raises(ExpressionFailed):
        play.complete("enter")
    assert play.waiting == ["enter"]


def test_a_script_assigns_all_or_nothing() -> None:
    drawn = executable_of(
        start(), script("set", "amount = 1\nreceipt = 2"), on_edge("failed", "set", error(None)), user("help"), end(),
        flows("start -> set -> end", "failed -> help -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    assert play.waiting == ["help"]
    assert play.data == {}


def test_outputs_that_do_not_fit_are_told_and_never_taken_for_a_failure_of_the_work() -> None:
    drawn = executable_of(
        start(), service("pay", {}, {"amount": "${payment_id}"}), on_edge("failed", "pay", error(None)), user("help"), end(),
        flows("start -> pay -> end", "failed -> help -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    with pytest.raises(Exception, match="amount"):
        play.done("pay", payment_id="pay_1")
    assert play.waiting == ["pay"]


def test_a_failure_that_leads_round_and_round_is_stopped_and_changes_nothing() -> None:
    drawn = executable_of(
        start(), user("enter"), exclusive("merge"), script("count", "amount = amount + 1"), end(),
        on_edge("failed", "count", error(None)), flows("start -> enter -> merge -> count -> end", "failed -> merge"),
    )  # fmt: skip
    play = Play(drawn).start()
    with pytest.raises(DefinitionInvalid, match="between two tasks that wait"):
        play.complete("enter")
    assert play.waiting == ["enter"]


# --- timers on the edge ----------------------------------------------------------------------------------------------


def timed(*, interrupting: bool) -> Play:
    work = sub("work", start("begin"), user("first"), user("second"), end("done"), flows("begin -> first -> second -> done"))
    drawn = executable_of(
        start(), work, on_edge("late", "work", after(), interrupting=interrupting), user("hurry"), user("review"), end(),
        end("hurried"), flows("start -> work -> review -> end", "late -> hurry -> hurried"),
    )  # fmt: skip
    return Play(drawn).start()


def test_a_deadline_on_the_edge_takes_the_whole_inside_away() -> None:
    play = timed(interrupting=True).complete("first")
    assert play.waiting == ["late", "second"]
    assert play.fire("late").waiting == ["hurry"]
    assert play.complete("hurry").end_events == ("hurried",)


def test_a_reminder_on_the_edge_leaves_the_inside_open_and_goes_its_own_way() -> None:
    play = timed(interrupting=False).fire("late")
    assert sorted(play.waiting) == ["first", "hurry"]
    play.complete("first").complete("second")
    assert sorted(play.waiting) == ["hurry", "review"]
    assert not play.complete("hurry").completed
    assert play.complete("review").completed


def test_a_timer_on_the_edge_waits_no_longer_when_the_sub_process_is_left() -> None:
    play = timed(interrupting=True).complete("first")
    late = play.token("late")
    play.complete("second")
    assert TimerClosed(late, "late", fired=False) in play.effects
    assert play.waiting == ["review"]
