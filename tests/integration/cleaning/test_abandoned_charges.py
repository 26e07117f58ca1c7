"""Charges of instances that have ended are closed at Stripe: those that may be, once, and no others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import update

from connectors.stripe.charge import StripeCharge
from connectors.stripe_sandbox import Sandbox
from engine.connector import Charge
from engine.services import cleaning, closing, resolving
from engine.services.chores import ChoreReport, do_due_chores
from engine.services.cleaning import ABANDONED, CLEANING
from engine.store import charges, tables
from tests.builders.stripe_company import AUTHENTICATES, CANCEL, DECLINED, StripeCompany
from tests.doubles.ledger import ProcessKilled

# --- what is closed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("card", "reason"), [(DECLINED, "generic_decline"), (AUTHENTICATES, "authentication_required")])
def test_the_intent_of_a_charge_that_was_given_up_is_cancelled_and_the_ledger_says_so(
    company: StripeCompany, card: str, reason: str
) -> None:
    instance = company.given_up(card)
    before = company.row(instance)
    done = company.clean()
    assert done is not None
    assert (done.counts["canceled"], done.counts["charged"], done.counts["left"], done.failure) == (1, 0, 0, None)
    assert company.at_stripe(instance) == "canceled"
    after = company.row(instance)
    assert (after["state"], after["reason"], after["intent"]) == ("canceled", before["reason"], before["intent"])
    assert reason in after["reason"]
    assert company.events(instance).count("charge_canceled") == 1


def test_the_intent_of_a_cancelled_instance_is_cancelled_and_its_period_can_be_charged_anew(company: StripeCompany) -> None:
    instance = company.failed()
    resolving.cancel(company.runtime, instance, "Wrong customer.", "olivia")
    company.clean()
    assert (company.row(instance)["state"], company.at_stripe(instance)) == ("canceled", "canceled")
    customer = company.instance(instance).customer
    assert customer is not None
    company.give_card(customer, "pm_card_visa")
    again = company.billed(customer)
    assert company.row(again)["state"] == "succeeded"
    assert company.sandbox.control.state()["charges_taken"] == 1


def test_an_intent_that_was_never_confirmed_is_cancelled_with_its_instance(company: StripeCompany) -> None:
    company.sandbox.control.add_fault("refused", method="POST", path="/v1/payment_intents/*/confirm")
    instance = company.approved(company.customer())
    company.work()
    assert company.row(instance)["state"] == "created"
    assert company.clean() is not None
    assert company.at_stripe(instance) != "canceled"  # the instance goes on: a person can still retry
    resolving.cancel(company.runtime, instance, "Never mind.", "olivia")
    company.later(hours=1)
    company.clean()
    assert (company.row(instance)["state"], company.at_stripe(instance)) == ("canceled", "canceled")


@pytest.mark.parametrize("sent", [True, False])
def test_a_charge_in_doubt_whose_instance_has_ended_is_closed_or_found_charged(company: StripeCompany, sent: bool) -> None:
    """A diagram that terminates while a charge is under way leaves one."""
    company.sandbox.control.add_fault(
        "drop_after" if sent else "drop_before", method="POST", path="/v1/payment_intents/*/confirm"
    )
    instance = company.approved(company.customer())
    company.work()
    assert company.row(instance)["state"] == "unknown"
    end(company, instance)
    done = company.clean()
    assert done is not None
    assert (done.counts["canceled"], done.counts["charged"]) == ((0, 1) if sent else (1, 0))
    assert company.row(instance)["state"] == ("succeeded" if sent else "canceled")


def end(company: StripeCompany, instance: str) -> None:
    """End an instance as a terminate end event does: at once, with its jobs withdrawn."""
    number = int(instance[1:])
    with company.runtime.database.transaction() as connection:
        connection.execute(update(tables.jobs).where(tables.jobs.c.instance_id == number).values(state="withdrawn"))
        connection.execute(update(tables.instances).where(tables.instances.c.id == number).values(state="completed"))


def test_money_that_was_taken_after_all_is_recorded_and_a_person_is_called(company: StripeCompany) -> None:
    instance = company.given_up(AUTHENTICATES)
    intent = company.row(instance)["intent"]
    customer = company.instance(instance).customer
    assert customer is not None
    card = company.client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    company.client.v1.payment_intents.confirm(intent, {"payment_method": card, "return_url": "https://shop.example.com"})
    done = company.clean()
    assert done is not None
    assert (done.counts["canceled"], done.counts["charged"]) == (0, 1)
    row = company.row(instance)
    assert row["state"] == "succeeded"
    [incident] = company.details(instance)["incidents"]
    assert incident["reason"].startswith(f"Expected {intent} to take no money any more, because {instance} has given it up, but ")
    assert "120.50 USD" in incident["reason"]
    assert "refund" in incident["reason"]
    assert incident["flow_node"] == "charge"
    assert company.events(instance)[-2:] == ["charge_succeeded", "incident_created"]
    resolving.resolve(company.runtime, incident["id"], "Refunded.", "olivia")
    company.later(hours=1)
    again = company.clean()
    assert again is not None
    assert (again.counts["charged"], len(company.details(instance)["incidents"])) == (0, 1)


# --- what may not be closed -----------------------------------------------------------------------------------------


def test_the_intent_of_an_instance_that_goes_on_is_left_alone(company: StripeCompany) -> None:
    declined, waiting = company.failed(), company.failed(AUTHENTICATES)
    charged = company.billed(company.customer())
    company.clean()
    assert company.canceled() == 0
    assert [company.row(each)["state"] for each in (declined, waiting, charged)] == ["declined", "requires_action", "succeeded"]


def test_an_intent_that_a_new_instances_job_may_use_is_left_to_that_job(company: StripeCompany) -> None:
    first = company.failed()
    resolving.cancel(company.runtime, first, "Wrong amount.", "olivia")
    customer = company.instance(first).customer
    assert customer is not None
    again = company.approved(customer)  # its job waits for a worker
    company.clean()
    assert (company.canceled(), company.row(first)["state"]) == (0, "declined")
    company.give_card(customer, "pm_card_visa")
    company.work()
    assert company.row(again)["state"] == "succeeded"
    assert company.sandbox.control.state()["payment_intents"] == {"canceled": 1, "succeeded": 1}


def test_what_was_begun_in_live_mode_is_left_to_a_live_key(company: StripeCompany) -> None:
    instance = company.given_up()
    with company.runtime.database.transaction() as connection:
        connection.execute(update(tables.charges).values(livemode=True))
    company.clean()
    assert (company.canceled(), company.row(instance)["state"]) == (0, "declined")


@pytest.mark.parametrize("key", [None, ""], ids=["no key", "an empty key"])
def test_a_worker_without_a_key_leaves_it_to_one_with_a_key(company: StripeCompany, sandbox: Sandbox, key: str | None) -> None:
    instance = company.given_up()
    keyless = StripeCharge(key, sandbox.url, live=False)
    assert do_due_chores(replace(company.runtime, connectors={keyless.topic: keyless}), CLEANING, "worker w2") == []
    assert company.clean() is not None
    assert company.at_stripe(instance) == "canceled"


# --- races ----------------------------------------------------------------------------------------------------------


def charge_of(company: StripeCompany, instance: str) -> Charge:
    with company.runtime.database.reading() as connection:
        [charge] = charges.touched_by(connection, int(instance[1:]))
    return charge


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_new_instance_that_takes_the_bill_over_meanwhile_is_charged_and_its_row_stays(
    company: StripeCompany, moment: str
) -> None:
    first = company.failed()
    resolving.cancel(company.runtime, first, "Wrong amount.", "olivia")
    customer = company.instance(first).customer
    assert customer is not None
    company.give_card(customer, "pm_card_visa")
    started: list[str] = []

    def take_over() -> None:
        if not started:
            started.append(company.billed(customer))

    setattr(company.charge, moment, take_over)
    company.clean()
    [again] = started
    assert company.row(again)["state"] == "succeeded"
    assert company.details(first)["charges"] == []  # the row is the new instance's
    assert "charge_canceled" not in company.events(first)
    assert company.sandbox.control.state()["charges_taken"] == 1
    assert company.sandbox.control.state()["payment_intents"] == {"canceled": 1, "succeeded": 1}


def test_a_new_instance_whose_job_begins_between_the_list_and_the_cancelling_keeps_the_intent_to_itself(
    company: StripeCompany,
) -> None:
    other, first = company.failed(), company.failed()
    for instance in (other, first):
        resolving.cancel(company.runtime, instance, "Wrong amount.", "olivia")
    waiting: list[str] = []

    def start_the_one_that_comes_next() -> None:
        if not waiting:
            [following] = [each for each in (other, first) if company.at_stripe(each) != "canceled"]
            waiting.append(following)
            company.approved(company.instance(following).customer or "")

    company.charge.after = start_the_one_that_comes_next
    company.clean()
    assert company.canceled() == 1
    assert company.row(waiting[0])["state"] == "declined"


def test_a_worker_that_dies_between_the_cancelling_and_its_record_is_healed_by_the_next_round(company: StripeCompany) -> None:
    instance = company.given_up()

    def die() -> None:
        raise ProcessKilled

    company.charge.after = die
    with pytest.raises(ProcessKilled):
        company.clean()
    assert (company.at_stripe(instance), company.row(instance)["state"]) == ("canceled", "declined")
    company.charge.after = lambda: None
    assert company.clean() is None  # the dead worker's claim has not ended yet
    company.later(hours=1)
    assert company.clean() is not None
    assert company.row(instance)["state"] == "canceled"
    assert company.events(instance).count("charge_canceled") == 1


def test_of_several_workers_one_does_a_chore(company: StripeCompany) -> None:
    company.given_up()
    barrier = threading.Barrier(4)

    def work(number: int) -> list[ChoreReport]:
        barrier.wait(10)
        return do_due_chores(company.runtime, CLEANING, f"worker w{number}")

    with ThreadPoolExecutor(4) as pool:
        done = [report.name for reports in pool.map(work, range(4)) for report in reports]
    assert sorted(done) == sorted(chore.name for chore in CLEANING)
    assert company.canceled() == 1


def test_a_worker_that_was_paused_beyond_its_claim_sets_nothing_back(company: StripeCompany) -> None:
    company.given_up()
    other: list[ChoreReport] = []

    def overtake() -> None:
        if not other:
            company.charge.after = lambda: None
            company.later(hours=2)
            other.extend(do_due_chores(company.runtime, CLEANING, "worker w2"))

    company.charge.after = overtake
    company.clean()
    assert [report.name for report in other] == [chore.name for chore in CLEANING]
    company.later(minutes=59)
    assert do_due_chores(company.runtime, CLEANING, "worker w3") == []


# --- trouble --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "garbled", "429", "500_before", "500_after"])
def test_an_answer_that_is_lost_leaves_the_charge_to_the_next_round(company: StripeCompany, kind: str) -> None:
    instance = company.given_up()
    company.sandbox.control.add_fault(kind, method="POST", path=CANCEL)
    done = company.clean()
    assert done is not None
    assert (done.counts["canceled"], done.counts["left"], done.failure) == (0, 1, None)
    assert company.row(instance)["state"] == "declined"
    company.later(hours=1)
    company.clean()
    assert (company.row(instance)["state"], company.at_stripe(instance)) == ("canceled", "canceled")


def test_a_round_ends_when_stripe_does_not_answer_and_is_due_again_soon(
    company: StripeCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "_MOST_UNANSWERED", 2)
    instances = [company.given_up() for _ in range(3)]
    company.sandbox.control.add_fault("drop_before", method="POST", path=CANCEL, times=2)
    done = company.clean()
    assert done is not None
    assert (done.counts["canceled"], done.counts["left"]) == (0, 2)
    assert done.failure is not None
    assert "no answer from Stripe" in done.failure
    company.later(minutes=10)
    company.clean()
    assert {company.row(each)["state"] for each in instances} == {"canceled"}


def test_a_round_closes_so_many_and_goes_on_soon(company: StripeCompany, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "_MOST_CLOSED", 2)
    instances = [company.given_up() for _ in range(3)]
    first = company.clean()
    assert first is not None
    assert first.counts["canceled"] == 2
    company.later(seconds=30)
    second = company.clean()
    assert second is not None
    assert second.counts["canceled"] == 1
    assert {company.row(each)["state"] for each in instances} == {"canceled"}


def test_a_worker_that_is_told_to_end_leaves_the_rest_to_another(company: StripeCompany) -> None:
    company.given_up()
    company.given_up()
    done = do_due_chores(company.runtime, CLEANING, "worker w1", stop=lambda: True)
    assert [report.counts["canceled"] for report in done if report.name == ABANDONED] == [1]
    company.later(seconds=30)
    assert company.clean() is not None
    assert company.canceled() == 2


def test_a_chore_that_fails_is_shown_and_due_again_a_little_later(
    company: StripeCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = company.given_up()

    def fail(*_: object) -> None:
        raise ValueError("secret")

    monkeypatch.setattr(cleaning, "close_abandoned", fail)
    done = company.clean()
    assert done is not None
    assert done.failure is not None
    assert "ValueError" in done.failure
    assert "secret" not in done.failure
    monkeypatch.undo()
    assert company.clean() is None
    company.later(minutes=10)
    company.clean()
    assert company.row(instance)["state"] == "canceled"
