"""Multi-instance activities and standard loops. Every step is stored and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import DataRefused, ExpressionFailed
from engine.execution.executable import Executable
from engine.execution.transition import JobCreated, TimerClosed, UserTaskClosed
from tests.builders.drawing import end, exclusive, flows, form_field, parallel, script, service, start, throw, user, wait
from tests.builders.drawing_scopes import after, error, error_end, event_start, handler, instances, on_edge, repeated, rounds, sub
from tests.builders.play import Play, executable_of


def played(activity: str, *beside: str, ways: tuple[str, ...] = (), name: str = "work", **data: object) -> Play:
    """A repeated activity between a start and an end."""
    drawn = executable_of(start(), activity, *beside, end(), flows(f"start -> {name} -> end", *ways))
    return Play(drawn).start(**data)


def parameters(play: Play) -> list[dict[str, object]]:
    return [dict(job.parameters) for job in play.of_type(JobCreated)]


# --- multi-instance ---------------------------------------------------------------------------------------------------


def test_parallel_instances_are_all_open_at_once() -> None:
    play = played(repeated(user("work"), instances("3")))
    assert play.waiting == ["work", "work", "work"]
    assert not play.complete("work").complete("work").completed
    assert play.complete("work").path == ("work", "end")
    assert play.completed


def test_sequential_instances_come_one_after_the_other() -> None:
    play = played(repeated(user("work"), instances("${amount}", sequential=True)), amount=3)
    tokens = []
    for _ in range(3):
        assert play.waiting == ["work"]
        tokens.append(play.token("work"))
        play.complete("work")
    assert play.completed
    assert len(set(tokens)) == 3


@pytest.mark.parametrize("sequential", [True, False])
def test_of_a_collection_each_instance_has_its_own_value(sequential: bool) -> None:
    marker = instances(collection="${['ann', 'ben', 'cy']}", each="customer", sequential=sequential)
    play = played(repeated(service("work", {"who": "${customer}", "number": "${loopCounter}"}, {}), marker), customer="acme")
    seen = parameters(play)
    while not play.completed:
        play.done("work")
        seen += parameters(play)
    assert seen == [{"who": name, "number": number} for number, name in enumerate(["ann", "ben", "cy"])]
    assert play.data["customer"] == "acme", "the instance's own value is another"


@pytest.mark.parametrize("sequential", [True, False])
def test_an_error_s_code_goes_into_the_instance_s_own_value(sequential: bool) -> None:
    caught = on_edge("caught", "pay", error(attributes='camunda:errorCodeVariable="receipt"'))
    body = sub("work", start("begin"), service("pay", {}, {}), caught, exclusive("was", "was-other"), user("said"),
               user("other"), end("done"),
               flows("begin -> pay -> done", "caught -> was", 'was -> said if ${receipt == "declined"}', "was -> other -> done",
                     "said -> done"))  # fmt: skip
    marker = instances(collection='${["a", "b"]}', each="receipt", sequential=sequential)
    play = played(repeated(body, marker), receipt="outside").fail("pay", "declined")
    assert "said" in play.waiting
    assert play.data == {"receipt": "outside"}


@pytest.mark.parametrize("sequential", [True, False])
def test_no_instance_at_all_is_passed_at_once(sequential: bool) -> None:
    assert played(repeated(user("work"), instances("0", sequential=sequential))).path == ("start", "end")
    assert played(repeated(user("work"), instances(collection="${[]}", sequential=sequential))).completed


def test_the_completion_condition_gives_up_the_rest() -> None:
    play = played(repeated(user("work"), instances("5", until="${nrOfCompletedInstances >= 2}"))).complete("work")
    assert play.waiting == ["work"] * 4
    play.complete("work")
    assert len([effect for effect in play.of_type(UserTaskClosed) if not effect.completed]) == 3
    assert play.completed


def test_the_completion_condition_sees_data_and_all_counters() -> None:
    marker = instances("4", until="${not approved and nrOfActiveInstances == nrOfInstances - nrOfCompletedInstances}")
    play = played(repeated(user("work"), marker))
    assert play.complete("work", approved=True).waiting == ["work"] * 3
    assert play.complete("work", approved=False).completed


def test_the_completion_condition_of_sequential_instances_sees_the_one_that_was_done() -> None:
    play = played(repeated(user("work"), instances("9", until="${loopCounter == 1}", sequential=True)))
    assert not play.complete("work").completed
    assert play.complete("work").completed


def test_what_an_instance_writes_into_its_own_value_stays_there_and_the_rest_is_the_process_s() -> None:
    marker = instances(collection="${[10, 20]}", each="amount")
    inside = sub("work", start("begin"), user("check", form_field("amount", "long")), service("tell", {"it": "${amount}"}, {}),
                 script("note", "receipt = str(amount)"), end("done"),
                 flows("begin -> check -> tell -> note -> done"))  # fmt: skip
    play = played(repeated(inside, marker), amount=1)
    first, second = (token for token, node in play.open.items() if node == "check")
    assert play.state.data_at(first)["amount"] == 10
    assert play.state.data_at(second)["amount"] == 20
    play.complete("check", amount=11)
    assert parameters(play) == [{"it": 11}]
    play.complete("check", amount=21)
    assert parameters(play) == [{"it": 21}]
    play.done("tell").done("tell")
    assert play.data == {"amount": 1, "receipt": "21"}
    assert play.completed


def test_sub_processes_are_repeated_with_everything_in_them() -> None:
    inside = sub("work", start("begin"), parallel("split"), user("a"), wait("pause"), parallel("join"), end("done"),
                 flows("begin -> split -> a -> join -> done", "split -> pause -> join"))  # fmt: skip
    play = played(repeated(inside, instances("2")))
    assert sorted(play.waiting) == ["a", "a", "pause", "pause"]
    play.complete("a").complete("a")
    assert play.waiting == ["pause", "pause"]
    play.fire("pause")
    assert play.path == ("pause", "join", "done", "work")
    assert play.fire("pause").completed


def test_scripts_are_repeated_in_order() -> None:
    marker = instances(collection="${[1, 2, 3]}", each="amount", sequential=True)
    play = played(repeated(script("work", "receipt = receipt + str(amount)"), marker), receipt="")
    assert play.data == {"receipt": "123"}
    assert play.path == ("start", "work", "work", "work", "end")


def test_an_error_in_one_instance_ends_all_and_is_caught_on_the_edge() -> None:
    play = played(
        repeated(service("work", {}, {}), instances("3")), on_edge("caught", "work", error()), user("help"),
        ways=("caught -> help -> end",),
    )  # fmt: skip
    assert play.fail("work", "declined").waiting == ["help"]


def test_an_error_end_event_inside_one_instance_ends_all() -> None:
    inside = sub("work", start("begin"), user("decide"), exclusive("x", "x-done"), error_end("refused"), end("done"),
                 flows("begin -> decide -> x -> done", "x -> refused if ${not approved}"))  # fmt: skip
    play = played(
        repeated(inside, instances("2")), on_edge("caught", "work", error()), user("help"), ways=("caught -> help -> end",)
    )
    play.complete("decide", approved=True)
    assert play.waiting == ["decide"]
    assert play.complete("decide", approved=False).waiting == ["help"]


def test_a_deadline_on_the_edge_is_one_for_all_instances() -> None:
    activity, late = repeated(user("work"), instances("2", sequential=True)), on_edge("late", "work", after())
    play = played(activity, late, user("hurry"), ways=("late -> hurry -> end",)).complete("work")
    assert sorted(play.waiting) == ["late", "work"]
    assert play.fire("late").waiting == ["hurry"]
    play = played(activity, late, user("hurry"), ways=("late -> hurry -> end",)).complete("work").complete("work")
    assert [effect.fired for effect in play.of_type(TimerClosed)] == [False]
    assert play.completed


def test_instances_within_instances_have_counters_of_their_own() -> None:
    inner = repeated(service("pay", {"at": "${loopCounter}", "of": "${nrOfInstances}"}, {}), instances("2"))
    inside = sub("work", start("begin"), service("tell", {"at": "${loopCounter}", "of": "${nrOfInstances}"}, {}), inner,
                 end("done"), flows("begin -> tell -> pay -> done"))  # fmt: skip
    play = played(repeated(inside, instances("3", sequential=True))).done("tell")
    assert parameters(play) == [{"at": 0, "of": 2}, {"at": 1, "of": 2}]
    play.done("pay").done("pay")
    assert parameters(play) == [{"at": 1, "of": 3}]


@pytest.mark.parametrize(
    ("marker", "error_type", "message"),
    [
        (instances("${amount}"), ExpressionFailed, "a whole number from 0 to 1,000"),
        (instances("-1"), ExpressionFailed, "a whole number from 0 to 1,000"),
        (instances("1001"), ExpressionFailed, "a whole number from 0 to 1,000"),
        (instances(collection="customer"), ExpressionFailed, "a list as the collection"),
        (instances(collection="${['many']}", each="amount"), DataRefused, "amount"),
    ],
)
def test_how_often_must_be_known_when_the_activity_is_reached(marker: str, error_type: type[Exception], message: str) -> None:
    with pytest.raises(error_type, match=message):
        played(repeated(user("work"), marker), customer="acme")


def test_a_collection_that_is_none_is_caught_on_the_edge() -> None:
    marker = instances(collection="customer", each="customer")
    play = played(
        repeated(user("work"), marker), on_edge("caught", "work", error(None)), user("help"), ways=("caught -> help -> end",)
    )
    assert play.waiting == ["help"]


def test_a_thousand_instances_are_possible() -> None:
    play = played(repeated(service("work", {}, {}), instances("1000", until="${nrOfCompletedInstances == 1}")))
    assert len(play.waiting) == 1000
    assert play.done("work").completed


def test_what_follows_repeated_activities_is_done_once() -> None:
    drawn = executable_of(
        start(), repeated(user("work"), instances("2")), throw("next"), end(), flows("start -> work -> next -> end")
    )
    play = Play(drawn).start().complete("work").complete("work")
    assert len(play.thrown) == 1


# --- standard loops ---------------------------------------------------------------------------------------------------


def test_a_loop_asks_after_each_round() -> None:
    play = played(repeated(user("work"), rounds("${not approved}")), approved=True)
    assert play.complete("work", approved=False).waiting == ["work"]
    assert play.complete("work", approved=True).completed


def test_a_loop_that_asks_before_may_be_passed_at_once() -> None:
    assert played(repeated(user("work"), rounds("${not approved}", before=True)), approved=True).path == ("start", "end")
    play = played(repeated(user("work"), rounds("${not approved}", before=True)), approved=False)
    assert play.complete("work", approved=True).completed


@pytest.mark.parametrize("condition", [None, "${not approved}"])
def test_a_loop_has_at_most_its_maximum_of_rounds(condition: str | None) -> None:
    play = played(repeated(user("work"), rounds(condition, most=2)), approved=False)
    assert not play.complete("work").completed
    assert play.complete("work").completed


def test_a_loop_counts_its_rounds() -> None:
    play = played(repeated(script("work", "amount = amount + loopCounter"), rounds("${loopCounter < 4}")), amount=0)
    assert play.data == {"amount": 0 + 1 + 2 + 3}


def test_a_loop_without_an_end_is_stopped_and_changes_nothing() -> None:
    drawn = executable_of(
        start(), user("enter"), repeated(script("work", "amount = 1"), rounds("${True}")), end(),
        flows("start -> enter -> work -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    with pytest.raises(ExpressionFailed, match="at most 1,000 rounds"):
        play.complete("enter")
    assert play.waiting == ["enter"]


def test_a_sub_process_is_looped() -> None:
    inside = sub("work", start("begin"), user("a"), service("b", {}, {}), end("done"), flows("begin -> a -> b -> done"))
    play = played(repeated(inside, rounds("${loopCounter < 3}")))
    for _ in range(3):
        assert play.complete("a").waiting == ["b"]
        play.done("b")
    assert play.completed


# --- states that were stored --------------------------------------------------------------------------------------------

STORED = Path(__file__).parents[1] / "golden" / "scopes-v1.json"


def test_a_state_stored_in_the_midst_of_scopes_and_instances_goes_on() -> None:
    """Three instances of a sub-process, of which one is done and one is a step ahead; a handler that waits, and a deadline."""
    play = Play(drawn_for_storing())
    recorded = json.loads(STORED.read_text(encoding="ascii"))
    play.stored = json.dumps(recorded["state"], separators=(",", ":"))
    play.open = {int(token): node for token, node in recorded["open"].items()}
    assert sorted(play.waiting) == ["a", "b", "late", "slow", "slow"]
    assert [play.state.data_at(play.token(node))["amount"] for node in ("b", "a")] == [20, 30]
    assert sorted(play.fire("slow").waiting) == ["a", "hurry", "late", "slow"]
    play.complete("hurry").complete("a").complete("b")
    assert play.completed


def drawn_for_storing() -> Executable:
    inside = sub(
        "work", start("begin"), user("a"), user("b"), end("done"),
        handler("help", event_start("slow", after()), user("hurry"), end("hurried"), flows("slow -> hurry -> hurried")),
        flows("begin -> a -> b -> done"),
    )  # fmt: skip
    marked = repeated(inside, instances(collection="${[10, 20, 30]}", each="amount"))
    return executable_of(
        start(), marked, on_edge("late", "work", after()), end("too_late"), end(),
        flows("start -> work -> end", "late -> too_late"),
    )  # fmt: skip
