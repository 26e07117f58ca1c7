"""What timers do to tokens, and when they are due. The state is stored and read back between every two steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.clock import TurnedClock
from engine.errors import DataRefused, ExpressionFailed, TaskNotOpen
from engine.execution.transition import FireTimer, JobClosed, TimerClosed, TimerStarted, UserTaskClosed, UserTaskOpened
from tests.builders.drawing import (
    boundary,
    boundary_timer,
    end,
    exclusive,
    flows,
    form_field,
    parallel,
    service,
    start,
    throw,
    user,
    wait,
)
from tests.builders.play import Play, executable_of
from tests.doubles.context import START

# --- intermediate catch events --------------------------------------------------------------------------------------

PAUSE = executable_of(start(), wait("pause", "P3D"), user("call"), end(), flows("start -> pause -> call -> end"))


def test_a_timer_waits_and_the_token_goes_on_when_its_time_has_come() -> None:
    play = Play(PAUSE).start()
    assert play.effects == (TimerStarted(play.token("pause"), "pause", START + timedelta(days=3)),)
    token = play.token("pause")
    play.fire("pause")
    assert play.effects[0] == TimerClosed(token, "pause", fired=True)
    assert play.waiting == ["call"]
    assert play.path == ("pause",)


def test_a_timer_fires_once() -> None:
    play = Play(PAUSE).start()
    token = play.token("pause")
    play.fire("pause")
    with pytest.raises(TaskNotOpen, match="gone on without it"):
        play.step(FireTimer(token))


def test_a_timer_at_the_end_of_a_way_ends_it() -> None:
    play = Play(executable_of(start(), wait("pause"), end(), flows("start -> pause -> end"))).start()
    assert not play.completed
    assert play.fire("pause").end_events == ("end",)


def test_an_instance_that_waits_for_a_timer_alone_is_not_stuck() -> None:
    drawn = executable_of(
        start(), parallel("split"), user("a"), wait("pause"), parallel("join"), end(),
        flows("start -> split -> a -> join -> end", "split -> pause -> join"),
    )  # fmt: skip
    play = Play(drawn).start().complete("a")
    assert play.waiting == ["pause"]
    assert play.fire("pause").completed


def test_a_timer_in_a_loop_is_a_new_one_each_time() -> None:
    drawn = executable_of(
        start(), exclusive("merge"), wait("pause"), user("ask"), exclusive("again", "again-merge"), end(),
        flows("start -> merge -> pause -> ask -> again", "again -> end if ${approved}", "again -> merge"),
    )  # fmt: skip
    play = Play(drawn).start()
    tokens = []
    for _ in range(3):
        tokens.append(play.token("pause"))
        play.fire("pause").complete("ask", approved=False)
    assert len(set(tokens)) == 3


# --- boundary events that interrupt ---------------------------------------------------------------------------------

DEADLINE = executable_of(
    start(),
    user("approve"),
    boundary_timer("late", "approve", "P5D"),
    user("escalate"),
    end(),
    end("escalated"),
    flows("start -> approve -> end", "late -> escalate -> escalated"),
)


def test_a_timer_starts_with_its_activity() -> None:
    play = Play(DEADLINE).start()
    assert [type(effect) for effect in play.effects] == [UserTaskOpened, TimerStarted]
    assert play.of_type(TimerStarted)[0].due_at == START + timedelta(days=5)


def test_an_interrupting_timer_withdraws_its_activity() -> None:
    play = Play(DEADLINE).start()
    approve, late = play.token("approve"), play.token("late")
    play.fire("late")
    assert play.effects[:2] == (UserTaskClosed(approve, "approve", completed=False), TimerClosed(late, "late", fired=True))
    assert play.waiting == ["escalate"]
    assert play.complete("escalate").end_events == ("escalated",)


def test_a_completed_activity_withdraws_its_timers() -> None:
    play = Play(DEADLINE).start()
    late = play.token("late")
    play.complete("approve")
    assert TimerClosed(late, "late", fired=False) in play.effects
    assert play.end_events == ("end",)


def test_an_interrupting_timer_withdraws_a_job_and_its_other_boundary_events() -> None:
    drawn = executable_of(
        start(), service("pay", {}, {}), boundary("declined", "pay"), boundary_timer("late", "pay", "PT1H"),
        boundary_timer("later", "pay", "PT2H"), user("ask"), end(),
        flows("start -> pay -> end", "declined -> ask -> end", "late -> ask", "later -> ask"),
    )  # fmt: skip
    play = Play(drawn).start()
    pay, later = play.token("pay"), play.token("later")
    play.fire("late")
    assert JobClosed(pay, "pay", completed=False) in play.effects
    assert TimerClosed(later, "later", fired=False) in play.effects
    assert play.waiting == ["ask"]


def test_an_error_withdraws_the_timers_beside_it() -> None:
    drawn = executable_of(
        start(), service("pay", {}, {}), boundary("declined", "pay"), boundary_timer("late", "pay", "PT1H"), user("ask"), end(),
        flows("start -> pay -> end", "declined -> ask -> end", "late -> ask"),
    )  # fmt: skip
    play = Play(drawn).start().fail("pay", "declined")
    assert play.waiting == ["ask"]
    assert [effect.fired for effect in play.of_type(TimerClosed)] == [False]


def test_a_terminate_end_withdraws_timers() -> None:
    drawn = executable_of(
        start(), parallel("split"), user("decide"), wait("pause"), user("task"),
        boundary_timer("remind", "task", interrupting=False), end("stop", inside="<terminateEventDefinition/>"), end(),
        flows("start -> split -> decide -> stop", "split -> pause -> end", "split -> task -> end", "remind -> end"),
    )  # fmt: skip
    play = Play(drawn).start().complete("decide")
    assert {effect.flow_node for effect in play.of_type(TimerClosed)} == {"pause", "remind"}
    assert play.waiting == []


# --- boundary events that don't interrupt ---------------------------------------------------------------------------

REMINDER = executable_of(
    start(),
    user("approve"),
    boundary_timer("remind", "approve", "P3D", interrupting=False),
    boundary_timer("late", "approve", "P5D"),
    service("mail", {}, {}),
    user("escalate"),
    end(),
    end("reminded"),
    end("escalated"),
    flows("start -> approve -> end", "remind -> mail -> reminded", "late -> escalate -> escalated"),
)


def test_a_timer_that_does_not_interrupt_leaves_the_activity_open_and_goes_its_own_way() -> None:
    play = Play(REMINDER).start()
    approve = play.token("approve")
    play.fire("remind")
    assert play.waiting == ["approve", "late", "mail"]
    assert play.token("approve") == approve
    play.done("mail")
    assert play.waiting == ["approve", "late"]
    assert not play.completed
    assert play.complete("approve").end_events == ("end",)


def test_the_activity_may_end_before_the_reminder_s_way_does() -> None:
    play = Play(REMINDER).start().fire("remind").complete("approve")
    assert play.waiting == ["mail"]
    assert not play.completed
    assert play.done("mail").end_events == ("reminded",)


def test_a_reminder_and_then_a_deadline() -> None:
    play = Play(REMINDER).start().fire("remind").fire("late")
    assert play.waiting == ["mail", "escalate"]
    play.done("mail").complete("escalate")
    assert play.end_events == ("escalated",)


def test_a_reminder_that_was_sent_does_not_come_again_for_the_same_task() -> None:
    play = Play(REMINDER).start().fire("remind")
    assert play.of_type(TimerStarted) == []


def test_a_task_that_is_sent_back_is_reminded_of_anew() -> None:
    drawn = executable_of(
        start(), exclusive("merge"), user("enter"), boundary_timer("remind", "enter", interrupting=False), user("check"),
        exclusive("good", "good-merge"), end(), end("reminded"), throw("told", None),
        flows("start -> merge -> enter -> check -> good", "good -> end if ${approved}", "good -> merge",
              "remind -> told -> reminded"),
    )  # fmt: skip
    play = Play(drawn).start()
    tokens = []
    for _ in range(3):
        tokens.append(play.token("remind"))
        play.fire("remind").complete("enter").complete("check", approved=False)
    assert len(set(tokens)) == 3
    assert play.complete("enter").complete("check", approved=True).completed


def test_an_instance_that_was_reminded_often_is_no_larger() -> None:
    drawn = executable_of(
        start(), exclusive("merge"), user("enter"), boundary_timer("remind", "enter", interrupting=False), end("reminded"),
        flows("start -> merge -> enter -> merge", "remind -> reminded"),
    )  # fmt: skip
    play = Play(drawn).start()
    sizes = set()
    for _ in range(30):
        play.fire("remind").complete("enter")
        sizes.add(len(play.state.tokens[2]))  # type: ignore[arg-type] # the rows of the tree
    assert len(sizes) == 1


def test_a_reminder_s_way_that_leads_back_to_its_task_opens_it_a_second_time() -> None:
    drawn = executable_of(
        start(), exclusive("merge"), user("enter"), boundary_timer("again", "enter", interrupting=False), end(),
        flows("start -> merge -> enter -> end", "again -> merge"),
    )  # fmt: skip
    play = Play(drawn).start().fire("again")
    assert sorted(play.waiting) == ["again", "enter", "enter"]
    play.complete("enter")
    assert sorted(play.waiting) == ["again", "enter"]
    play.fire("again").complete("enter").complete("enter")
    assert play.completed


# --- when they are due ----------------------------------------------------------------------------------------------


def due(text: str, kind: str = "timeDate", **data: object) -> datetime:
    drawn = executable_of(start(), wait("pause", text, kind), end(), flows("start -> pause -> end"))
    [started] = Play(drawn, TurnedClock(START)).start(**data).of_type(TimerStarted)
    return started.due_at


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("2027-12-01T09:00:00Z", "timeDate", datetime(2027, 12, 1, 9, tzinfo=UTC)),
        ("\n  2027-12-01T09:00:00+02:00\n ", "timeDate", datetime(2027, 12, 1, 7, tzinfo=UTC)),
        ("2027-12-01T09:00", "timeDate", datetime(2027, 12, 1, 9, tzinfo=UTC)),
        ("2027-12-01", "timeDate", datetime(2027, 12, 1, tzinfo=UTC)),
        ("${month + '-15'}", "timeDate", datetime(2027, 11, 15, tzinfo=UTC)),
        (" PT30S ", "timeDuration", START + timedelta(seconds=30)),
        ("PT1H30M", "timeDuration", START + timedelta(minutes=90)),
        ("P1DT12H", "timeDuration", START + timedelta(hours=36)),
        ("${'P' + str(amount) + 'D'}", "timeDuration", START + timedelta(days=7)),
        ("P${amount}W", "timeDuration", START + timedelta(weeks=7)),
    ],
)
def test_a_timer_s_time_is_written_as_modelers_write_it(text: str, kind: str, expected: datetime) -> None:
    assert due(text, kind, month="2027-11", amount=7) == expected


def test_a_date_that_has_passed_is_due_at_once() -> None:
    assert due("2020-01-01") == START


@pytest.mark.parametrize(
    ("text", "kind", "error", "says"),
    [
        ("${receipt}", "timeDate", ExpressionFailed, "the timer's time at 'pause', but its expression gives nothing"),
        ("${amount}", "timeDuration", ExpressionFailed, "the timer's time at 'pause', but its expression gives 7"),
        ("${missing}", "timeDuration", ExpressionFailed, "missing"),
        ("${month}", "timeDate", DataRefused, "In the timer 'pause': Expected a date.*but \"2026-11\" is none. Do: "),
        ("${month}", "timeDuration", DataRefused, "In the timer 'pause': Expected a positive.*but \"2026-11\" is none. Do: "),
        ("P9000Y", "timeDuration", DataRefused, "In the timer 'pause': .*beyond the year 9999. Do: "),
    ],
)
def test_a_time_that_is_none_refuses_the_step_and_nothing_has_changed(
    text: str, kind: str, error: type[Exception], says: str
) -> None:
    drawn = executable_of(
        start(), user("enter", form_field("amount")), wait("pause", text, kind), end(), flows("start -> enter -> pause -> end")
    )
    play = Play(drawn).start(month="2026-11")
    with pytest.raises(error, match=says):
        play.complete("enter", amount=7)
    assert play.waiting == ["enter"]


def test_a_boundary_timer_counts_from_the_moment_its_activity_begins() -> None:
    clock = TurnedClock(START)
    drawn = executable_of(
        start(), user("enter"), user("approve"), boundary_timer("late", "approve", "P1D"), end(),
        flows("start -> enter -> approve -> end", "late -> end"),
    )  # fmt: skip
    play = Play(drawn, clock).start()
    clock.advance(timedelta(hours=5))
    [started] = play.complete("enter").of_type(TimerStarted)
    assert started.due_at == START + timedelta(days=1, hours=5)
