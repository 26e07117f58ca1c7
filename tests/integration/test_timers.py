"""Timers: each fires once, in the order in which they are due, and none holds up another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from engine.clock import TurnedClock
from engine.errors import DefinitionInvalid, TaskNotOpen
from engine.services import inspecting, resolving, timing, worklist
from engine.services.runtime import Runtime
from engine.services.timing import fire, fire_next
from engine.store import instances, timers
from engine.store.database import Database
from engine.store.timers import TimerRow
from tests.builders.company import Company
from tests.builders.drawing import boundary_timer, end, form_field, user, wait
from tests.builders.timers import deployed, fire_all, timers_of
from tests.doubles.context import START

DAY = timedelta(days=1)

NODES = {
    "remind": boundary_timer("remind", "approve", "P3D", interrupting=False),
    "nudge": user("nudge", form_field("details")),
    "reminded": end("reminded"),
    "late": boundary_timer("late", "approve", "P5D"),
    "escalate": user("escalate", form_field("approved", "boolean"), 'camunda:candidateGroups="Director"'),
}
WAYS = {"remind": "remind -> nudge -> reminded", "late": "late -> escalate -> decision"}
PAUSED = {"charge": "charge -> pause -> next -> end"}


@pytest.fixture
def reminding(runtime: Runtime) -> Company:
    """The company with an approval that is reminded of after three days, and goes to the director after five."""
    return deployed(runtime, NODES, WAYS)


def to_approve(company: Company, customer: str = "acme") -> str:
    instance = company.start(customer)
    company.enter(instance)
    return instance


def complete(company: Company, task: str, values: dict[str, Any]) -> None:
    worklist.complete(company.runtime, task, values, "dora")


def task_names(company: Company, instance: str) -> list[str]:
    return [task.flow_node for task in company.open(instance)]


# --- a whole month --------------------------------------------------------------------------------------------------


def test_an_approval_is_reminded_of_then_escalated_and_the_month_goes_on(reminding: Company, clock: TurnedClock) -> None:
    instance = to_approve(reminding)
    assert fire_all(reminding.runtime) == []
    clock.advance(3 * DAY)
    assert [timer.flow_node for timer in fire_all(reminding.runtime)] == ["remind"]
    assert task_names(reminding, instance) == ["approve", "nudge"]
    clock.advance(2 * DAY)
    assert [timer.flow_node for timer in fire_all(reminding.runtime)] == ["late"]
    assert task_names(reminding, instance) == ["nudge", "escalate"]
    for task in reminding.open(instance):
        values: dict[str, Any] = {"approved": True} if task.flow_node == "escalate" else {}
        complete(reminding, task.id, values)
    reminding.work()
    assert reminding.instance(instance).state == "completed"
    assert reminding.instance(instance).end_events == ("end",)
    assert reminding.instance(instance).next is not None
    assert timers_of(reminding, instance) == {"remind": "fired", "late": "fired"}


def test_timers_are_withdrawn_when_their_task_is_completed_first(reminding: Company, clock: TurnedClock) -> None:
    instance = to_approve(reminding)
    reminding.approve(instance)
    assert timers_of(reminding, instance) == {"remind": "withdrawn", "late": "withdrawn"}
    clock.advance(30 * DAY)
    assert fire_all(reminding.runtime) == []


def test_a_timer_between_two_tasks_holds_the_instance_until_its_date(runtime: Runtime, clock: TurnedClock) -> None:
    company = deployed(runtime, {"pause": wait("pause", "${month + '-15'}", "timeDate")}, PAUSED)
    instance = company.approved()
    company.work()
    assert company.instance(instance).state == "active"
    [timer] = company.details(instance)["timers"]
    assert (timer["id"], timer["state"], timer["due_at"]) == ("w1", "waiting", datetime(2026, 10, 15, tzinfo=UTC))
    clock.advance(datetime(2026, 10, 15, tzinfo=UTC) - START)
    [fired] = fire_all(runtime)
    assert (fired.state, fired.ended_at) == ("fired", clock.now())
    assert company.instance(instance).state == "completed"
    assert company.instance(instance).end_events == ("end",)


def test_history_says_when_timers_started_fired_and_were_withdrawn(reminding: Company, clock: TurnedClock) -> None:
    instance = to_approve(reminding)
    clock.advance(3 * DAY)
    fire_next(reminding.runtime, "worker w1")
    complete(reminding, reminding.open(instance)[0].id, {"approved": True})
    entries, broken = inspecting.read_history(reminding.runtime, instance)
    told = [(e["event"], e["by"], e["details"]["timer"], e["details"]["flow_node"]) for e in entries if "timer" in e["details"]]
    assert told == [
        ("timer_started", "sara", "w1", "remind"),
        ("timer_started", "sara", "w2", "late"),
        ("timer_fired", "worker w1", "w1", "remind"),
        ("timer_withdrawn", "dora", "w2", "late"),
    ]
    [fired] = [e for e in entries if e["event"] == "timer_fired"]
    assert fired["details"]["path"] == ["remind"]
    assert broken is None


# --- when -----------------------------------------------------------------------------------------------------------


def test_a_timer_fires_at_its_time_and_not_before(reminding: Company, clock: TurnedClock) -> None:
    to_approve(reminding)
    clock.advance(3 * DAY - timedelta(microseconds=1))
    assert fire_next(reminding.runtime, "w1") is None
    clock.advance(timedelta(microseconds=1))
    assert fire_next(reminding.runtime, "w1") is not None
    assert fire_next(reminding.runtime, "w1") is None


def test_a_worker_knows_how_long_it_may_sleep(reminding: Company, clock: TurnedClock) -> None:
    def next_due() -> datetime | None:
        with reminding.runtime.database.reading() as connection:
            return timers.next_due(connection)

    assert next_due() is None
    instance = to_approve(reminding)
    assert next_due() == START + 3 * DAY
    clock.advance(4 * DAY)
    fire_all(reminding.runtime)
    assert next_due() == START + 5 * DAY
    resolving.cancel(reminding.runtime, instance, "wrong customer", "olivia")
    assert next_due() is None


def test_after_downtime_overdue_timers_fire_once_each_in_the_order_in_which_they_were_due(
    reminding: Company, clock: TurnedClock, database_url: str
) -> None:
    begun = []
    for customer in ("acme", "bolt", "coil"):
        begun.append(to_approve(reminding, customer))
        clock.advance(DAY)
    clock.advance(30 * DAY)
    restarted = Database(database_url)
    runtime = Runtime(restarted, clock, reminding.runtime.connectors)
    fired = fire_all(runtime)
    restarted.close()
    assert [timer.due_at for timer in fired] == sorted(timer.due_at for timer in fired)
    expected = [("remind", 1), ("remind", 2), ("late", 1), ("remind", 3), ("late", 2), ("late", 3)]
    due = {(node, number): START + (number - 1) * DAY + (3 if node == "remind" else 5) * DAY for node, number in expected}
    assert sorted((t.flow_node, t.instance) for t in fired) == sorted(expected)
    assert {(t.flow_node, t.instance): t.due_at for t in fired} == due
    assert {t.state for t in fired} == {"fired"}
    assert all(task_names(reminding, instance) == ["nudge", "escalate"] for instance in begun)


def test_a_date_that_has_passed_does_not_go_before_those_that_wait_longer(runtime: Runtime, clock: TurnedClock) -> None:
    company = deployed(runtime, {**NODES, "late": boundary_timer("late", "approve", "${details}", "timeDate")}, WAYS)
    for customer, date in (("acme", "2026-10-02"), ("bolt", "2020-01-01")):
        company.enter(company.start(customer), details=date)
        clock.advance(DAY)
    assert [(timer.instance, timer.due_at) for timer in fire_all(runtime)] == [
        (1, datetime(2026, 10, 2, tzinfo=UTC)),
        (2, START + DAY),
    ]


# --- once -----------------------------------------------------------------------------------------------------------


def test_of_two_engines_that_race_one_fires_each_timer(reminding: Company, clock: TurnedClock, database_url: str) -> None:
    begun = [to_approve(reminding, f"customer{number}") for number in range(10)]
    clock.advance(6 * DAY)
    fired: list[TimerRow] = []
    together = threading.Barrier(2)

    def engine() -> None:
        database = Database(database_url)
        runtime = Runtime(database, clock, reminding.runtime.connectors)
        together.wait()
        idle = 0
        while idle < 3:  # what the other one has locked is passed over, and may have been the last
            timer = fire_next(runtime, threading.current_thread().name)
            idle = 0 if timer is not None else idle + 1
            fired.extend([timer] if timer is not None else [])
        database.close()

    engines = [threading.Thread(target=engine, name=f"engine {number}") for number in (1, 2)]
    for thread in engines:
        thread.start()
    for thread in engines:
        thread.join(timeout=60)
    assert sorted(timer.id for timer in fired) == list(range(1, 21))
    for instance in begun:
        assert task_names(reminding, instance) == ["nudge", "escalate"]
        assert reminding.events(instance).count("timer_fired") == 2


def test_a_timer_whose_instance_another_worker_is_changing_does_not_hold_up_others(
    reminding: Company, clock: TurnedClock, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has one writer: nobody else is changing anything")
    for customer in ("acme", "bolt"):
        to_approve(reminding, customer)
    clock.advance(3 * DAY)
    with reminding.runtime.database.transaction() as connection:
        instances.lock(connection, 1)
        fired = fire_next(reminding.runtime, "w1")
        assert fired is not None
        assert fired.instance == 2
        assert fire_next(reminding.runtime, "w1") is None
    assert [timer.instance for timer in fire_all(reminding.runtime)] == [1]


def test_a_timer_that_has_fired_is_not_fired_again_by_its_number(reminding: Company, clock: TurnedClock) -> None:
    instance = to_approve(reminding)
    assert fire(reminding.runtime, 1, "olivia").state == "waiting"  # it isn't due
    clock.advance(3 * DAY)
    assert fire(reminding.runtime, 1, "olivia").state == "fired"
    before = reminding.events(instance)
    assert fire(reminding.runtime, 1, "olivia").state == "fired"
    assert reminding.events(instance) == before


# --- what ends otherwise --------------------------------------------------------------------------------------------


def test_a_cancelled_instance_s_timers_are_withdrawn(reminding: Company, clock: TurnedClock) -> None:
    instance = to_approve(reminding)
    resolving.cancel(reminding.runtime, instance, "wrong customer", "olivia")
    assert timers_of(reminding, instance) == {"remind": "withdrawn", "late": "withdrawn"}
    clock.advance(30 * DAY)
    assert fire_all(reminding.runtime) == []


def test_a_timer_that_was_left_to_an_ended_instance_moves_nothing(reminding: Company, clock: TurnedClock) -> None:
    instance = to_approve(reminding)
    with reminding.runtime.database.transaction() as connection:
        row = instances.lock(connection, 1)
        instances.save(connection, row, row.token_state, {"state": instances.CANCELLED, "ended_at": clock.now()})
    clock.advance(30 * DAY)
    before = reminding.events(instance)
    assert [timer.state for timer in fire_all(reminding.runtime)] == ["withdrawn"]
    assert timers_of(reminding, instance) == {"remind": "withdrawn", "late": "withdrawn"}
    assert reminding.events(instance) == before


# --- tasks that somebody has ----------------------------------------------------------------------------------------


def to_approve_in_time(runtime: Runtime, unless_claimed: str) -> tuple[Company, str]:
    """An approval with a deadline of five days."""
    late = {**NODES, "late": boundary_timer("late", "approve", "P5D", unless_claimed=unless_claimed)}
    company = deployed(runtime, late, WAYS)
    return company, to_approve(company)


def fire_late(company: Company) -> list[str]:
    return [timer.state for timer in fire_all(company.runtime) if timer.flow_node == "late"]


@pytest.mark.parametrize("unless_claimed", ["", "false"])
def test_a_deadline_takes_away_a_claimed_task_as_bpmn_says(runtime: Runtime, clock: TurnedClock, unless_claimed: str) -> None:
    company, instance = to_approve_in_time(runtime, unless_claimed)
    worklist.claim(runtime, company.task(instance).id, "mia")
    clock.advance(5 * DAY)
    assert fire_late(company) == ["fired"]
    assert "approve" not in task_names(company, instance)


def test_a_deadline_may_leave_a_claimed_task_to_whoever_has_it(runtime: Runtime, clock: TurnedClock) -> None:
    company, instance = to_approve_in_time(runtime, "true")
    task = worklist.claim(runtime, company.task(instance).id, "mia").id
    for _ in range(3):
        clock.advance(5 * DAY)
        assert fire_late(company) == ["waiting"]
    complete_by_mia = worklist.complete(runtime, task, {"approved": True}, "mia")
    assert complete_by_mia.state == "completed"
    assert timers_of(company, instance)["late"] == "withdrawn"
    assert fire_late(company) == []


def test_a_deadline_is_met_soon_after_the_task_was_given_back(runtime: Runtime, clock: TurnedClock) -> None:
    company, instance = to_approve_in_time(runtime, "true")
    task = worklist.claim(runtime, company.task(instance).id, "mia").id
    clock.advance(6 * DAY)
    assert fire_late(company) == ["waiting"]
    worklist.release(runtime, task, "mia")
    clock.advance(timedelta(minutes=10))
    assert fire_late(company) == ["fired"]
    assert task_names(company, instance) == ["nudge", "escalate"]


def test_of_a_claim_and_a_deadline_at_the_same_moment_one_wins(runtime: Runtime, clock: TurnedClock, database_url: str) -> None:
    company, _ = to_approve_in_time(runtime, "true")
    others = [to_approve(company, f"customer{number}") for number in range(8)]
    clock.advance(5 * DAY)
    offered = {instance: next(task.id for task in company.open(instance)) for instance in others}
    claimed: set[str] = set()
    together = threading.Barrier(2)

    def claims() -> None:
        database = Database(database_url)
        engine = Runtime(database, clock, runtime.connectors)
        together.wait()
        for instance, task in offered.items():
            with suppress(TaskNotOpen):
                worklist.claim(engine, task, "mia")
                claimed.add(instance)
        database.close()

    person = threading.Thread(target=claims)
    person.start()
    together.wait()
    fire_all(runtime)
    person.join(timeout=60)
    fire_all(runtime)
    for instance in others:
        assert ("approve" in task_names(company, instance)) == (instance in claimed)
        assert timers_of(company, instance)["late"] == ("waiting" if instance in claimed else "fired")


# --- what goes wrong ------------------------------------------------------------------------------------------------

STUCK = {**NODES, "next_step": wait("next_step", "${details}", "timeDate")}
STUCK_WAYS = {"remind": "remind -> nudge -> reminded", "late": "late -> next_step -> escalate -> decision"}


def test_a_timer_that_the_diagram_cannot_go_on_after_is_an_incident_and_holds_up_no_other(
    runtime: Runtime, clock: TurnedClock
) -> None:
    company = deployed(runtime, STUCK, STUCK_WAYS)
    stuck, other = to_approve(company, "acme"), to_approve(company, "bolt")
    clock.advance(6 * DAY)
    states = [(timer.flow_node, timer.instance, timer.state) for timer in fire_all(runtime)]
    assert states == [("remind", 1, "fired"), ("remind", 2, "fired"), ("late", 1, "failed"), ("late", 2, "failed")]
    assert task_names(company, stuck) == ["approve", "nudge"]
    [incident, _] = resolving.open_incidents(runtime)
    assert (incident["kind"], incident["timer"], incident["flow_node"]) == ("stuck", "w2", "late")
    assert "Expected a text with the timer's time at 'next_step', but its expression gives nothing" in incident["reason"]
    assert company.events(stuck)[-1] == "incident_created"
    assert company.events(other)[-1] == "incident_created"


def test_a_timer_that_is_retried_fires(runtime: Runtime, clock: TurnedClock) -> None:
    company = deployed(runtime, STUCK, STUCK_WAYS)
    instance = to_approve(company)
    clock.advance(6 * DAY)
    fire_all(runtime)
    nudge = next(task for task in company.open(instance) if task.flow_node == "nudge")
    complete(company, nudge.id, {"details": "2026-11-01"})
    with runtime.database.transaction() as connection:
        instances.lock(connection, 1)
        timers.put_back(connection, 2, clock.now())
    assert [timer.state for timer in fire_all(runtime)] == ["fired"]
    assert timers_of(company, instance) == {"remind": "fired", "late": "fired", "next_step": "waiting"}
    assert resolving.open_incidents(runtime) == []


def test_a_failed_timer_is_withdrawn_with_its_incident_when_its_task_is_completed(runtime: Runtime, clock: TurnedClock) -> None:
    company = deployed(runtime, STUCK, STUCK_WAYS)
    instance = to_approve(company)
    clock.advance(6 * DAY)
    fire_all(runtime)
    approve = next(task for task in company.open(instance) if task.flow_node == "approve")
    complete(company, approve.id, {"approved": True})
    assert timers_of(company, instance) == {"remind": "fired", "late": "withdrawn"}
    assert resolving.open_incidents(runtime) == []


def test_an_unexpected_failure_is_an_incident_and_holds_up_no_other(
    reminding: Company, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_approve(reminding, "acme")
    to_approve(reminding, "bolt")
    real = timing.advance

    def broken(executable: Any, state: Any, trigger: Any, with_clock: Any) -> Any:
        if state.data["customer"] == "acme":
            raise ZeroDivisionError("4111 1111 1111 1111")
        return real(executable, state, trigger, with_clock)

    monkeypatch.setattr(timing, "advance", broken)
    clock.advance(3 * DAY)
    assert [(timer.instance, timer.state) for timer in fire_all(reminding.runtime)] == [(1, "failed"), (2, "fired")]
    [incident] = resolving.open_incidents(reminding.runtime)
    assert (incident["kind"], incident["timer"]) == ("defect", "w1")
    assert "ZeroDivisionError" in incident["reason"]
    assert "4111" not in incident["reason"]


def test_a_database_that_fails_leaves_the_timer_as_it_was(
    reminding: Company, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = to_approve(reminding)
    clock.advance(3 * DAY)

    def lost(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    with monkeypatch.context() as broken:
        broken.setattr(timing, "apply_transition", lost)
        with pytest.raises(OperationalError):
            fire_next(reminding.runtime, "w1")
    assert timers_of(reminding, instance) == {"remind": "waiting", "late": "waiting"}
    assert [timer.state for timer in fire_all(reminding.runtime)] == ["fired"]


# --- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "kind"), [("next week", "timeDuration"), ("R3/PT10M", "timeCycle")])
def test_a_timer_that_could_never_fire_is_not_deployed(runtime_with: Callable[..., Runtime], text: str, kind: str) -> None:
    with pytest.raises(DefinitionInvalid):
        deployed(runtime_with(), {"pause": wait("pause", text, kind)}, PAUSED)
