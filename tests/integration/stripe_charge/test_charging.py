"""`stripe.charge` over HTTP: what is charged, what is never sent, and cards that are declined."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from connectors.stripe.charge import StripeCharge
from connectors.stripe_sandbox import Sandbox
from engine.connector import BusinessError, ChargeState, Completed, Fatal, Outcome
from tests.builders.stripe_shop import (
    CHARGE_KEY,
    Shop,
    open_shop,
)
from tests.doubles.ledger import Moment

# --- what works ---


def test_a_charge_takes_two_requests(shop: Shop) -> None:
    before = len(shop.requests())
    outcome = shop.work()
    create, confirm = shop.requests()[before:]
    intent = shop.client.v1.payment_intents.retrieve(shop.row.intent)
    assert (create, confirm) == ("POST payment_intents", f"POST payment_intents/{intent.id}/confirm")
    assert isinstance(outcome, Completed)
    charged_at = str(outcome.outputs["charged_at"])
    assert outcome.outputs == {"payment_intent": intent.id, "amount": 12050, "currency": "USD", "charged_at": charged_at}
    assert charged_at.endswith("Z")
    assert (shop.row.state, shop.row.attempt, shop.row.generation) == (ChargeState.SUCCEEDED, 1, 1)
    assert shop.taken == (1, {"usd": 12050})
    assert intent.metadata.to_dict() == {
        "charge_key": CHARGE_KEY,
        "process": "monthly-card-charge",
        "period": "2026-10",
        "instance": "i4",
    }
    assert intent.description == "Bill"


def test_idempotency_keys_hold_nothing_personal_and_no_client_secret_is_kept(shop: Shop) -> None:
    outcome = shop.work()
    keys = [each["idempotency_key"] for each in shop.sandbox.control.requests()[-2:]]
    assert all("ann" not in key and len(key) <= 255 for key in keys)
    assert [key.split("|")[0] for key in keys] == ["create", "confirm"]
    assert "_secret_" not in repr(outcome) + repr(shop.ledger.rows)


@pytest.mark.parametrize(
    ("currency", "amount", "at_stripe"),
    [("JPY", 5000, 5000), ("KWD", 12340, 12340), ("ISK", 1200, 120000), ("MGA", 500000, 5000)],
)
def test_amounts_are_sent_in_stripes_units_and_reported_in_ours(shop: Shop, currency: str, amount: int, at_stripe: int) -> None:
    outcome = shop.work(currency=currency, amount=amount)
    assert isinstance(outcome, Completed)
    assert (outcome.outputs["amount"], outcome.outputs["currency"]) == (amount, currency)
    assert shop.taken == (1, {currency.lower(): at_stripe})


def test_a_hundred_charges_run_at_once_through_one_client(running: Sandbox) -> None:
    shop = open_shop(running)
    running.control.set_latency(100)
    outcomes: list[Outcome] = []
    started = time.monotonic()
    jobs = [threading.Thread(target=lambda n=n: outcomes.append(shop.work(period=f"{2000 + n}-10"))) for n in range(100)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert sum(isinstance(outcome, Completed) for outcome in outcomes) == 100
    assert shop.taken == (100, {"usd": 100 * 12050})
    assert time.monotonic() - started < 15  # one after the other they would take 20 seconds at least


# --- what is never sent ---


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount": 0}, "above zero"),
        ({"amount": -12050}, "above zero"),
        ({"amount": 49}, "minimum"),
        ({"amount": 100_000_000}, "at most"),
        ({"amount": 12345, "currency": "KWD"}, "multiple"),
        ({"currency": "XXX"}, "XXX"),
        ({"customer": None}, "names no customer and period"),
        ({"period": None}, "names no customer and period"),
    ],
)
def test_what_cannot_be_charged_needs_a_person_and_is_never_sent(shop: Shop, changes: dict[str, Any], says: str) -> None:
    before = len(shop.requests())
    outcome = shop.work(**changes)
    assert isinstance(outcome, Fatal)
    assert says in outcome.reason
    assert (shop.requests()[before:], shop.ledger.rows) == ([], {})


def test_what_stripe_refuses_needs_a_person_and_says_why_without_the_key(shop: Shop) -> None:
    unknown = shop.work(stripe_customer="cus_nobody")
    shop.connector = StripeCharge("sk_test_abc", shop.sandbox.url, live=False)
    unauthorized = shop.work(period="2026-11")
    for outcome, says in ((unknown, "cus_nobody"), (unauthorized, "HTTP 401")):
        assert isinstance(outcome, Fatal)
        assert says in outcome.reason
        assert "sk_test" not in outcome.reason.replace("sk_test_...", "")
    assert shop.taken == (0, {})


# --- declines ---


@pytest.mark.parametrize(
    ("card", "code", "reason"),
    [
        ("chargeDeclined", "card_declined_for_now", "generic_decline/try_again_later"),
        ("chargeDeclinedInsufficientFunds", "card_declined_for_now", "insufficient_funds/try_again_later"),
        ("chargeDeclinedProcessingError", "card_declined_for_now", "processing_error/try_again_later"),
        ("chargeDeclinedVelocityLimitExceeded", "card_declined_for_now", "card_velocity_exceeded/try_again_later"),
        ("chargeDeclinedLostCard", "card_declined", "lost_card/do_not_try_again"),
        ("chargeDeclinedStolenCard", "card_declined", "stolen_card/do_not_try_again"),
        ("chargeDeclinedExpiredCard", "card_declined", "expired_card/confirm_card_data"),
        ("chargeDeclinedIncorrectCvc", "card_declined", "incorrect_cvc/confirm_card_data"),
        ("radarBlock", "card_declined", "fraudulent/do_not_try_again"),
    ],
)
def test_a_declined_card_is_a_bpmn_error_and_only_the_ledger_knows_why(shop: Shop, card: str, code: str, reason: str) -> None:
    shop.give_card(f"pm_card_{card}")
    outcome = shop.work()
    assert isinstance(outcome, BusinessError)
    assert (outcome.code, outcome.message) == (code, "The card was declined.")
    assert "card_declined" in (outcome.code, outcome.general)  # what diagrams catch that know of no soft declines
    assert (shop.row.state, shop.row.reason) == (ChargeState.DECLINED, reason)
    assert shop.taken == (0, {})


def test_after_a_decline_the_next_run_charges_the_new_card_with_the_same_intent(shop: Shop) -> None:
    shop.give_card("pm_card_chargeDeclined")
    shop.work()
    intent = shop.row.intent
    card = shop.give_card("pm_card_visa")
    assert isinstance(shop.work(), Completed)
    assert (shop.row.attempt, shop.row.intent, shop.row.payment_method) == (2, intent, card)
    assert shop.taken == (1, {"usd": 12050})


def test_a_card_is_not_asked_again_after_a_hard_decline_but_another_one_is(shop: Shop) -> None:
    shop.give_card("pm_card_chargeDeclinedLostCard")
    for _ in range(3):
        assert isinstance(shop.work(), BusinessError)
    assert (shop.tried, shop.row.attempt) == (1, 1)
    shop.give_card("pm_card_visa")
    assert isinstance(shop.work(), Completed)


def test_a_charge_is_attempted_four_times_at_most(shop: Shop) -> None:
    shop.give_card("pm_card_chargeDeclined")
    outcomes = [shop.work() for _ in range(6)]
    assert shop.tried == 4
    codes = [outcome.code for outcome in outcomes if isinstance(outcome, BusinessError)]
    assert codes == ["card_declined_for_now"] * 3 + ["card_declined"] * 3  # the fourth one says that no attempt is left
    for outcome in outcomes[3:]:
        assert isinstance(outcome, BusinessError)
        assert "no more" in outcome.message
    shop.give_card("pm_card_visa")
    assert isinstance(shop.work(), BusinessError)
    assert shop.taken == (0, {})


@pytest.mark.parametrize("changes", [{}, {"instance": "i5"}, {"amount": 9900}], ids=["cancelled", "started anew", "corrected"])
def test_attempts_are_those_of_the_bill_however_often_it_is_begun_anew_at_stripe(shop: Shop, changes: dict[str, Any]) -> None:
    shop.give_card("pm_card_chargeDeclined")
    for _ in range(2):
        shop.work()
    shop.client.v1.payment_intents.cancel(shop.row.intent)
    codes = [outcome.code for outcome in (shop.work(**changes) for _ in range(6)) if isinstance(outcome, BusinessError)]
    assert codes[-1] == "card_declined"
    assert (shop.tried, shop.row.attempt, shop.row.generation) == (4, 4, 2)


def test_a_customer_without_a_card_is_a_decline_that_says_so(shop: Shop) -> None:
    shop.customer = shop.client.v1.customers.create({"name": "Bo"}).id
    outcome = shop.work()
    assert isinstance(outcome, BusinessError)
    assert (outcome.code, shop.row.reason, shop.row.attempt) == ("card_declined", "no_payment_method", 0)
    shop.give_card("pm_card_visa")
    assert isinstance(shop.work(), Completed)


def test_a_card_that_was_taken_away_before_it_was_charged_is_a_decline_and_the_new_one_is_charged(shop: Shop) -> None:
    shop.ledger.break_at("begin_confirm", Moment.AFTER)
    assert shop.work_and_survive() is None
    shop.client.v1.payment_methods.detach(shop.row.payment_method)
    outcome = shop.work()
    assert isinstance(outcome, BusinessError)
    assert (outcome.code, shop.row.reason) == ("card_declined", "payment_method_unusable")
    shop.give_card("pm_card_visa")
    assert isinstance(shop.work(), Completed)
    assert (shop.taken, shop.tried) == ((1, {"usd": 12050}), 1)


def test_a_bank_that_asks_for_the_customer_is_its_own_bpmn_error(shop: Shop) -> None:
    shop.give_card("pm_card_authenticationRequired")
    outcome = shop.work()
    assert isinstance(outcome, BusinessError)
    assert outcome.code == "authentication_required"
    assert shop.row.state is ChargeState.REQUIRES_ACTION
    assert shop.taken == (0, {})


def test_a_customer_who_confirmed_in_person_is_not_charged_again(shop: Shop) -> None:
    card = shop.give_card("pm_card_authenticationRequired")
    shop.work()
    there: Any = {"payment_method": card, "return_url": "https://shop.example.com"}
    shop.client.v1.payment_intents.confirm(shop.row.intent, there)
    waiting = shop.work()
    assert isinstance(waiting, BusinessError)
    assert waiting.code == "authentication_required"
    shop.sandbox.control.authenticate(shop.row.intent)
    assert isinstance(shop.work(), Completed)
    assert (shop.taken, shop.row.attempt) == ((1, {"usd": 12050}), 1)
