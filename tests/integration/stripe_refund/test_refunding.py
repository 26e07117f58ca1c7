"""`stripe.refund` over HTTP: what is given back, what is never sent, and what Stripe refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.stripe.refund import StripeRefunding
from engine.connector import BusinessError, ChargeState, Completed, Fatal, NoAnswer, RefundStanding, RefundState
from tests.builders.refund_desk import REFUNDS, RefundDesk


def test_a_refund_takes_one_request(desk: RefundDesk) -> None:
    before = len(desk.requests())
    outcome = desk.refund(amount=2050, comment="Double usage.", requested_by="sara", approved_by="mia")
    assert desk.requests()[before:] == ["POST refunds"]
    made = desk.shop.client.v1.refunds.retrieve(str(desk.row().refund))
    assert isinstance(outcome, Completed)
    refunded_at = str(outcome.outputs["refunded_at"])
    assert outcome.outputs == {"refund_id": made.id, "amount": 2050, "currency": "USD", "refunded_at": refunded_at}
    assert refunded_at.endswith("Z")
    assert (desk.row().state, desk.row().attempt, desk.given_back) == (RefundState.SUCCEEDED, 1, 2050)
    assert (made.reason, made.payment_intent) == ("requested_by_customer", desk.shop.row.intent)
    assert made.metadata is not None
    assert made.metadata.to_dict() == {
        "refund_key": "j17",
        "charge_key": "monthly-card-charge|ann@example.com|2026-10",
        "process": "monthly-card-charge",
        "period": "2026-10",
        "instance": "i4",
    }


def test_an_empty_amount_gives_back_all_that_is_left(desk: RefundDesk) -> None:
    assert isinstance(desk.refund("j17", amount=2050), Completed)
    outcome = desk.refund("j18", amount=None)
    assert isinstance(outcome, Completed)
    assert (outcome.outputs["amount"], desk.given_back) == (10_000, 12_050)


def test_what_people_said_and_their_names_stay_with_us(desk: RefundDesk) -> None:
    desk.refund(comment="Ann was angry.", requested_by="sara", approved_by="mia")
    [key] = [each["idempotency_key"] for each in desk.shop.sandbox.control.requests() if each["path"] == REFUNDS]
    assert "ann" not in key
    assert len(key) <= 255
    made = desk.shop.client.v1.refunds.retrieve(str(desk.row().refund))
    assert not any(word in str(made) for word in ("angry", "sara", "mia"))
    assert (desk.row().request.comment, desk.row().request.requested_by) == ("Ann was angry.", "sara")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount": 12_051}, "at most 120.50 USD"),
        ({"amount": 0}, "above zero"),
        ({"amount": -5}, "above zero"),
        ({"currency": "EUR"}, "in USD"),
    ],
)
def test_what_is_no_amount_of_the_charge_is_refused_and_never_sent(desk: RefundDesk, changes: dict[str, Any], says: str) -> None:
    outcome = desk.refund(**changes)
    assert isinstance(outcome, BusinessError)
    assert outcome.code == "refund_refused"
    assert says in outcome.message
    assert (desk.requests(), desk.ledger.rows) == ([], {})


def test_nothing_is_given_back_of_a_bill_that_was_not_charged(desk: RefundDesk) -> None:
    assert desk.ledger.charge is not None
    charged = desk.ledger.charge
    for charge in (None, replace(charged, state=ChargeState.DECLINED), replace(charged, state=ChargeState.UNKNOWN)):
        desk.ledger.charge = charge
        outcome = desk.refund()
        assert isinstance(outcome, BusinessError)
        assert "Expected a charge of ann@example.com in 2026-10" in outcome.message
    assert desk.requests() == []


def test_what_was_given_back_wholly_is_not_given_back_again(desk: RefundDesk) -> None:
    desk.refund("j17")
    outcome = desk.refund("j18", amount=1)
    assert isinstance(outcome, BusinessError)
    assert "all of it was given back" in outcome.message
    assert (desk.made, desk.given_back) == (1, 12_050)


def test_a_charge_of_the_other_mode_needs_the_other_key(desk: RefundDesk) -> None:
    assert desk.ledger.charge is not None
    desk.ledger.charge = replace(desk.ledger.charge, request=replace(desk.ledger.charge.request, livemode=True))
    outcome = desk.refund()
    assert isinstance(outcome, Fatal)
    assert desk.requests() == []


def test_without_a_key_a_person_is_called_and_nothing_is_stored(desk: RefundDesk) -> None:
    desk.connector = StripeRefunding(None, None, live=False)
    outcome = desk.refund()
    assert isinstance(outcome, Fatal)
    assert "RUN_PROCESS_STRIPE_KEY" in outcome.reason
    assert desk.ledger.rows == {}


def test_what_somebody_gave_back_at_the_dashboard_cannot_be_given_back_again(desk: RefundDesk) -> None:
    desk.shop.client.v1.refunds.create({"payment_intent": desk.shop.row.intent})
    outcome = desk.refund()
    assert isinstance(outcome, BusinessError)
    assert (outcome.code, desk.row().state) == ("refund_refused", RefundState.FAILED)
    assert "charge_already_refunded" in outcome.message
    assert desk.given_back == 12_050


def test_a_refund_that_stripe_refused_is_told_again_when_its_step_is_taken_again(desk: RefundDesk) -> None:
    desk.shop.client.v1.refunds.create({"payment_intent": desk.shop.row.intent})
    desk.refund()
    again = desk.refund()
    assert isinstance(again, BusinessError)
    assert (again.code, again.refund) == ("refund_refused", None)


def test_a_key_of_another_account_calls_a_person_and_the_right_one_goes_on(desk: RefundDesk) -> None:
    desk.connector = StripeRefunding("sk_test_abc", desk.shop.sandbox.url, live=False)
    outcome = desk.refund()
    assert isinstance(outcome, Fatal)
    assert "HTTP 401" in outcome.reason
    assert (desk.row().state, desk.row().attempt) == (RefundState.PREPARED, 1)
    desk.connector = StripeRefunding("sk_test_sandbox", desk.shop.sandbox.url, live=False)
    assert isinstance(desk.refund(), Completed)
    assert (desk.row().attempt, desk.made) == (2, 1)


def test_a_refund_that_waits_for_the_bank_is_done_for_the_diagram_and_pending_in_the_ledger(desk: RefundDesk) -> None:
    desk.plan("processing")
    assert isinstance(desk.refund(), Completed)
    assert (desk.row().state, desk.row().problem) == (RefundState.PENDING, "processing")
    assert isinstance(desk.refund(), Completed)  # a step that is taken again
    assert desk.made == 1


def test_a_refund_that_failed_meanwhile_is_refused_and_its_amount_is_free_again(desk: RefundDesk) -> None:
    desk.plan("processing")
    desk.refund(commit=False)
    [made] = desk.shop.client.v1.refunds.list().data
    desk.shop.sandbox.control.end_refund(made.id, "failed")
    outcome = desk.refund()
    assert isinstance(outcome, BusinessError)
    assert "expired_or_canceled_card" in outcome.message
    assert desk.row().state is RefundState.FAILED
    assert isinstance(desk.refund("j18"), Completed)
    assert desk.given_back == 12_050


def test_a_currency_with_three_decimals_is_given_back_as_stripe_counts_it(desk: RefundDesk) -> None:
    assert isinstance(desk.shop.work(period="2026-11", currency="KWD", amount=12_340), Completed)
    desk.ledger.charge = desk.shop.ledger.rows["monthly-card-charge|ann@example.com|2026-11"]
    finer = desk.refund("j18", currency="KWD", period="2026-11", amount=5)
    assert isinstance(finer, BusinessError)
    assert "multiple" in finer.message
    outcome = desk.refund("j19", currency="KWD", period="2026-11", amount=340)
    assert isinstance(outcome, Completed)
    assert (outcome.outputs["amount"], outcome.outputs["currency"]) == (340, "KWD")


def test_workers_see_how_a_refund_stands_at_stripe(desk: RefundDesk) -> None:
    desk.plan("processing")
    desk.refund()
    keeper = desk.shop.connector.keeper(desk.permits)
    assert keeper is not None
    made = str(desk.row().refund)
    assert keeper.refund(made) == RefundStanding(RefundState.PENDING, "processing")
    desk.shop.sandbox.control.end_refund(made, "succeeded")
    assert keeper.refund(made) == RefundStanding(RefundState.SUCCEEDED)
    desk.shop.sandbox.control.end_refund(made, "failed")
    assert keeper.refund(made) == RefundStanding(RefundState.FAILED, "expired_or_canceled_card")
    assert isinstance(keeper.refund("re_unknown"), NoAnswer)
