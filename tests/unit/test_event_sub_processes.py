"""Escalations, and event sub-processes of every kind. Every step is stored and read back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.errors import DefinitionInvalid
from engine.execution.transition import TimerClosed, TimerStarted
from tests.builders.drawing import element, end, exclusive, flows, parallel, script, service, start, user, wait
from tests.builders.drawing_scopes import (
    after,
    error,
    error_end,
    escalate,
    escalation,
    escalation_end,
    event_start,
    handler,
    on_edge,
    sub,
)
from tests.builders.play import Play, executable_of

SIGNAL = '<signalEventDefinition signalRef="s_alarm"/>'

# --- escalations ----------------------------------------------------------------------------------------------------


def escalating(edge: str, *, ends: bool = False) -> Play:
    """A sub-process that throws an escalation between two tasks, or at its end."""
    thrower = (
        escalation_end("call") if ends else escalate("call") + user("second") + end("done") + flows("call -> second -> done")
    )
    work = sub("work", start("begin"), user("first"), thrower, flows("begin -> first -> call"))
    drawn = executable_of(
        start(), work, edge, user("boss"), end("told"), end(), flows("start -> work -> end", "late -> boss -> told")
    )
    return Play(drawn).start()


def test_an_escalation_that_interrupts_takes_the_inside_away() -> None:
    play = escalating(on_edge("late", "work", escalation())).complete("first")
    assert play.path == ("first", "call", "late")
    assert play.waiting == ["boss"]
    assert play.complete("boss").end_events == ("told",)


@pytest.mark.parametrize("reference", ["x_late", None])
def test_an_escalation_that_does_not_interrupt_is_told_beside_the_work(reference: str | None) -> None:
    play = escalating(on_edge("late", "work", escalation(reference), interrupting=False)).complete("first")
    assert sorted(play.waiting) == ["boss", "second"]
    assert not play.complete("boss").completed
    assert play.complete("second").completed


def test_an_escalation_with_another_code_goes_on_as_if_nothing_were_thrown() -> None:
    play = escalating(on_edge("late", "work", escalation("x_other"))).complete("first")
    assert play.waiting == ["second"]
    assert play.complete("second").end_events == ("end",)


def test_an_escalation_end_event_leaves_the_sub_process_and_is_told() -> None:
    play = escalating(on_edge("late", "work", escalation(), interrupting=False), ends=True).complete("first")
    assert play.waiting == ["boss"]
    assert "end" in play.path
    assert play.complete("boss").completed


def test_an_escalation_is_told_as_often_as_it_is_thrown() -> None:
    work = sub("work", start("begin"), exclusive("merge"), escalate("call"), user("again"), exclusive("more", "more-merge"),
               end("done"),
               flows("begin -> merge -> call -> again -> more", "more -> merge", "more -> done if ${approved}"))  # fmt: skip
    drawn = executable_of(
        start(), work, on_edge("late", "work", escalation(), interrupting=False), user("boss"), end("told"), end(),
        flows("start -> work -> end", "late -> boss -> told"),
    )  # fmt: skip
    play = Play(drawn).start().complete("again", approved=False).complete("again", approved=False)
    assert sorted(play.waiting) == ["again", "boss", "boss", "boss"]
    play.complete("again", approved=True)
    assert play.waiting == ["boss", "boss", "boss"]
    assert play.complete("boss").complete("boss").complete("boss").completed


def test_an_escalation_told_on_the_edge_can_lead_into_the_sub_process_again() -> None:
    """The outer instance's end must leave the one alone that began within the same step."""
    work = sub("work", start("begin"), exclusive("first", "first-call"), escalate("call"), user("inside"), end("done"),
               end("told"),
               flows("begin -> first -> call -> done", "first -> inside if ${approved}", "inside -> told"))  # fmt: skip
    drawn = executable_of(
        start(), exclusive("merge"), work, on_edge("late", "work", escalation(), interrupting=False),
        on_edge("slow", "work", after()), script("set", "approved = True"), end("too_late"), end(),
        flows("start -> merge -> work -> end", "late -> set -> merge", "slow -> too_late"),
    )  # fmt: skip
    play = Play(drawn).start(approved=False)
    assert play.waiting == ["slow", "inside"] or play.waiting == ["inside", "slow"]
    slow = play.token("slow")
    play.complete("inside")
    assert TimerClosed(slow, "slow", fired=False) in play.effects
    assert play.completed


# --- event sub-processes: errors --------------------------------------------------------------------------------------

WORK = (start("begin"), parallel("split"), service("pay", {}, {}), user("beside"), end("done"))
WORK_FLOWS = flows("begin -> split -> pay -> done", "split -> beside -> done")


def with_handler(*inside: str, edge: str = "") -> Play:
    """A sub-process with an event sub-process in it, and what follows it."""
    work = sub("work", *WORK, handler("help", *inside), WORK_FLOWS)
    leads = "caught -> caught_end" if edge else "after -> end"
    drawn = executable_of(
        start(), work, edge, user("after"), end(), *([end("caught_end")] if edge else []),
        flows("start -> work -> after -> end", *([leads] if edge else [])),
    )  # fmt: skip
    return Play(drawn).start()


