"""An interrupting timer on a task that charges: nothing is confirmed behind its back, and no charge in doubt is left behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.clock import TurnedClock
from engine.connector import BusinessError, ChargeState, Fatal, JobContext, JobRequest, Outcome
from engine.services import resolving
from engine.services.runtime import Runtime
from engine.services.timing import fire_next
from tests.builders.company import Company
from tests.builders.drawing import boundary_timer
from tests.builders.timers import deployed, fire_all, timers_of
from tests.doubles.connectors import RecordingConnector, charge_of, charge_up_to, charged_to

MINUTE = timedelta(minutes=1)

HURRY = {"hurry": boundary_timer("hurry", "charge", "PT10M")}
HURRY_WAYS = {"hurry": "hurry -> call"}


def task_names(company: Company, instance: str) -> list[str]:
    return [task.flow_node for task in company.open(instance)]


def test_a_timer_interrupts_a_charge_that_has_not_begun(runtime: Runtime, clock: TurnedClock) -> None:
    company = deployed(runtime, HURRY, HURRY_WAYS)
    instance = company.approved()
    clock.advance(10 * MINUTE)
    assert [timer.state for timer in fire_all(runtime)] == ["fired"]
    assert task_names(company, instance) == ["call"]
    assert [job["state"] for job in company.details(instance)["jobs"]] == ["withdrawn"]


def test_a_timer_that_interrupts_a_charge_before_it_is_confirmed_keeps_it_from_being_confirmed(
    runtime: Runtime, clock: TurnedClock, pay: RecordingConnector
) -> None:
    company = deployed(runtime, {"hurry": boundary_timer("hurry", "charge", "PT10S")}, HURRY_WAYS)
    instance = company.approved()

    def interrupted(request: JobRequest, context: JobContext) -> Outcome:
        row = context.ledger.prepare(charge_of(request))
        context.ledger.record_intent(row.request.charge_key, row.generation, "pi_1")
        clock.advance(timedelta(seconds=10))
        assert [timer.state for timer in fire_all(runtime)] == ["fired"]
        context.ledger.begin_confirm(row.request.charge_key, 1, "pm_1")
        raise AssertionError("confirmed")

    pay.answers(interrupted)
    company.work()
    assert [charge["state"] for charge in company.details(instance)["charges"]] == ["created"]
    assert task_names(company, instance) == ["call"]
    assert resolving.open_incidents(runtime) == []


@pytest.mark.parametrize("state", [ChargeState.CONFIRMING, ChargeState.UNKNOWN])
def test_a_timer_waits_for_a_charge_in_doubt_and_leaves_the_others_their_turn(
    runtime: Runtime, clock: TurnedClock, pay: RecordingConnector, state: ChargeState
) -> None:
    company = deployed(runtime, HURRY, HURRY_WAYS)
    doubtful = company.approved("acme")
    pay.answers(charged_to(state))
    company.work()
    company.approved("bolt")
    clock.advance(10 * MINUTE)
    first, second = fire_next(runtime, "w1"), fire_next(runtime, "w1")
    assert first is not None
    assert second is not None
    assert (first.instance, first.state, first.due_at) == (1, "waiting", clock.now() + MINUTE)
    assert (second.instance, second.state) == (2, "fired")
    assert fire_next(runtime, "w1") is None
    assert "timer_fired" not in company.events(doubtful)
    assert timers_of(company, doubtful) == {"hurry": "waiting"}
    assert [i["kind"] for i in resolving.open_incidents(runtime) if i["timer"]] == []


def test_a_charge_s_outcome_that_comes_to_light_first_withdraws_the_timer(
    runtime: Runtime, clock: TurnedClock, pay: RecordingConnector
) -> None:
    company = deployed(runtime, HURRY, HURRY_WAYS)
    instance = company.approved()
    pay.answers(charged_to(ChargeState.UNKNOWN))
    company.work()
    clock.advance(10 * MINUTE)
    assert [timer.state for timer in fire_all(runtime)] == ["waiting"]
    declined = charge_up_to(ChargeState.DECLINED)
    pay.answers(lambda request, context: BusinessError("declined", "Declined.", declined(request, context)))
    company.work()
    assert task_names(company, instance) == ["call"]
    assert timers_of(company, instance) == {"hurry": "withdrawn"}
    clock.advance(10 * MINUTE)
    assert fire_all(runtime) == []


def test_a_timer_fires_when_the_doubt_is_over_and_ends_the_incident_of_what_it_withdraws(
    runtime: Runtime, clock: TurnedClock, pay: RecordingConnector
) -> None:
    company = deployed(runtime, HURRY, HURRY_WAYS)
    instance = company.approved()
    pay.answers(charged_to(ChargeState.UNKNOWN))
    company.work()
    clock.advance(10 * MINUTE)
    assert [timer.state for timer in fire_all(runtime)] == ["waiting"]
    declined = charge_up_to(ChargeState.DECLINED)
    pay.answers(lambda request, context: Fatal("The card is gone.", declined(request, context)))
    clock.advance(MINUTE / 2)  # the look-up is due before the timer's next turn
    company.work()
    assert [incident["kind"] for incident in resolving.open_incidents(runtime)] == ["refused"]
    clock.advance(MINUTE)
    assert [timer.state for timer in fire_all(runtime)] == ["fired"]
    assert task_names(company, instance) == ["call"]
    assert resolving.open_incidents(runtime) == []
