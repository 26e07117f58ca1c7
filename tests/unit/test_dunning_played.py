"""The shipped process played through its declines, in memory: between every two steps its state is stored and read back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.definition.process_definition import read_definition
from engine.execution.executable import Executable
from engine.execution.transition import JobCreated, TimerStarted
from engine.services.deploying import read_files
from tests.builders.company import PROCESSES
from tests.builders.play import Play

SHIPPED = Executable(read_definition(read_files(PROCESSES / "monthly-card-charge.bpmn")))
CUSTOMER = {"customer_name": "Acme", "email": "a@example.com", "stripe_customer_id": "cus_1", "currency": "USD"}
FOR_NOW, FOR_GOOD = "card_declined_for_now", "card_declined"


def charging() -> Play:
    """A month whose charge is under way."""
    play = Play(SHIPPED).start("start_by_hand", billing_month="2026-10", **CUSTOMER)
    play.complete("enter_amount", by="sara", billing_amount=12050, billing_details="Consulting")
    return play.complete("approve", by="mia", approval="approve")


def declined(times: int = 1) -> Play:
    """A month whose charge was declined so often for now; the task is open."""
    play = charging().fail("charge", FOR_NOW).done("notify_declined")
    for _ in range(times - 1):
        play.fire("retry_due").fail("charge", FOR_NOW)
    return play


def waits_for(play: Play) -> timedelta:
    [timer] = play.of_type(TimerStarted)
    return timer.due_at - play.clock.now()  # type: ignore[no-any-return] # the effect's own field


@pytest.mark.parametrize(("decline", "days"), [(1, 1), (2, 3), (3, 5), (4, 7), (5, 7)])
def test_each_decline_waits_longer_for_the_next_attempt(decline: int, days: int) -> None:
    play = declined(decline)
    assert play.waiting == ["wait_to_retry", "retry_due"]
    assert waits_for(play) == timedelta(days=days)


def test_the_customer_is_told_at_the_first_decline_alone() -> None:
    play = charging().fail("charge", FOR_NOW)
    assert play.waiting == ["notify_declined"]
    play.done("notify_declined").fire("retry_due").fail("charge", FOR_NOW)
    assert play.waiting == ["wait_to_retry", "retry_due"]
    assert play.walked.count("notify_declined") == 1


def test_who_cannot_be_told_is_waited_for_all_the_same() -> None:
    play = charging().fail("charge", FOR_NOW).fail("notify_declined", "address_refused", "No such box.")
    assert play.waiting == ["wait_to_retry", "retry_due"]
    assert play.data["mail_problem"] == "No such box."


def test_the_timer_withdraws_the_task_and_charges_again() -> None:
    play = declined().fire("retry_due")
    assert play.waiting == ["charge"]
    [job] = play.of_type(JobCreated)
    assert job.parameters["approved_by"] == "mia"
    assert play.done("charge", payment_intent="pi_1", charged_at="2026-10-02").done("notify").end_events == ("done",)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_decline_for_good_goes_to_a_person_whenever_it_comes(times: int) -> None:
    play = declined(times).fire("retry_due").fail("charge", FOR_GOOD)
    assert play.waiting == ["contact_customer"]


@pytest.mark.parametrize("at", ["wait_to_retry", "contact_customer"])
@pytest.mark.parametrize(("result", "next_"), [("retry", "charge"), ("settled", "confirm_payment"), ("give_up", "notify_failed")])
def test_a_person_decides_what_comes_next_and_the_timer_is_gone(at: str, result: str, next_: str) -> None:
    play = declined() if at == "wait_to_retry" else charging().fail("charge", FOR_GOOD)
    play.complete(at, by="sara", contact_result=result, settled_otherwise="Bank transfer")
    assert play.waiting == [next_]


def test_a_payment_that_is_confirmed_settles_the_bill_and_hands_over_saying_so() -> None:
    play = declined().complete("wait_to_retry", by="sara", contact_result="settled", settled_otherwise="Bank transfer")
    play.complete("confirm_payment", by="mia", payment_confirmation="confirm")
    [job] = play.of_type(JobCreated)
    assert (job.topic, job.parameters["how"], job.parameters["settled_by"]) == ("stripe.settle", "Bank transfer", "mia")
    play.done("settle_bill", settled_at="2026-10-05T09:30:00Z")
    assert play.end_events == ("done",)
    assert play.data["settled_otherwise"] == "Bank transfer"
    assert [message.data["settled_at"] for message in play.thrown] == ["2026-10-05T09:30:00Z"]


def test_a_payment_that_is_not_found_leaves_the_decision_to_a_person_without_a_timer() -> None:
    play = declined().complete("wait_to_retry", by="sara", contact_result="settled", settled_otherwise="Bank transfer")
    play.complete("confirm_payment", by="mia", payment_confirmation="send_back", payment_comment="Nothing came.")
    assert play.waiting == ["contact_customer"]


def test_a_bank_that_wants_to_see_the_customer_at_a_later_attempt_is_asked_as_before() -> None:
    play = declined().fire("retry_due").fail("charge", "authentication_required")
    assert play.waiting == ["ask_to_authenticate"]
    play.complete("ask_to_authenticate", by="sara", authentication_result="retry")
    assert play.waiting == ["charge"]
