"""How tokens move. The state is stored and read back between every two steps (see tests/builders/play.py)."""

from __future__ import annotations

import pytest

from engine.definition.process_definition import read_definition
from engine.errors import DefinitionInvalid, ExpressionFailed, TaskNotOpen
from engine.execution.executable import Executable
from engine.execution.transition import CompleteUserTask, InstanceCompleted, JobClosed, UserTaskClosed, UserTaskOpened
from tests.builders.drawing import (
    boundary,
    carry_over,
    diagram,
    element,
    end,
    exclusive,
    files,
    flows,
    parallel,
    script,
    service,
    start,
    throw,
    user,
)
from tests.builders.play import Play, executable_of

TERMINATE = "<terminateEventDefinition/>"


def flow(key: str, source: str, target: str, condition: str = "") -> str:
    inside = f"<conditionExpression>{condition}</conditionExpression>" if condition else ""
    return f'<sequenceFlow id="{key}" sourceRef="{source}" targetRef="{target}">{inside}</sequenceFlow>'


# --- exclusive gateways ---------------------------------------------------------------------------------------------

CHOICE = executable_of(
    start(),
    user("enter"),
    exclusive("size", "size-none"),
    end("large"),
    end("small"),
    end("none"),
    flows("start -> enter -> size", "size -> large if ${amount > 100}", "size -> small if ${amount > 0}", "size -> none"),
)


@pytest.mark.parametrize(("amount", "reached"), [(500, "large"), (5, "small"), (0, "none")])
def test_an_exclusive_gateway_takes_the_first_way_whose_condition_holds_and_else_its_default(amount: int, reached: str) -> None:
    play = Play(CHOICE).start().complete("enter", amount=amount)
    assert play.end_events == (reached,)


def test_a_gateway_without_a_way_out_is_an_error_and_nothing_has_changed() -> None:
    gateway = executable_of(
        start(),
        user("enter"),
        exclusive("size"),
        end("large"),
        end("small"),
        flows("start -> enter -> size", "size -> large if ${amount > 100}", "size -> small if ${amount > 0}"),
    )
    play = Play(gateway).start()
    with pytest.raises(ExpressionFailed, match="one of the conditions after 'size' to hold, but none does"):
        play.complete("enter", amount=0)
    assert play.waiting == ["enter"]
    assert play.data == {}
    assert play.complete("enter", amount=7).end_events == ("small",)


def test_a_condition_on_missing_data_is_an_error_and_nothing_has_changed() -> None:
    play = Play(CHOICE).start()
    with pytest.raises(ExpressionFailed):
        play.complete("enter")
    assert play.waiting == ["enter"]


@pytest.mark.parametrize(("approved", "takes"), [(True, "yes"), (False, "otherwise")])
def test_two_ways_to_the_same_task_bring_it_one_token(approved: bool, takes: str) -> None:
    ways = flow("otherwise", "x", "task"), flow("yes", "x", "task", "${approved}")
    drawn = executable_of(start(), exclusive("x", "otherwise"), user("task"), end(), flows("start -> x", "task -> end"), *ways)
    assert Play(drawn).start(approved=approved).waiting == ["task"]


def test_document_order_decides_and_not_the_layout() -> None:
    """The first way that holds is the first one in the file, wherever its target is drawn."""
    shape = '<bpmndi:BPMNShape bpmnElement="{}"><dc:Bounds x="0" y="{}" width="9" height="9"/></bpmndi:BPMNShape>'
    layout = (
        '<bpmndi:BPMNDiagram xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" '
        'xmlns:dc="http://www.omg.org/spec/DD/20100524/DC"><bpmndi:BPMNPlane bpmnElement="billing">'
        f"{shape.format('low', 900)}{shape.format('high', 10)}</bpmndi:BPMNPlane></bpmndi:BPMNDiagram>"
    )
    ways = flows(
        "start -> x", "x -> low if ${amount > 0}", "x -> high if ${amount > 0}", "x -> none", "low -> end", "high -> end"
    )
    nodes = start(), exclusive("x", "x-none"), user("high"), user("low"), user("none"), end(), flows("none -> end")
    drawn = diagram(*nodes, ways).replace(b"</definitions>", layout.encode() + b"</definitions>")
    assert Play(Executable(read_definition(files(drawn, carry_over())))).start(amount=1).waiting == ["low"]


# --- parallel gateways ----------------------------------------------------------------------------------------------

