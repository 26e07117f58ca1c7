"""Our ledger next to the payment service's records: each difference is found, and nothing else."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from engine.billing.reconciliation import Finding, FindingKind, Ours, Theirs, Total, compare, total
from engine.connector import ChargeState, RefundState
from tests.builders.records import AT, by_hand, charge, key_of, ours, payment, refund, refund_record, theirs

SETTLED = "settled by olivia: paid by bank transfer"


def kinds(mine: Ours, stripes: Theirs, moving: frozenset[str] = frozenset()) -> list[str]:
    return [str(each.kind) for each in compare(mine, stripes, moving)]


def only(mine: Ours, stripes: Theirs) -> Finding:
    [found] = compare(mine, stripes)
    return found


# --- charges --------------------------------------------------------------------------------------------------------


def test_a_ledger_that_says_what_stripe_says_has_no_finding() -> None:
    mine = ours(charge("ann"), charge("bob"), charge("cy", state=ChargeState.DECLINED, intent="pi_cy"), refund("ann"))
    stripes = theirs(
        payment("ann", refunded=2_000),
        payment("bob"),
        payment("cy", status="requires_payment_method", succeeded=False),
        refund_record("ann"),
    )
    assert compare(mine, stripes) == []


def test_money_taken_for_a_bill_that_the_ledger_lacks() -> None:
    found = only(ours(), theirs(payment("ann")))
    assert (found.kind, found.customer, found.charge_key) == ("charged_without_bill", "cus_ann", key_of("ann"))
    assert (found.ours, found.instance) == (None, None)
    assert found.theirs is not None
    assert (found.theirs.id, found.theirs.amount, found.theirs.currency, found.theirs.at) == ("pi_ann", 12_050, "USD", AT)
    assert "120.50 USD of cus_ann on 2026-10-20 08:00Z" in found.message
    assert " Do: " in found.message


@pytest.mark.parametrize("state", [ChargeState.PREPARED, ChargeState.CREATED, ChargeState.DECLINED, ChargeState.CANCELED])
def test_money_taken_for_a_bill_that_the_ledger_does_not_take_for_charged(state: ChargeState) -> None:
    found = only(ours(charge("ann", state=state, charged_at=None, reason="lost_card")), theirs(payment("ann")))
    assert (found.kind, found.instance) == ("charged_without_bill", "i17")
    assert found.ours is not None
    assert (found.ours.state, found.ours.id) == (state, "pi_ann")
    assert f"it says {state} (lost_card)" in found.message


def test_a_bill_without_money() -> None:
    found = only(ours(charge("ann")), theirs())
    assert (found.kind, found.theirs) == ("bill_without_charge", None)
    assert found.ours is not None
    assert (found.ours.amount, found.ours.currency, found.ours.customer) == (12_050, "USD", "cus_ann")
    assert "pi_ann isn't among its payments" in found.message


def test_a_bill_whose_payment_was_not_taken_shows_what_became_of_it() -> None:
    found = only(ours(charge("ann")), theirs(payment("ann", status="requires_action", succeeded=False)))
    assert (found.kind, found.theirs and found.theirs.state) == ("bill_without_charge", "requires_action")


def test_a_bill_that_was_charged_by_another_payment_than_the_ledger_names() -> None:
    found = compare(ours(charge("ann", intent="pi_other")), theirs(payment("ann")))
    assert [str(each.kind) for each in found] == ["charged_without_bill", "bill_without_charge"]


def test_amounts_currencies_and_customers_that_differ() -> None:
    mine = ours(charge("ann"), charge("bob"), charge("cy"), charge("dee"))
    stripes = theirs(
        payment("ann", amount=12_000),
        payment("bob", currency="EUR"),
        payment("cy", customer="cus_x"),
        payment("dee", amount=1, customer="cus_x"),
    )
    found = compare(mine, stripes)
    assert [(each.customer, str(each.kind)) for each in found] == [
        ("cus_ann", "amount_differs"),
        ("cus_bob", "currency_differs"),
        ("cus_cy", "customer_differs"),
        ("cus_dee", "amount_differs"),
        ("cus_dee", "customer_differs"),
    ]
    assert "120.50 USD of cus_ann, as the ledger says" in found[0].message
    assert "it is 120.00 USD of cus_ann" in found[0].message


def test_an_amount_in_a_currency_without_decimals_is_shown_in_its_own_way() -> None:
    found = only(ours(charge("ann", amount=500, currency="JPY")), theirs(payment("ann", amount=400, currency="JPY")))
    assert "500 JPY" in found.message
    assert "400 JPY" in found.message


def test_a_second_payment_for_a_bill_is_found_whichever_came_first() -> None:
    again = payment("ann", id="pi_again", created_at=AT - timedelta(days=3))
    found = only(ours(charge("ann")), theirs(payment("ann"), again))
    assert (found.kind, found.ours and found.ours.id, found.theirs and found.theirs.id) == ("charged_twice", "pi_ann", "pi_again")


def test_each_further_payment_for_a_bill_is_found() -> None:
    stripes = theirs(payment("ann"), payment("ann", id="pi_b"), payment("ann", id="pi_c"))
    assert [each.theirs and each.theirs.id for each in compare(ours(charge("ann")), stripes)] == ["pi_b", "pi_c"]
    assert kinds(ours(), stripes) == ["charged_without_bill", "charged_twice", "charged_twice"]


def test_a_second_payment_that_was_given_back_needs_nobody_any_more() -> None:
    back = {"amount": 12_050, "refunded": 12_050}
    assert kinds(ours(charge("ann")), theirs(payment("ann"), payment("ann", id="pi_again", **back))) == []
    assert kinds(ours(), theirs(payment("ann", **back))) == []
    assert kinds(ours(), theirs(by_hand("ann", **back))) == []
    assert kinds(ours(), theirs(by_hand("ann", refunded=12_049))) == ["charged_by_hand"]


def test_what_was_given_back_does_not_hide_the_payment_that_was_kept() -> None:
    stripes = theirs(payment("ann", id="pi_a", refunded=12_050), payment("ann", id="pi_b"))
    found = only(ours(charge("ann", state=ChargeState.DECLINED, intent=None)), stripes)
    assert (found.kind, found.theirs and found.theirs.id) == ("charged_without_bill", "pi_b")


@pytest.mark.parametrize("state", [ChargeState.CONFIRMING, ChargeState.UNKNOWN])
def test_a_charge_in_doubt_shows_what_stripe_has(state: ChargeState) -> None:
    mine = ours(charge("ann", state=state, charged_at=None))
    for stripes, seen in (
        (theirs(), None),
        (theirs(payment("ann", status="requires_confirmation", succeeded=False)), "requires_confirmation"),
        (theirs(payment("ann")), "succeeded"),
    ):
        found = only(mine, stripes)
        assert (found.kind, found.theirs and found.theirs.state) == ("in_doubt", seen)


def test_payments_without_success_for_unknown_bills_are_nothing() -> None:
    assert kinds(ours(), theirs(payment("ann", status="canceled", succeeded=False), by_hand("bob", succeeded=False))) == []


# --- payments by hand -----------------------------------------------------------------------------------------------


def test_a_payment_by_hand_of_a_customer_without_a_bill() -> None:
    found = only(ours(), theirs(by_hand("ann")))
    assert (found.kind, found.customer, found.charge_key, found.ours) == ("charged_by_hand", "cus_ann", None, None)


def test_a_payment_by_hand_shows_the_bill_that_was_not_charged() -> None:
    found = only(ours(charge("ann", state=ChargeState.DECLINED, reason="lost_card")), theirs(by_hand("ann")))
    assert (found.kind, found.charge_key, found.instance) == ("charged_by_hand", key_of("ann"), "i17")
    assert "declined (lost_card)" in found.message


def test_a_payment_by_hand_beside_a_charged_bill_is_a_second_charge() -> None:
    found = only(ours(charge("ann")), theirs(payment("ann"), by_hand("ann", amount=999)))
    assert (found.kind, found.theirs and found.theirs.id) == ("charged_twice", "pi_ann_by_hand")


def test_a_payment_by_hand_in_a_currency_that_no_bill_can_have_is_found_all_the_same() -> None:
    assert "7 XXX (in Stripe's units)" in only(ours(), theirs(by_hand("ann", amount=7, currency="XXX"))).message


def test_a_bill_settled_by_the_payment_that_was_made_by_hand_is_in_order() -> None:
    settled = charge("ann", intent=None, reason=SETTLED)
    assert kinds(ours(settled), theirs(by_hand("ann"))) == []
    assert kinds(ours(settled), theirs(by_hand("ann", amount=12_000))) == ["charged_by_hand"]
    assert kinds(ours(settled), theirs(by_hand("ann"), by_hand("ann", id="pi_more"))) == ["charged_twice"]


# --- bills that were paid otherwise ---------------------------------------------------------------------------------


def test_a_bill_that_a_person_says_was_paid_otherwise_is_in_order_when_its_payment_is_cancelled() -> None:
    canceled = payment("ann", status="canceled", succeeded=False, canceled=True)
    assert kinds(ours(charge("ann", intent=None, reason=SETTLED)), theirs()) == []
    assert kinds(ours(charge("ann", reason=SETTLED)), theirs(canceled)) == []


def test_a_bill_that_a_person_says_was_paid_otherwise_is_found_while_its_payment_can_still_be_made() -> None:
    waiting = payment("ann", status="requires_payment_method", succeeded=False)
    found = only(ours(charge("ann", reason=SETTLED)), theirs(waiting))
    assert found.kind == "bill_without_charge"
    assert "cancel pi_ann at Stripe" in found.message


def test_a_bill_that_was_paid_otherwise_and_by_card_as_well_is_found() -> None:
    assert kinds(ours(charge("ann", intent=None, reason=SETTLED)), theirs(payment("ann"))) == ["charged_without_bill"]


def test_a_success_without_a_payment_that_nobody_settled_is_found() -> None:
    assert kinds(ours(charge("ann", intent=None)), theirs()) == ["bill_without_charge"]
    assert kinds(ours(charge("ann", reason="lost_card")), theirs()) == ["bill_without_charge"]


# --- refunds --------------------------------------------------------------------------------------------------------


def test_a_refund_that_the_ledger_does_not_know() -> None:
    found = only(ours(charge("ann")), theirs(payment("ann", refunded=2_000), refund_record("ann", refund_key=None)))
    assert (found.kind, found.charge_key, found.ours) == ("unknown_refund", key_of("ann"), None)
    assert found.theirs is not None
    assert (found.theirs.id, found.theirs.amount) == ("re_ann", 2_000)


def test_a_refund_that_was_never_carried_out_or_is_of_no_bill_is_nothing() -> None:
    failed = refund_record("ann", refund_key=None, state=RefundState.FAILED)
    assert kinds(ours(charge("ann")), theirs(payment("ann"), failed)) == []
    assert kinds(ours(), theirs(by_hand("ann", refunded=12_050), refund_record("ann", payment="pi_ann_by_hand"))) == []


@pytest.mark.parametrize("record", [None, RefundState.FAILED, RefundState.CANCELED])
@pytest.mark.parametrize("state", [RefundState.SUCCEEDED, RefundState.PENDING])
def test_a_refund_that_stripe_did_not_make(state: RefundState, record: RefundState | None) -> None:
    stripes = [refund_record("ann", state=record)] if record is not None else []
    found = only(ours(charge("ann"), refund("ann", state=state)), theirs(payment("ann"), *stripes))
    assert (found.kind, found.charge_key, found.theirs and found.theirs.state) == ("refund_missing", key_of("ann"), record)
    assert ("run-process refunds --look-up refund_ann" in found.message) == (record is not None)


@pytest.mark.parametrize("changes", [{"amount": 1_999}, {"currency": "EUR"}, {"payment": "pi_other"}])
def test_a_refund_that_differs(changes: dict[str, object]) -> None:
    mine = ours(charge("ann"), refund("ann"))
    assert kinds(mine, theirs(payment("ann"), refund_record("ann", **changes))) == ["refund_differs"]


@pytest.mark.parametrize("state", [RefundState.FAILED, RefundState.CANCELED, RefundState.PREPARED])
def test_a_refund_that_was_made_although_the_ledger_says_otherwise(state: RefundState) -> None:
    mine = ours(charge("ann"), refund("ann", state=state, refund=None))
    assert kinds(mine, theirs(payment("ann"), refund_record("ann"))) == ["refund_differs"]


def test_refunds_that_are_on_their_way_or_were_never_sent_are_in_order() -> None:
    mine = ours(charge("ann"), refund("ann", state=RefundState.PENDING), charge("bob"), refund("bob", state=RefundState.FAILED))
    stripes = theirs(
        payment("ann"),
        refund_record("ann", state=RefundState.PENDING),
        payment("bob"),
        refund_record("bob", state=RefundState.FAILED),
    )
    assert compare(mine, stripes) == []
    assert kinds(ours(charge("ann"), refund("ann", state=RefundState.PREPARED, refund=None)), theirs(payment("ann"))) == []


@pytest.mark.parametrize("state", [RefundState.SUBMITTING, RefundState.UNKNOWN])
def test_a_refund_in_doubt(state: RefundState) -> None:
    mine = ours(charge("ann"), refund("ann", state=state, refund=None))
    assert kinds(mine, theirs(payment("ann"))) == ["in_doubt"]
    assert kinds(mine, theirs(payment("ann"), refund_record("ann"))) == ["in_doubt"]


def test_a_refund_that_was_made_twice_under_one_key_is_found_once() -> None:
    stripes = theirs(payment("ann"), refund_record("ann"), refund_record("ann", id="re_again", created_at=AT))
    found = only(ours(charge("ann"), refund("ann")), stripes)
    assert (found.kind, found.theirs and found.theirs.id) == ("unknown_refund", "re_again")


def test_a_refund_is_known_by_its_key_before_its_id_is_stored_but_not_by_that_of_another_payment() -> None:
    mine = ours(charge("ann"), refund("ann", refund=None, state=RefundState.SUCCEEDED))
    assert kinds(mine, theirs(payment("ann"), refund_record("ann"))) == []
    assert kinds(mine, theirs(payment("ann"), refund_record("ann", payment="pi_other"))) == ["refund_missing"]


# --- all of it ------------------------------------------------------------------------------------------------------


def test_what_changed_while_stripe_was_asked_is_in_doubt_where_stripe_lacks_it() -> None:
    moving = frozenset({key_of("ann"), key_of("bob"), "refund_bob"})
    mine = ours(charge("ann"), charge("bob"), refund("bob"), charge("cy"))
    assert kinds(mine, theirs(payment("bob", amount=1)), moving) == [
        "in_doubt",
        "amount_differs",
        "in_doubt",
        "bill_without_charge",
    ]


def test_the_order_of_what_is_given_changes_nothing() -> None:
    mine = [
        *(charge(name) for name in "abcdef"),
        charge("g", state=ChargeState.UNKNOWN),
        charge("h", intent=None, reason=SETTLED),
        *(refund(name) for name in "abc"),
    ]
    stripes = [
        *(payment(name) for name in "ace"),
        payment("b", amount=1, customer="cus_x"),
        *(payment("e", id=f"pi_e{number}") for number in range(3)),
        payment("z"),
        *(by_hand(name) for name in "ahy"),
        by_hand("h", id="pi_h_second"),
        refund_record("a"),
        refund_record("b", amount=1),
        refund_record("e", refund_key=None),
        refund_record("e", id="re_e2", refund_key=None),
    ]
    expected = compare(ours(*mine), theirs(*stripes))
    assert {found.kind for found in expected} == set(FindingKind) - {FindingKind.CURRENCY_DIFFERS}
    shuffled = random.Random(7)
    for _ in range(20):
        shuffled.shuffle(mine)
        shuffled.shuffle(stripes)
        assert compare(ours(*mine), theirs(*stripes)) == expected


def test_both_sides_are_added_up_by_currency() -> None:
    mine = ours(
        charge("ann"),
        charge("bob", amount=500, currency="JPY"),
        charge("cy", state=ChargeState.DECLINED),
        charge("dee", intent=None, reason=SETTLED),
        refund("ann"),
        refund("bob", state=RefundState.FAILED),
    )
    stripes = theirs(
        payment("ann"),
        payment("bob", amount=400, currency="JPY"),
        payment("cy", status="canceled", succeeded=False),
        by_hand("ann", amount=100, currency="EUR"),
        refund_record("ann", state=RefundState.PENDING),
        refund_record("bob", currency="JPY", state=RefundState.FAILED),
    )
    assert total(mine, stripes) == (
        Total("EUR", 0, 100, 0, 0, 0),
        Total("JPY", 500, 400, 0, 0, 0),
        Total("USD", 12_050, 12_050, 2_000, 2_000, 12_050),
    )