HELP = (event_start("failed", error(attributes='camunda:errorCodeVariable="receipt"')), user("mend"), end("mended"),
        flows("failed -> mend -> mended"))  # fmt: skip


def test_an_event_sub_process_begins_only_when_its_error_comes() -> None:
    play = with_handler(*HELP)
    assert sorted(play.waiting) == ["beside", "pay"]
    play.done("pay").complete("beside")
    assert play.waiting == ["after"]
    assert "failed" not in play.walked


def test_an_error_is_handled_inside_and_the_sub_process_is_then_left_as_usual() -> None:
    play = with_handler(*HELP).fail("pay", "declined")
    assert play.path == ("failed",)
    assert play.waiting == ["mend"]
    assert play.data == {"receipt": "declined"}
    assert play.complete("mend").path == ("mend", "mended", "help", "work")
    assert play.waiting == ["after"]


def test_an_event_sub_process_comes_before_the_event_on_the_edge() -> None:
    play = with_handler(*HELP, edge=on_edge("caught", "work", error()))
    assert play.fail("pay", "declined").waiting == ["mend"]


def test_an_error_thrown_while_an_error_is_handled_goes_to_the_edge() -> None:
    inside = (event_start("failed", error()), user("mend"), error_end("worse"), flows("failed -> mend -> worse"))
    play = with_handler(*inside, edge=on_edge("caught", "work", error())).fail("pay", "declined").complete("mend")
    assert play.path == ("mend", "worse", "caught", "caught_end")
    assert play.completed


def test_an_event_sub_process_of_the_process_handles_what_no_narrower_scope_does() -> None:
    drawn = executable_of(
        start(), sub("work", *WORK, WORK_FLOWS), end(), handler("help", *HELP), flows("start -> work -> end")
    )  # fmt: skip
    play = Play(drawn).start().fail("pay", "declined")
    assert play.waiting == ["mend"]
    assert play.complete("mend").end_events == ("mended",)


def test_an_instance_is_completed_although_its_event_sub_process_never_began() -> None:
    drawn = executable_of(
        start(), user("only"), end(), handler("help", *HELP),
        handler("late", event_start("slow", after()), end("slow_end"), flows("slow -> slow_end")), flows("start -> only -> end"),
    )  # fmt: skip
    play = Play(drawn).start()
    slow = play.token("slow")
    assert play.of_type(TimerStarted)[0].flow_node == "slow"
    play.complete("only")
    assert TimerClosed(slow, "slow", fired=False) in play.effects
    assert play.end_events == ("end",)


def test_an_error_end_event_begins_an_event_sub_process_of_its_own_scope() -> None:
    work = sub("work", start("begin"), user("decide"), error_end("refused"), handler("help", *HELP),
               flows("begin -> decide -> refused"))  # fmt: skip
    play = Play(executable_of(start(), work, end(), flows("start -> work -> end"))).start().complete("decide")
    assert play.waiting == ["mend"]
    assert play.complete("mend").completed


# --- event sub-processes: escalations, timers, signals ----------------------------------------------------------------


@pytest.mark.parametrize("interrupting", [True, False])
def test_an_event_sub_process_for_a_timer_waits_while_its_scope_is_open(interrupting: bool) -> None:
    play = with_handler(event_start("slow", after(), interrupting=interrupting), user("hurry"), end("hurried"),
                        flows("slow -> hurry -> hurried"))  # fmt: skip
    assert sorted(play.waiting) == ["beside", "pay", "slow"]
    play.fire("slow")
    assert sorted(play.waiting) == (["hurry"] if interrupting else ["beside", "hurry", "pay"])
    if not interrupting:
        play.done("pay").complete("beside")
        assert play.waiting == ["hurry"], "the sub-process is open while its event sub-process is"
    assert play.complete("hurry").waiting == ["after"]


def test_an_event_sub_process_s_timer_waits_no_longer_when_the_scope_is_left() -> None:
    play = with_handler(event_start("slow", after()), end("hurried"), flows("slow -> hurried"))
    slow = play.token("slow")
    play.done("pay").complete("beside")
    assert TimerClosed(slow, "slow", fired=False) in play.effects
    assert play.waiting == ["after"]


def test_an_escalation_begins_an_event_sub_process_as_often_as_it_is_thrown() -> None:
    work = sub("work", start("begin"), parallel("split"), escalate("one"), escalate("two"), user("rest"), end("done"),
               handler("help", event_start("late", escalation(), interrupting=False), user("boss"), end("told"),
                       flows("late -> boss -> told")),
               flows("begin -> split -> one -> rest -> done", "split -> two -> rest"))  # fmt: skip
    play = Play(executable_of(start(), work, end(), flows("start -> work -> end"))).start()
    assert sorted(play.waiting) == ["boss", "boss", "rest", "rest"]
    play.complete("rest").complete("rest").complete("boss")
    assert play.waiting == ["boss"]
    assert play.complete("boss").completed