PARALLEL_LOOP = executable_of(
    start(),
    exclusive("merge"),
    parallel("split"),
    user("left"),
    user("right"),
    parallel("join"),
    user("review"),
    exclusive("enough", "enough-merge"),
    end(),
    flows(
        "start -> merge -> split -> left -> join -> review -> enough",
        "split -> right -> join",
        "enough -> end if ${approved}",
        "enough -> merge",
    ),
)


@pytest.mark.parametrize("first", ["left", "right"])
def test_a_parallel_join_waits_for_all_ways_whichever_is_first(first: str) -> None:
    play = Play(PARALLEL_LOOP).start()
    assert play.waiting == ["left", "right"]
    play.complete(first)
    [second] = play.waiting
    assert second != first
    assert play.complete(second).waiting == ["review"]


@pytest.mark.parametrize("first_round", [("left", "right"), ("right", "left")])
@pytest.mark.parametrize("second_round", [("left", "right"), ("right", "left")])
def test_a_parallel_join_in_a_loop_waits_for_all_ways_in_every_round(first_round: list[str], second_round: list[str]) -> None:
    """The order of an earlier round must not let the next one pass with one token alone."""
    play = Play(PARALLEL_LOOP).start()
    for order in (first_round, second_round, first_round):
        assert sorted(play.waiting) == ["left", "right"]
        play.complete(order[0])
        assert play.waiting == [order[1]]
        play.complete(order[1])
        assert play.waiting == ["review"]
        play.complete("review", approved=False)
    assert sorted(play.waiting) == ["left", "right"]


def test_two_flows_from_a_split_bring_two_tokens_and_a_join_takes_both() -> None:
    twice = executable_of(
        start(), parallel("split"), user("task"), end(), flows("start -> split -> task -> end"), flow("b", "split", "task")
    )
    assert Play(twice).start().waiting == ["task", "task"]
    joined = executable_of(
        start(), parallel("split"), parallel("join"), user("task"), end(),
        flows("start -> split -> join -> task -> end"), flow("b", "split", "join"),
    )  # fmt: skip
    assert Play(joined).start().waiting == ["task"]


def test_where_branches_meet_without_a_join_what_follows_is_done_once_for_each() -> None:
    merged = executable_of(
        start(), parallel("split"), user("a"), user("b"), user("after"), end(),
        flows("start -> split -> a -> after -> end", "split -> b -> after"),
    )  # fmt: skip
    play = Play(merged).start().complete("a")
    assert play.waiting == ["b", "after"]
    play.complete("after").complete("b")
    assert play.waiting == ["after"]
    assert not play.completed
    assert play.complete("after").completed


def test_an_instance_that_could_only_wait_for_ever_is_refused_while_its_last_task_is_still_open() -> None:
    stuck = executable_of(
        start(), user("enter"), exclusive("choice", "choice-b"), script("a", "amount = 1"), script("b", "amount = 2"),
        parallel("join"), end(),
        flows("start -> enter -> choice", "choice -> a -> join if ${approved}", "choice -> b -> join", "join -> end"),
    )  # fmt: skip
    play = Play(stuck).start()
    with pytest.raises(DefinitionInvalid, match=r"each way into 'join', but nothing is left that could bring one.*Do: correct"):
        play.complete("enter", approved=False)
    assert play.waiting == ["enter"]


def test_a_join_waits_for_a_way_from_a_start_event_that_did_not_begin_the_instance() -> None:
    drawn = executable_of(start(), start("again", "m_next"), parallel("join"), user("after"), end(),
                          flows("start -> join -> after -> end", "again -> join"))  # fmt: skip
    with pytest.raises(DefinitionInvalid, match=r"each way into 'join', but nothing is left"):
        Play(drawn).start()


# --- loops ----------------------------------------------------------------------------------------------------------

SEND_BACK = executable_of(
    start(),
    exclusive("before"),
    user("enter"),
    user("approve"),
    exclusive("decision", "decision-before"),
    end(),
    flows("start -> before -> enter -> approve -> decision", "decision -> end if ${approved}", "decision -> before"),
)


def test_a_task_that_is_sent_back_is_a_new_task_with_a_new_token() -> None:
    play = Play(SEND_BACK).start()
    first = play.token("enter")
    play.complete("enter").complete("approve", approved=False)
    assert play.waiting == ["enter"]
    assert play.token("enter") != first
    with pytest.raises(TaskNotOpen, match="the process has gone on without it"):
        play.step(CompleteUserTask(first, {}, "ann"))
    play.complete("enter").complete("approve", approved=True)
    assert play.completed


