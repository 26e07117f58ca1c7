"""Intents that were made for a bill but never came into the ledger are closed, and no others."""

from __future__ import annotations

import pytest

from engine.services import resolving
from engine.services.chores import do_due_chores
from engine.services.cleaning import CLEANING, UNKNOWN
from tests.builders.stripe_company import CANCEL, StripeCompany

# --- intents that the ledger doesn't know ---------------------------------------------------------------------------


def test_an_intent_whose_answer_was_lost_is_cancelled_once_its_key_is_forgotten(company: StripeCompany) -> None:
    company.sandbox.control.add_fault("drop_after", method="POST", path="/v1/payment_intents")
    instance = company.approved(company.customer())
    company.work()
    company.later(hours=26)  # the same key is a new request now, so there will be a second intent
    company.work()
    assert company.row(instance)["state"] == "succeeded"
    assert company.sandbox.control.state()["payment_intents"] == {"requires_payment_method": 1, "succeeded": 1}
    done = company.clean(UNKNOWN)
    assert done is not None
    assert (done.counts["canceled"], done.failure) == (1, None)
    assert company.sandbox.control.state()["payment_intents"] == {"canceled": 1, "succeeded": 1}
    assert company.row(instance)["state"] == "succeeded"
    assert company.events(instance)[-1] == "intent_canceled"


def test_a_lost_intent_is_not_touched_while_its_key_may_find_it(company: StripeCompany) -> None:
    instance = company.failed()
    lost = company.lost_intent(instance)
    company.later(hours=24)
    company.clean(UNKNOWN)
    assert company.status(lost) == "requires_payment_method"
    company.later(hours=24)
    company.clean(UNKNOWN)
    assert company.status(lost) == "canceled"


def test_a_lost_intent_waits_while_its_instance_has_none_and_is_found_when_that_has_ended(company: StripeCompany) -> None:
    company.sandbox.control.add_fault("drop_after", method="POST", path="/v1/payment_intents")
    instance = company.approved(company.customer())
    company.work()
    assert company.row(instance)["state"] == "prepared"
    for _ in range(3):
        company.later(hours=26)
        company.clean(UNKNOWN)
    assert company.sandbox.control.state()["payment_intents"] == {"requires_payment_method": 1}
    resolving.cancel(company.runtime, instance, "Never mind.", "olivia")
    company.later(hours=26)
    company.clean(UNKNOWN)
    assert company.sandbox.control.state()["payment_intents"] == {"canceled": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"charge_key": "monthly-card-charge|cus_other|2026-10"},
        {"instance": "i999"},
        {"instance": "i2"},
        {"instance": "seventeen"},
        {"charge_key": "\N{SNOWMAN}"},
    ],
    ids=["a bill of another database", "an instance of another one", "another bill's instance", "no instance", "no bill"],
)
def test_an_intent_of_another_database_is_left_alone(company: StripeCompany, changes: dict[str, str]) -> None:
    instance = company.failed()
    company.failed()
    lost = company.lost_intent(instance, changes)
    foreign = company.client.v1.payment_intents.create({"amount": 100, "currency": "usd", "metadata": {"order": "17"}}).id
    company.later(hours=26)
    done = company.clean(UNKNOWN)
    assert done is not None
    assert (done.counts["canceled"], done.failure) == (0, None)
    assert {company.status(each) for each in (lost, foreign)} == {"requires_payment_method"}


def test_the_ledgers_own_intent_and_money_are_left_alone(company: StripeCompany) -> None:
    declined, charged = company.failed(), company.billed(company.customer())
    company.later(hours=26)
    company.clean(UNKNOWN)
    assert company.canceled() == 0
    assert (company.at_stripe(declined), company.at_stripe(charged)) == ("requires_payment_method", "succeeded")


def test_all_pages_are_looked_through_and_none_twice(company: StripeCompany, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.stripe.intents._PAGE", 2)
    instance = company.failed()
    lost = [company.lost_intent(instance) for _ in range(5)]
    company.later(hours=26)
    company.clean(UNKNOWN)
    assert {company.status(each) for each in lost} == {"canceled"}
    company.later(hours=26)
    before = len(company.sandbox.control.requests())
    company.clean(UNKNOWN)
    lists = [each for each in company.sandbox.control.requests()[before:] if each["path"] == "/v1/payment_intents"]
    assert len(lists) == 1  # those that were looked through before are not listed again


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/payment_intents"), ("POST", CANCEL)])
def test_a_lost_intent_that_could_not_be_looked_at_is_looked_at_again(company: StripeCompany, method: str, path: str) -> None:
    lost = company.lost_intent(company.failed())
    company.later(hours=26)
    company.sandbox.control.add_fault("drop_before", method=method, path=path)
    company.clean(UNKNOWN)
    assert company.status(lost) == "requires_payment_method"
    company.later(hours=26)
    company.clean(UNKNOWN)
    assert company.status(lost) == "canceled"


def test_a_lost_intent_that_was_charged_at_that_moment_calls_a_person(company: StripeCompany) -> None:
    instance = company.failed()
    customer = company.instance(instance).customer
    assert customer is not None
    lost = company.lost_intent(instance)
    card = company.client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    company.later(hours=26)
    company.charge.before = lambda: company.client.v1.payment_intents.confirm(
        lost, {"payment_method": card, "return_url": "https://shop.example.com"}
    )
    done = company.clean(UNKNOWN)
    assert done is not None
    assert (done.counts["canceled"], done.counts["charged"]) == (0, 1)
    [incident] = company.details(instance)["incidents"]
    assert lost in incident["reason"]
    assert company.row(instance)["state"] == "declined"  # the bill's own intent is another one


def test_a_ledger_that_is_empty_asks_stripe_nothing(company: StripeCompany) -> None:
    before = len(company.sandbox.control.requests())
    done = do_due_chores(company.runtime, CLEANING, "worker w1")
    assert [(report.counts["canceled"], report.failure) for report in done] == [(0, None)] * len(CLEANING)
    assert len(company.sandbox.control.requests()) == before
