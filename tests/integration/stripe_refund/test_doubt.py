"""`stripe.refund` over HTTP: workers that die at any point, and what Stripe left open. Each refund is made once at most."""

from __future__ import annotations

from itertools import product

import pytest

from engine.connector import BusinessError, Completed, Fatal, RefundState, Retryable, Unknown
from tests.builders.refund_desk import REFUNDS, RefundDesk
from tests.builders.stripe_shop import DAY_AND_HOUR, FAULTS, MINUTE, MONTH
from tests.doubles.ledger import Moment

LATER = [MINUTE, DAY_AND_HOUR, MONTH]
CRASHES = list(product(("prepare", "begin", "commit"), Moment))


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize(("method", "moment"), CRASHES)
def test_a_killed_worker_leaves_a_refund_that_the_next_one_finishes_once(
    desk: RefundDesk, method: str, moment: Moment, later: int
) -> None:
    desk.ledger.break_at(method, moment)
    assert desk.refund_and_survive(amount=2050) is None
    desk.shop.sandbox.control.advance(later)
    assert isinstance(desk.refund_until_known(amount=2050), Completed)
    assert (desk.made, desk.given_back) == (1, 2050)


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("kind", FAULTS)
def test_trouble_on_the_way_is_in_doubt_until_stripe_shows_the_truth(desk: RefundDesk, kind: str, later: int) -> None:
    desk.plan(kind)
    first = desk.refund(amount=2050)
    assert isinstance(first, Retryable if kind == "429" else Unknown)
    assert desk.row().state is (RefundState.SUBMITTING if kind == "429" else RefundState.UNKNOWN)
    desk.shop.sandbox.control.advance(later)
    if (kind, later) == ("500_before", MINUTE):  # the saved error is all that this key gives for a day
        assert isinstance(desk.refund_until_known(amount=2050), Unknown)
        assert desk.made == 0
        desk.shop.sandbox.control.advance(DAY_AND_HOUR)
    assert isinstance(desk.refund_until_known(amount=2050), Completed)
    assert (desk.made, desk.given_back, desk.row().attempt) == (1, 2050, 1)


@pytest.mark.parametrize("later", [MINUTE, DAY_AND_HOUR])
def test_what_is_in_doubt_is_looked_for_before_it_is_sent_again(desk: RefundDesk, later: int) -> None:
    desk.plan("drop_after")
    assert isinstance(desk.refund(), Unknown)
    desk.shop.sandbox.control.advance(later)
    before = len(desk.requests())
    assert isinstance(desk.refund(), Completed)
    assert desk.requests()[before:] == ["GET refunds"]


def test_a_refund_is_found_among_many_others_of_the_same_payment(desk: RefundDesk) -> None:
    desk.plan("drop_after")
    assert isinstance(desk.refund(amount=500), Unknown)
    for _ in range(101):
        desk.shop.client.v1.refunds.create({"payment_intent": desk.shop.row.intent, "amount": 1})
    before = len(desk.requests())
    assert isinstance(desk.refund(amount=500), Completed)
    assert desk.requests()[before:] == ["GET refunds"] * 2
    assert desk.given_back == 601


@pytest.mark.parametrize("kind", ["drop_before", "garbled", "409", "500_after"])
def test_a_look_that_fails_leaves_the_doubt(desk: RefundDesk, kind: str) -> None:
    desk.plan("drop_after")
    desk.refund()
    desk.shop.sandbox.control.add_fault(kind, method="GET", path=REFUNDS)
    assert isinstance(desk.refund(), Unknown)
    assert desk.row().state is RefundState.UNKNOWN
    assert isinstance(desk.refund(), Completed)
    assert desk.made == 1


def test_what_is_in_doubt_stays_so_when_its_resending_is_refused(desk: RefundDesk) -> None:
    desk.plan("drop_before")
    assert isinstance(desk.refund(), Unknown)
    desk.shop.sandbox.control.add_fault("refused", method="POST", path=REFUNDS)
    assert isinstance(desk.refund(), Unknown)
    assert desk.row().state is RefundState.UNKNOWN
    assert isinstance(desk.refund(), Completed)
    assert desk.made == 1


def test_the_amount_in_doubt_is_reserved(desk: RefundDesk) -> None:
    desk.plan("drop_after")
    assert isinstance(desk.refund("j17", amount=12_000), Unknown)
    second = desk.refund("j18", amount=51)
    assert isinstance(second, BusinessError)
    assert "at most 0.50 USD" in second.message
    assert isinstance(desk.refund("j18", amount=50), Completed)
    assert isinstance(desk.refund("j17"), Completed)
    assert desk.given_back == 12_050


def test_a_refund_with_our_key_but_another_amount_calls_a_person(desk: RefundDesk) -> None:
    desk.plan("drop_before")
    assert isinstance(desk.refund(amount=2050), Unknown)
    ours = {"refund_key": "j17", "instance": "i4"}
    desk.shop.client.v1.refunds.create({"payment_intent": desk.shop.row.intent, "amount": 1, "metadata": ours})
    outcome = desk.refund(amount=2050)
    assert isinstance(outcome, Fatal)
    assert "1 USD" in outcome.reason
    assert desk.given_back == 1


def test_each_request_takes_a_permit_of_the_keys_mode(desk: RefundDesk) -> None:
    desk.plan("drop_before")
    desk.refund()
    desk.refund()
    assert desk.permits.taken == [("stripe test", 25)] * 3