def test_an_instance_that_was_sent_back_often_is_no_larger_and_no_deeper() -> None:
    play = Play(SEND_BACK).start()
    sizes = []
    for _ in range(300):
        play.complete("enter").complete("approve", approved=False)
        sizes.append(len(play.state.tokens[2]))  # type: ignore[arg-type] # the rows of the tree
    assert len(set(sizes)) == 1
    assert play.complete("enter").complete("approve", approved=True).completed


def test_a_way_too_long_to_follow_is_refused_and_never_cut_short() -> None:
    names = [f"step{number}" for number in range(1_000)]
    long = executable_of(
        start(), *(script(name, "amount = 1") for name in names), end(), flows(" -> ".join(["start", *names, "end"]))
    )
    with pytest.raises(DefinitionInvalid, match=r"too long to follow\. Do: split the process"):
        Play(long).start()


def test_more_choices_in_a_row_than_can_be_followed_are_refused_and_never_taken_for_the_end() -> None:
    names = [f"step{number}" for number in range(950)]
    after = [*names[1:], "end"]
    gateways = (exclusive(name, f"{name}-{following}") for name, following in zip(names, after, strict=True))
    ways = flows(" -> ".join(["start", *names, "end"]), *(f"{name} -> end if ${{approved}}" for name in names[:-1]))
    with pytest.raises(DefinitionInvalid, match=r"at most 900 elements between two tasks that wait.*Do: put a user task"):
        Play(executable_of(start(), *gateways, end(), ways)).start(approved=False)


# --- error boundary events ------------------------------------------------------------------------------------------

CHARGE = executable_of(
    start(),
    exclusive("before"),
    service("charge", {"amount": "${amount}"}, {"receipt": "${payment_id}"}),
    boundary("declined", "charge"),
    boundary("anything", "charge", None, 'camunda:errorCodeVariable="receipt"'),
    user("call"),
    user("ask"),
    end(),
    flows("start -> before -> charge -> end", "declined -> call -> before", "anything -> ask -> end"),
)


def test_an_error_goes_to_the_boundary_event_of_its_code() -> None:
    play = Play(CHARGE).start(amount=1).fail("charge", "declined")
    assert play.waiting == ["call"]
    assert play.path == ("declined",)


def test_an_error_of_another_code_goes_to_the_one_that_catches_everything() -> None:
    play = Play(CHARGE).start(amount=1).fail("charge", "lost_connection")
    assert play.waiting == ["ask"]
    assert play.data["receipt"] == "lost_connection"
    assert play.complete("ask").completed


def test_a_boundary_event_that_was_not_taken_sets_nothing() -> None:
    assert "receipt" not in Play(CHARGE).start(amount=1).fail("charge", "declined").data


@pytest.mark.parametrize(
    ("caught", "event"),
    [
        (("e_odd", "e_declined", None), "by_e_odd"),  # the code itself
        (("e_declined", None), "by_e_declined"),  # an older diagram knows the general code alone
        ((None,), "by_None"),
        (("e_odd",), "by_e_odd"),
    ],
)
def test_an_error_is_caught_by_its_own_code_else_by_the_general_one_else_by_what_catches_all(
    caught: tuple[str | None, ...], event: str
) -> None:
    events = [boundary(f"by_{error}", "charge", error, 'camunda:errorCodeVariable="receipt"') for error in caught]
    ways = [f"by_{error} -> end" for error in caught]
    drawn = executable_of(start(), service("charge", {}, {}), *events, end(), flows("start -> charge -> end", *ways))
    play = Play(drawn).start().fail("charge", "odd", general="declined")
    assert play.path[0] == event
    assert play.data["receipt"] == ("declined" if event == "by_e_declined" else "odd")


def test_an_error_that_nothing_catches_changes_nothing() -> None:
    bare = executable_of(
        start(),
        service("charge", {}, {}),
        boundary("declined", "charge"),
        end(),
        flows("start -> charge -> end", "declined -> end"),
    )
    play = Play(bare).start()
    with pytest.raises(ExpressionFailed, match="boundary event at 'charge' for the error 'odd', but there is none"):
        play.fail("charge", "odd")
    assert play.waiting == ["charge"]
    assert play.done("charge").completed


