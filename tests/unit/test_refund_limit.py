"""How much of a charge can be given back, as a pure rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.billing.refund_limit import amount_to_refund
from engine.connector import Charge, ChargeRequest, ChargeState, NotRefundable
from tests.builders.refund_desk import request_of

REQUEST = ChargeRequest("billing|acme|2026-10", "billing", "acme", "2026-10", "i1", 500, "USD", "cus_1", "mia", livemode=False)
CHARGE = Charge(REQUEST, ChargeState.SUCCEEDED, intent="pi_1")


def refusal(charge: Charge | None, reserved: int = 0, amount: int | None = None, **changes: object) -> str:
    found = amount_to_refund(charge, reserved, request_of(amount, **changes))
    assert isinstance(found, NotRefundable)
    assert found.reason.startswith("Expected ")
    assert " Do: " in found.reason
    return found.reason


@pytest.mark.parametrize(("reserved", "amount", "settled"), [(0, None, 500), (200, None, 300), (0, 500, 500), (499, 1, 1)])
def test_an_amount_that_is_left_can_be_given_back_and_without_one_all_that_is_left(
    reserved: int, amount: int | None, settled: int
) -> None:
    assert amount_to_refund(CHARGE, reserved, request_of(amount)) == settled


@pytest.mark.parametrize(("reserved", "amount"), [(0, 501), (200, 301), (0, 0), (0, -1), (499, 2)])
def test_more_than_is_left_and_nothing_at_all_are_refused(reserved: int, amount: int) -> None:
    assert f"at most {(500 - reserved) / 100:.2f} USD" in refusal(CHARGE, reserved, amount)


@pytest.mark.parametrize("amount", [None, 1, 500])
def test_of_what_was_given_back_wholly_nothing_is_left(amount: int | None) -> None:
    assert "all of it was given back" in refusal(CHARGE, 500, amount)


@pytest.mark.parametrize("state", [state for state in ChargeState if state is not ChargeState.SUCCEEDED])
def test_only_a_charge_that_succeeded_can_be_given_back(state: ChargeState) -> None:
    reason = refusal(replace(CHARGE, state=state))
    assert ("isn't known yet" if state.in_doubt else f"it is {state}") in reason


def test_a_bill_without_a_charge_and_one_that_was_settled_without_a_payment_have_nothing_to_give_back() -> None:
    assert "nothing was ever charged" in refusal(None)
    assert "no payment at the service" in refusal(replace(CHARGE, intent=None))


@pytest.mark.parametrize("amount", [None, 500])
def test_an_amount_in_another_currency_is_refused(amount: int | None) -> None:
    assert "Expected a refund in USD" in refusal(CHARGE, 0, amount, currency="EUR")


@given(st.lists(st.one_of(st.none(), st.integers(-10, 600)), max_size=12))
def test_whatever_is_asked_for_one_after_the_other_no_more_is_given_back_than_was_charged(asked: list[int | None]) -> None:
    reserved = 0
    for amount in asked:
        found = amount_to_refund(CHARGE, reserved, request_of(amount))
        if not isinstance(found, NotRefundable):
            assert found > 0
            reserved += found
    assert 0 <= reserved <= 500