def test_an_event_sub_process_that_interrupts_lets_no_other_begin() -> None:
    work = sub("work", *WORK, WORK_FLOWS, handler("help", *HELP),
               handler("hurry", event_start("slow", after(), interrupting=False), end("hurried"),
                       flows("slow -> hurried")))  # fmt: skip
    play = Play(executable_of(start(), work, end(), flows("start -> work -> end"))).start()
    slow = play.token("slow")
    play.fail("pay", "declined")
    assert TimerClosed(slow, "slow", fired=False) in play.effects
    assert play.waiting == ["mend"]


def test_an_event_sub_process_in_an_event_sub_process_belongs_to_it() -> None:
    inner = handler("inner", event_start("slow", after()), user("urge"), end("urged"), flows("slow -> urge -> urged"))
    play = with_handler(event_start("failed", error()), user("mend"), inner, end("mended"), flows("failed -> mend -> mended"))
    assert "slow" not in play.waiting
    play.fail("pay", "declined")
    assert sorted(play.waiting) == ["mend", "slow"]
    assert play.fire("slow").waiting == ["urge"]
    assert play.complete("urge").waiting == ["after"]


@pytest.mark.parametrize("interrupting", [True, False])
def test_a_signal_begins_a_nested_event_sub_process(interrupting: bool) -> None:
    play = with_handler(event_start("alarm", SIGNAL, interrupting=interrupting), user("react"), end("reacted"),
                        flows("alarm -> react -> reacted"))  # fmt: skip
    play.receive("alarm")
    assert sorted(play.waiting) == (["react"] if interrupting else ["alarm", "beside", "pay", "react"])
    if not interrupting:
        play.receive("alarm").done("pay").complete("beside").complete("react")
    assert play.complete("react").waiting == ["after"]


def test_an_event_sub_process_inside_a_loop_waits_anew_in_each_round() -> None:
    work = sub("work", start("begin"), service("pay", {}, {}), end("done"), handler("help", *HELP), flows("begin -> pay -> done"))
    drawn = executable_of(
        start(), exclusive("merge"), work, exclusive("again", "again-merge"), end(),
        flows("start -> merge -> work -> again", "again -> merge", "again -> end if ${approved}"),
    )  # fmt: skip
    play = Play(drawn).start(approved=False)
    for _ in range(3):
        play.fail("pay", "declined").complete("mend", approved=False)
    assert play.fail("pay", "declined").complete("mend", approved=True).completed


def test_a_job_that_waits_beside_a_handler_s_pause_is_withdrawn_with_its_scope() -> None:
    play = with_handler(event_start("failed", error()), wait("pause"), end("mended"), flows("failed -> pause -> mended"))
    assert play.fail("pay", "declined").waiting == ["pause"]
    assert play.fire("pause").waiting == ["after"]


def test_an_event_sub_process_s_timer_that_repeats_begins_it_each_time() -> None:
    every = "<timerEventDefinition><timeCycle>R2/PT1H</timeCycle></timerEventDefinition>"
    play = with_handler(event_start("hourly", every, interrupting=False), user("look"), end("looked"),
                        flows("hourly -> look -> looked"))  # fmt: skip
    play.clock.advance(timedelta(hours=1))
    play.fire("hourly")
    assert sorted(play.waiting) == ["beside", "hourly", "look", "pay"]
    play.clock.advance(timedelta(hours=1))
    play.fire("hourly")
    assert sorted(play.waiting) == ["beside", "look", "look", "pay"]
    play.done("pay").complete("beside").complete("look")
    assert play.complete("look").waiting == ["after"]


@pytest.mark.parametrize(
    ("waits_for", "throws"),
    [(SIGNAL, element("intermediateThrowEvent", "again", SIGNAL)), (escalation(), escalate("again"))],
)
def test_a_handler_that_tells_itself_within_one_step_is_stopped_and_changes_nothing(waits_for: str, throws: str) -> None:
    first = element("intermediateThrowEvent", "tell", waits_for)
    help_ = handler("help", event_start("told", waits_for, interrupting=False), throws, end("e"), flows("told -> again -> e"))
    drawn = executable_of(start(), user("work"), first, help_, end(), flows("start -> work -> tell -> end"))
    play = Play(drawn).start()
    with pytest.raises(DefinitionInvalid, match=r"'told' starts.*tells itself again and again"):
        play.complete("work")
    assert "work" in play.waiting


def test_a_handler_that_tells_itself_after_a_pause_goes_on() -> None:
    help_ = handler("help", event_start("told", escalation(), interrupting=False), user("boss"), escalate("again"), end("e"),
                    flows("told -> boss -> again -> e"))  # fmt: skip
    play = Play(executable_of(start(), escalate("tell"), help_, end(), flows("start -> tell -> end"))).start()
    for _ in range(25):
        assert play.waiting == ["boss"]
        play.complete("boss")
