"""The company in memory keeps the product's rules, and time passes when it is told to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.clock import TurnedClock
from engine.errors import (
    AlreadyBilled,
    DataRefused,
    DefinitionNotDeployed,
    ExpressionFailed,
    MessageNotCorrelated,
    NotFound,
    NotPermitted,
    TaskNotOpen,
)
from engine.execution.executable import Executable
from engine.execution.transition import CompleteUserTask, Start
from engine.rehearsal.stage import Stage
from engine.rehearsal.work import Instance, Move
from tests.builders.drawing import (
    boundary,
    boundary_timer,
    element,
    end,
    flows,
    form_field,
    service,
    start,
    throw,
    user,
    wait,
)
from tests.builders.drawing_scopes import error_end
from tests.builders.events import catch, catch_signal, extensions, message, throw_signal
from tests.builders.play import executable_of
from tests.doubles.context import START

BILL = {"customer": "acme", "month": "2026-12"}
HAND_OVER = executable_of(
    start(), start("again", "m_next"),
    user("enter", form_field("amount", "long") + form_field("month")), user("approve", form_field("approved", "boolean")),
    service("charge", {"amount": "${amount}"}, {"receipt": "${payment_id}"}), boundary("declined", "charge"), user("call"),
    throw("next"), end(), end("stopped"),
    flows("start -> enter -> approve -> charge -> next -> end", "again -> enter", "declined -> call -> stopped"),
    controls=["{different_people: [enter, approve]}"],
)  # fmt: skip


def stage_with(executable: Executable, **options: Any) -> Stage:
    stage = Stage(TurnedClock(START), **options)
    stage.deploy(executable)
    return stage


def begun(*parts: str, **values: str) -> tuple[Stage, Instance]:
    stage = stage_with(executable_of(*parts))
    return stage, stage.start("billing", {**BILL, **values})


def task_of(stage: Stage, instance: Instance) -> int:
    [task] = stage.tasks_of(instance.id)
    return task.id


def charging(stage: Stage) -> tuple[Instance, int]:
    instance = stage.start("billing", BILL)
    stage.complete(task_of(stage, instance), {"amount": "12"}, "ann")
    stage.complete(task_of(stage, instance), {"approved": "yes"}, "mia")
    [job] = stage.jobs_of(instance.id)
    return instance, job.id


# --- a month --------------------------------------------------------------------------------------------------------


def test_a_month_ends_and_its_successor_starts_with_what_the_map_carries() -> None:
    stage = stage_with(HAND_OVER)
    instance, job = charging(stage)
    assert (stage.jobs[job].topic, stage.jobs[job].parameters) == ("pay", {"amount": 12})
    ended = stage.succeed(job, {"payment_id": "p1"})
    assert (ended.active, ended.end_events, ended.ended_at) == (False, ("end",), START)
    assert ended.path == ("start", "enter", "approve", "charge", "next", "end")
    assert ended.flows == ("start-enter", "enter-approve", "approve-charge", "charge-next", "next-end")
    assert stage.work_of(instance.id) == []

    [message] = stage.messages
    following = stage.deliver(message)
    assert following.data == {"customer": "acme", "month": "2027-01"}
    assert (following.customer, following.period, following.previous) == ("acme", "2027-01", instance.id)
    assert stage.tasks[task_of(stage, following)].flow_node == "enter"
    with pytest.raises(NotFound, match="hasn't arrived yet"):
        stage.deliver(message)


def test_a_bpmn_error_goes_to_the_event_that_catches_it_and_any_other_changes_nothing() -> None:
    stage = stage_with(HAND_OVER)
    instance, job = charging(stage)
    with pytest.raises(ExpressionFailed, match="no_such"):
        stage.fail(job, "no_such", "It failed.")
    assert [each.id for each in stage.jobs_of(instance.id)] == [job]
    stage.fail(job, "declined", "Declined.")
    assert [task.flow_node for task in stage.tasks_of(instance.id)] == ["call"]
    assert stage.jobs == {}


def test_a_job_that_breaks_down_waits_and_can_succeed_after_all() -> None:
    stage = stage_with(HAND_OVER)
    _, job = charging(stage)
    assert stage.break_down(job, "No answer.").trouble == "No answer."
    assert stage.jobs[job].trouble == "No answer."
    assert not stage.succeed(job, {"payment_id": "p1"}).active


# --- the product's rules --------------------------------------------------------------------------------------------


def test_a_customer_s_period_is_billed_once() -> None:
    stage = stage_with(HAND_OVER)
    stage.start("billing", BILL)
    with pytest.raises(AlreadyBilled, match="i1 is that bill"):
        stage.start("billing", BILL)
    assert len(stage.instances) == 1
    assert stage.start("billing", {**BILL, "month": "2027-01"}).id == 2


def test_forms_take_their_fields_in_their_types_and_nothing_else() -> None:
    stage = stage_with(HAND_OVER)
    task = task_of(stage, stage.start("billing", BILL))
    for values, says in (
        ({"amount": "much"}, "a whole number"),
        ({"receipt": "x"}, "Expected a field of 'Enter'"),
        ({"month": "2026-11"}, "which bill this is"),
    ):
        with pytest.raises(DataRefused, match=says):
            stage.complete(task, values, "ann")
    assert stage.complete(task, {"amount": "12"}, "ann").data["amount"] == 12


def test_different_people_and_members_of_the_group_alone_may_do_a_task() -> None:
    stage = stage_with(HAND_OVER, may_work_for=lambda user, group: (user, group) != ("zoe", "Sales"))
    instance = stage.start("billing", BILL)
    with pytest.raises(NotPermitted, match="a member of 'Sales'"):
        stage.complete(task_of(stage, instance), {"amount": "1"}, "zoe")
    stage.complete(task_of(stage, instance), {"amount": "1"}, "ann")
    with pytest.raises(NotPermitted, match="someone other than ann"):
        stage.complete(task_of(stage, instance), {"approved": "yes"}, "ann")


def test_a_claimed_task_is_one_person_s_until_it_is_given_back() -> None:
    stage = stage_with(HAND_OVER)
    task = task_of(stage, stage.start("billing", BILL))
    assert stage.claim(task, "ann").claimed_by == "ann"
    with pytest.raises(TaskNotOpen, match="ann has claimed it"):
        stage.complete(task, {"amount": "1"}, "bob")
    stage.release(task)
    stage.complete(task, {"amount": "1"}, "bob")
    with pytest.raises(TaskNotOpen, match="the process has gone on without it"):
        stage.claim(task, "ann")


def test_instances_stay_on_the_version_that_they_started_with() -> None:
    stage, instance = begun(start(), user("enter"), end(), flows("start -> enter -> end"))
    stage.deploy(executable_of(start(), user("other"), end(), flows("start -> other -> end")))
    later = stage.start("billing", {**BILL, "month": "2027-01"})
    assert [stage.tasks[task_of(stage, each)].flow_node for each in (instance, later)] == ["enter", "other"]


def test_a_process_that_is_not_deployed_is_named() -> None:
    with pytest.raises(DefinitionNotDeployed, match=r"'biling' is none\. Do: choose of: billing"):
        stage_with(HAND_OVER).start("biling", BILL)


# --- time -----------------------------------------------------------------------------------------------------------


def test_timers_fire_in_the_order_of_time_each_at_its_own_moment() -> None:
    seen: list[tuple[timedelta, tuple[str, ...]]] = []
    stage = stage_with(
        executable_of(start(), wait("first", "P1D"), wait("second", "P2D"), end(), flows("start -> first -> second -> end")),
        watch=lambda move: seen.append((move.at - START, move.transition.path)),
    )
    stage.start("billing", BILL)
    stage.start("billing", {**BILL, "customer": "other"})
    assert stage.next_due() == START + timedelta(days=1)
    stage.turn(timedelta(days=10))
    days = [(passed.days, path[0]) for passed, path in seen[2:]]
    assert days == [(1, "first"), (1, "first"), (3, "second"), (3, "second")]
    assert stage.clock.now() == START + timedelta(days=10)
    assert stage.next_due() is None
    assert not any(instance.active for instance in stage.instances.values())


def test_a_timer_that_was_withdrawn_does_not_fire() -> None:
    stage, instance = begun(
        start(), user("enter"), boundary_timer("late", "enter"), end(), end("too_late"),
        flows("start -> enter -> end", "late -> too_late"),
    )  # fmt: skip
    stage.complete(task_of(stage, instance), {}, "ann")
    assert (stage.timers, stage.turn(timedelta(days=9))) == ({}, [])
    assert stage.instances[instance.id].end_events == ("end",)


def test_a_timer_leaves_a_claimed_task_alone_until_it_is_given_back() -> None:
    stage, instance = begun(
        start(), user("enter"), boundary_timer("late", "enter", unless_claimed="true"), end(), end("too_late"),
        flows("start -> enter -> end", "late -> too_late"),
    )  # fmt: skip
    task = task_of(stage, instance)
    stage.claim(task, "ann")
    assert stage.turn(timedelta(days=4)) == []
    stage.release(task)
    [moved] = stage.turn(timedelta(minutes=10))
    assert moved.end_events == ("too_late",)


def test_what_is_due_at_once_fires_without_time_passing() -> None:
    stage, instance = begun(start(), wait("then", "2020-01-01", "timeDate"), end(), flows("start -> then -> end"))
    assert instance.active
    stage.turn(timedelta())
    assert not stage.instances[instance.id].active


# --- messages and signals -------------------------------------------------------------------------------------------

WAITING = executable_of(start(), catch("paid", outputs={"receipt": "${reference}"}), end(), flows("start -> paid -> end"))


def test_a_message_reaches_the_instance_that_waits_with_its_key_and_brings_what_the_diagram_takes() -> None:
    stage = stage_with(WAITING)
    first = stage.start("billing", BILL)
    second = stage.start("billing", {**BILL, "customer": "other"})
    message = stage.publish("paid", "other", {"reference": "R7", "more": "left out"})
    assert stage.receiver_of(message) == next(each for each in stage.subscriptions.values() if each.instance == second.id)
    reached = stage.deliver(message.id)
    assert (reached.id, reached.data["receipt"], reached.end_events) == (second.id, "R7", ("end",))
    assert stage.instances[first.id].active
    assert stage.messages == {}


def test_a_message_that_nobody_waits_for_stays_until_somebody_does() -> None:
    stage = stage_with(WAITING)
    message = stage.publish("paid", "acme", {"reference": "R7"})
    with pytest.raises(MessageNotCorrelated, match="waits for the message 'paid' with the correlation key 'acme'"):
        stage.deliver(message.id)
    stage.start("billing", BILL)
    assert not stage.deliver(message.id).active


def test_a_message_starts_an_instance_where_the_diagram_begins_with_it() -> None:
    ordered = element("startEvent", "ordered", extensions(None, {"customer": "${who}", "month": "2026-12"}) + message("m_paid"))
    stage = stage_with(executable_of(ordered, user("enter"), end(), flows("ordered -> enter -> end")))
    begun_by = stage.deliver(stage.publish("paid", None, {"who": "acme"}).id)
    assert (begun_by.customer, begun_by.path) == ("acme", ("ordered",))


def test_a_signal_reaches_everybody_who_waits_for_it_and_nobody_twice() -> None:
    waits = executable_of(start(), catch_signal("alarm"), end(), flows("start -> alarm -> end"))
    stage = stage_with(waits)
    instances = [stage.start("billing", {**BILL, "customer": name}) for name in ("a", "b")]
    throws = executable_of(start(), throw_signal("ring"), end(), flows("start -> ring -> end"))
    stage.deploy(throws)
    stage.start("billing", BILL)
    assert [stage.instances[each.id].end_events for each in instances] == [("end",), ("end",)]
    assert stage.signal("alarm") == []


def test_an_error_that_nothing_catches_ends_the_instance_and_is_known() -> None:
    _, instance = begun(start(), error_end("broken"), flows("start -> broken"))
    assert (instance.active, instance.uncaught) == (False, "declined")


# --- watching -------------------------------------------------------------------------------------------------------


def test_every_move_is_seen_with_what_made_it() -> None:
    moves: list[Move] = []
    stage = stage_with(HAND_OVER, watch=moves.append)
    instance, job = charging(stage)
    stage.succeed(job, {"payment_id": "p1"})
    assert [type(move.trigger) for move in moves[:2]] == [Start, CompleteUserTask]
    assert [move.work.flow_node if move.work else None for move in moves] == [None, "enter", "approve", "charge"]
    assert [message.name for message in moves[-1].thrown] == ["next"]
    assert moves[-1].instance == stage.instances[instance.id]


def test_the_same_moves_give_the_same_records() -> None:
    def played() -> Stage:
        stage = stage_with(HAND_OVER)
        stage.succeed(charging(stage)[1], {"payment_id": "p1"})
        stage.deliver(next(iter(stage.messages)))
        return stage

    first, second = played(), played()
    assert (first.instances, first.tasks) == (second.instances, second.tasks)