def test_a_retry_through_a_boundary_event_is_a_new_job_each_time() -> None:
    play = Play(CHARGE).start(amount=1)
    tokens = []
    for _ in range(5):
        tokens.append(play.token("charge"))
        play.fail("charge", "declined").complete("call", amount=2)
        assert play.waiting == ["charge"]
    assert len(set(tokens)) == 5
    assert play.done("charge", payment_id="pay_1").completed
    assert play.data["receipt"] == "pay_1"


def test_a_job_that_is_done_takes_its_boundary_events_away() -> None:
    play = Play(CHARGE).start(amount=1).done("charge", payment_id="pay_1")
    assert play.completed
    assert play.end_events == ("end",)


def test_an_error_in_one_branch_leaves_the_other_alone() -> None:
    branches = executable_of(
        start(), parallel("split"), service("a", {}, {}), boundary("a_failed", "a"), service("b", {}, {}),
        boundary("b_failed", "b"), user("help_a"), user("help_b"), parallel("join"), end(),
        flows("start -> split -> a -> end", "a_failed -> help_a -> end", "split -> b -> end", "b_failed -> help_b -> end"),
    )  # fmt: skip
    play = Play(branches).start().fail("a", "declined")
    assert sorted(play.waiting) == ["b", "help_a"]
    play.fail("b", "declined").complete("help_a")
    assert play.waiting == ["help_b"]
    assert play.complete("help_b").completed


# --- starts and ends ------------------------------------------------------------------------------------------------


def test_a_terminate_end_withdraws_the_open_work_of_all_branches() -> None:
    drawn = executable_of(
        start(), parallel("split"), user("decide"), user("wait"), service("pay", {}, {}), end("stop", inside=TERMINATE), end(),
        flows("start -> split -> decide -> stop", "split -> wait -> end", "split -> pay -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    wait, pay = play.token("wait"), play.token("pay")
    play.complete("decide")
    assert UserTaskClosed(wait, "wait", completed=False) in play.effects
    assert JobClosed(pay, "pay", completed=False) in play.effects
    assert play.end_events == ("stop",)
    assert play.waiting == []


def test_nothing_runs_behind_a_terminate_end() -> None:
    drawn = executable_of(
        start(), user("decide"), parallel("split"), end("stop", inside=TERMINATE), script("after", "amount = 1"),
        throw("next"), end(), flows("start -> decide -> split -> stop", "split -> after -> next -> end"),
    )  # fmt: skip
    play = Play(drawn).start().complete("decide")
    assert play.completed
    assert play.thrown == []


def test_a_path_without_an_end_event_ends_where_it_stops() -> None:
    play = Play(executable_of(start(), user("only"), flows("start -> only"))).start().complete("only")
    assert play.effects[-1] == InstanceCompleted(())


def test_an_instance_is_completed_when_the_last_of_its_tokens_has_ended() -> None:
    drawn = executable_of(
        start(), parallel("split"), user("a"), user("b"), end("end_a"), end("end_b"),
        flows("start -> split -> a -> end_a", "split -> b -> end_b"),
    )  # fmt: skip
    play = Play(drawn).start().complete("b")
    assert not play.completed
    assert play.complete("a").end_events == ("end_a",)


@pytest.mark.parametrize(("event", "first"), [("start", "by_hand"), ("again", "by_message")])
def test_of_several_start_events_only_the_one_that_was_asked_for_starts(event: str, first: str) -> None:
    drawn = executable_of(
        start(), start("again", "m_next"), user("by_hand"), user("by_message"), exclusive("merge"), end(),
        flows("start -> by_hand -> merge -> end", "again -> by_message -> merge"),
    )  # fmt: skip
    play = Play(drawn).start(event)
    assert play.waiting == [first]
    assert play.path == (event,)
    assert play.complete(first).completed


def test_events_that_only_mark_a_place_are_passed() -> None:
    drawn = executable_of(start(), element("intermediateThrowEvent", "halfway"), end(), flows("start -> halfway -> end"))
    assert Play(drawn).start().path == ("start", "halfway", "end")


def test_tokens_that_were_given_once_are_never_given_again() -> None:
    play = Play(PARALLEL_LOOP).start()
    seen: list[int] = []
    for _ in range(3):
        seen += [effect.token for effect in play.of_type(UserTaskOpened)]
        play.complete("left").complete("right")
        seen += [effect.token for effect in play.of_type(UserTaskOpened)]
        play.complete("review", approved=False)
    assert len(seen) == len(set(seen)) == 9
