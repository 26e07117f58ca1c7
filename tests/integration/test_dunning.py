"""A declined card: tried again on the schedule in the diagram, four times at most, until a person takes over; the shipped process
with the real connectors at the sandbox.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from engine.clock import TurnedClock
from engine.errors import DataRefused, NotPermitted
from engine.services import coverage, inspecting, resolving, working, worklist
from engine.services.job_running import call_connector
from engine.services.runtime import Runtime
from engine.services.timing import fire_next
from engine.services.working import Worker
from engine.store import jobs
from engine.store.database import Database
from tests.builders.company import beside
from tests.builders.dunning_company import GOOD, HARD, SOFT, DunningCompany
from tests.doubles.connectors import RecordingConnector
from tests.doubles.context import START
from tests.doubles.ledger import ProcessKilled
from tests.doubles.stripe_in_process import StripeSide

SCHEDULE = (1, 3, 5)
"""Days from each attempt to the next."""
LEASE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def stripe_side() -> StripeSide:
    return StripeSide(TurnedClock(START))


@pytest.fixture
def company(
    runtime_with: Callable[..., Runtime],
    stripe_side: StripeSide,
    clock: TurnedClock,
    email_send: RecordingConnector,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DunningCompany]:
    monkeypatch.setattr(working, "do_due_chores", lambda *_: [])  # what they clean up is not what is asked here
    stripe_side.begin_anew(clock)
    charge = stripe_side.connector()
    connectors = (charge, *beside(charge.keeper), email_send)
    runtime = runtime_with(connectors={each.topic: each for each in connectors})
    opened = DunningCompany(runtime, stripe=stripe_side, clock=clock, mail=email_send)
    opened.deploy()
    yield opened
    stripe_side.http.nothing_happens()


# --- the schedule ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attempt", [2, 3, 4])
def test_a_soft_decline_is_tried_again_after_1_3_and_5_days_until_it_is_charged(company: DunningCompany, attempt: int) -> None:
    instance = company.declined()
    for made, days in enumerate(SCHEDULE[: attempt - 1], start=1):
        assert (company.at(instance), company.attempts()) == ("wait_to_retry", made)
        company.days_pass(days)
        assert company.attempts() == made
        if made == attempt - 1:
            company.stripe.change_card(company.customer, GOOD)
        company.work()
    assert (company.attempts(), company.taken()) == (attempt, 1)
    assert (company.row(instance)["state"], company.row(instance)["attempt"]) == ("succeeded", attempt)
    assert company.instance(instance).state == "completed"
    assert company.instance(instance).next is not None
    assert company.mails() == ["declined", "charged"]


def test_after_the_fourth_decline_a_person_decides_and_nothing_is_tried_again(company: DunningCompany) -> None:
    instance = company.declined()
    for days in SCHEDULE:
        company.after(days=days)
    assert (company.at(instance), company.attempts()) == ("contact_customer", 4)
    assert "no more" in str(company.details(instance)["data"]["decline_message"])
    company.after(days=60)
    company.do(instance, "sara", contact_result="retry")  # the ledger holds the limit, whatever the diagram asks for
    company.work()
    company.stripe.give_card(company.customer, GOOD)
    company.do(instance, "sara", contact_result="retry")
    company.work()
    assert (company.at(instance), company.attempts(), company.taken()) == ("contact_customer", 4, 0)
    company.do(instance, "sara", contact_result="give_up")
    company.work()
    assert company.instance(instance).next is not None
    assert company.mails() == ["declined", "charge_failed"]


def test_whoever_waits_sees_how_often_and_when_the_card_is_tried(company: DunningCompany) -> None:
    instance = company.declined()
    company.after(days=1)
    shown = {field.name: field.value for field in worklist.task(company.runtime, company.task(instance).id).fields}
    assert (shown["soft_declines"], shown["retry_in_days"]) == (2, 3)
    assert shown["decline_message"] == "The card was declined."


@pytest.mark.parametrize(
    "card", [HARD, "pm_card_chargeDeclinedStolenCard", "pm_card_chargeDeclinedExpiredCard", "pm_card_chargeDeclinedIncorrectCvc"]
)
def test_a_hard_decline_goes_straight_to_a_person(company: DunningCompany, card: str) -> None:
    instance = company.declined(card)
    assert (company.at(instance), company.timer(instance)) == ("contact_customer", None)
    company.after(days=60)
    assert (company.attempts(), company.mails()) == (1, [])


def test_a_card_that_is_lost_meanwhile_goes_to_a_person_at_the_next_attempt(company: DunningCompany) -> None:
    instance = company.declined()
    company.stripe.change_card(company.customer, HARD)
    company.after(days=1)
    assert (company.at(instance), company.attempts()) == ("contact_customer", 2)


def test_no_decline_shows_the_banks_reason_outside_the_ledger(company: DunningCompany) -> None:
    instance = company.declined()
    assert "insufficient_funds" in company.row(instance)["reason"]
    assert "insufficient" not in str(company.details(instance)["data"])
    assert "insufficient" not in "".join(str(request.parameters) for request in company.mail.requests)


# --- what stops it --------------------------------------------------------------------------------------------------


def test_nothing_is_tried_while_somebody_has_claimed_the_task(company: DunningCompany) -> None:
    instance = company.declined()
    company.claim(instance)
    for _ in range(3):
        company.after(days=10)
    assert (company.at(instance), company.attempts(), company.timer(instance)) == ("wait_to_retry", 1, "waiting")
    company.do(instance, "sara", contact_result="give_up")
    company.after(days=10)
    assert (company.attempts(), company.timer(instance)) == (1, "withdrawn")
    assert company.instance(instance).next is not None


def test_the_schedule_goes_on_when_the_task_is_given_back(company: DunningCompany) -> None:
    instance = company.declined()
    task = company.claim(instance)
    company.after(days=2)
    worklist.release(company.runtime, task.id, "sara")
    company.stripe.change_card(company.customer, GOOD)
    company.after(minutes=10)
    assert (company.attempts(), company.taken()) == (2, 1)


def test_a_new_card_is_charged_at_once(company: DunningCompany) -> None:
    instance = company.declined()
    company.stripe.give_card(company.customer, GOOD)
    company.do(instance, "sara", contact_result="retry")
    company.work()
    assert (company.attempts(), company.taken(), company.timer(instance)) == (2, 1, "withdrawn")
    company.after(days=60)
    assert company.attempts() == 2


def test_the_timer_charges_the_card_that_the_customer_has_then(company: DunningCompany) -> None:
    instance = company.declined()
    company.stripe.give_card(company.customer, GOOD)
    company.after(days=1)
    assert (company.taken(), company.row(instance)["attempt"]) == (1, 2)


# --- paid otherwise -------------------------------------------------------------------------------------------------


def paid_by_transfer(company: DunningCompany, card: str = SOFT) -> str:
    """Sara says that the bill was paid otherwise, and somebody else is to confirm it."""
    instance = company.declined(card)
    company.do(instance, "sara", contact_result="settled", settled_otherwise="Bank transfer, 2 October")
    return instance


@pytest.mark.parametrize("card", [SOFT, HARD])
def test_a_bill_that_was_paid_otherwise_is_settled_and_its_card_never_charged(company: DunningCompany, card: str) -> None:
    instance = paid_by_transfer(company, card)
    [payment] = company.stripe.tables["payment_intent"].values()
    company.after(days=5)
    assert (company.at(instance), company.attempts()) == ("confirm_payment", 1)
    company.do(instance, "mia", payment_confirmation="confirm")
    company.work()
    row = company.row(instance)
    assert (row["state"], row["intent"], row["reason"]) == ("succeeded", None, "settled by mia: Bank transfer, 2 October")
    assert payment["status"] == "canceled"
    assert company.instance(instance).next is not None
    assert company.details(instance)["data"]["settled_at"]
    company.after(days=60)
    assert (company.attempts(), company.taken()) == (1, 0)


def test_who_says_that_a_bill_was_paid_cannot_confirm_it(company: DunningCompany) -> None:
    instance = paid_by_transfer(company)
    with pytest.raises(NotPermitted, match="someone other than sara"):
        company.do(instance, "sara", payment_confirmation="confirm")
    assert company.row(instance)["state"] == "declined"


def test_how_a_bill_was_paid_has_to_be_said(company: DunningCompany) -> None:
    instance = company.declined()
    with pytest.raises(DataRefused, match="settled_otherwise"):
        company.do(instance, "sara", contact_result="settled")


def test_a_payment_that_is_not_found_goes_back_to_a_person(company: DunningCompany) -> None:
    instance = paid_by_transfer(company)
    company.do(instance, "mia", payment_confirmation="send_back", payment_comment="Nothing has come in.")
    company.after(days=60)
    assert (company.at(instance), company.attempts()) == ("contact_customer", 1)
    assert company.row(instance)["state"] == "declined"
    with pytest.raises(DataRefused, match="contact_result"):  # what was said before doesn't stand in
        company.do(instance, "sara")


def test_a_bill_whose_card_was_charged_as_well_takes_a_person(company: DunningCompany) -> None:
    instance = paid_by_transfer(company)
    company.stripe.change_card(company.customer, GOOD)
    company.stripe.pays_in_person(company.row(instance)["intent"], company.customer)
    company.do(instance, "mia", payment_confirmation="confirm")
    company.work()
    [incident] = resolving.open_incidents(company.runtime)
    assert "from the card as well" in incident["reason"]
    assert (company.row(instance)["state"], company.taken()) == ("succeeded", 1)
    resolving.resolve(company.runtime, incident["id"], "The transfer was sent back.", "olivia", resolving.Done())
    company.work()
    assert company.instance(instance).state == "completed"


def test_what_a_person_says_was_settled_stands_in_the_ledger_as_if_the_job_had_done_it(
    company: DunningCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = paid_by_transfer(company)
    monkeypatch.setattr(company.runtime.connectors["stripe.settle"], "_keeper", lambda _: None)  # a worker without its key
    company.do(instance, "mia", payment_confirmation="confirm")
    company.work()
    [incident] = resolving.open_incidents(company.runtime)
    done = resolving.Done({"settled_at": "2026-10-02T09:30:00Z"})
    resolving.resolve(company.runtime, incident["id"], "Transfer 7.", "olivia", done)
    assert (company.row(instance)["state"], company.row(instance)["reason"]) == ("succeeded", "settled by olivia: Transfer 7.")
    assert inspecting.read_history(company.runtime, instance)[1] is None
    company.work()
    [row] = coverage.coverage(company.runtime, company.process, "2026-10")
    assert (row.state, row.settled, row.reason) == ("charged", True, "settled by olivia: Transfer 7.")


def test_a_bill_that_was_never_begun_is_paid_when_a_person_says_so(
    company: DunningCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolving.cancel(company.runtime, company.declined(), "Wrong amount.", "olivia")
    instance = company.start(company.customer)
    company.enter(instance, amount="90.00")
    company.approve(instance)
    monkeypatch.setattr(company.runtime.connectors["stripe.charge"], "_api_key", None)
    company.work()
    [incident] = resolving.open_incidents(company.runtime)
    done = resolving.Done({"payment_intent": "transfer 7", "charged_at": "2026-10-02"})
    resolving.resolve(company.runtime, incident["id"], "Transfer 7.", "olivia", done)
    row = company.row(instance)
    assert (row["instance"], row["amount"], row["state"]) == (instance, 9_000, "succeeded")
    company.after(days=60)
    assert (company.attempts(), company.taken()) == (1, 0)
    assert coverage.coverage(company.runtime, company.process, "2026-10")[0].state == "charged"


# --- workers --------------------------------------------------------------------------------------------------------


def test_of_two_workers_one_fires_the_timer_and_the_card_is_asked_once(company: DunningCompany, database_url: str) -> None:
    instance = company.declined()
    company.clock.advance(timedelta(days=1))
    together = threading.Barrier(2)

    def works(name: str) -> None:
        database = Database(database_url)
        together.wait()
        Worker(Runtime(database, company.clock, company.runtime.connectors), name, concurrency=1).run(until_idle=True)
        database.close()

    workers = [threading.Thread(target=works, args=(f"w{number}",)) for number in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert company.attempts() == 2
    assert company.events(instance).count("timer_fired") == 1
    assert company.at(instance) == "wait_to_retry"


@pytest.mark.parametrize("moment", range(7))
def test_a_worker_that_dies_in_the_second_attempt_neither_loses_nor_repeats_it(company: DunningCompany, moment: int) -> None:
    """Before and after each of its three requests, and before its outcome is saved."""
    instance = company.declined()
    company.stripe.change_card(company.customer, GOOD)
    company.clock.advance(timedelta(days=1))
    assert fire_next(company.runtime, "worker w0") is not None
    now = company.runtime.now()
    with company.runtime.database.transaction() as connection:
        [job] = jobs.lease_due(connection, "w0", tuple(company.runtime.connectors), now, now + LEASE, 1)

    def killed() -> None:
        raise ProcessKilled("in the second attempt")

    company.stripe.http.at(moment, killed)
    try:
        call_connector(company.runtime, job)
        assert moment == 6  # it had its answer
    except ProcessKilled:
        assert moment < 6
    company.stripe.http.nothing_happens()
    company.after(minutes=2)
    assert (company.attempts(), company.taken(), company.row(instance)["attempt"]) == (2, 1, 2)
    assert company.instance(instance).state == "completed"
    assert inspecting.read_history(company.runtime, instance)[1] is None
