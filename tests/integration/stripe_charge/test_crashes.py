"""`stripe.charge` over HTTP: workers that die at any point, and bills that were begun otherwise."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from connectors.stripe_sandbox import Sandbox
from engine.connector import BusinessError, ChargeState, Completed, Fatal, Retryable, Unknown
from engine.errors import LeaseLost
from tests.builders.stripe_shop import (
    CHARGE_KEY,
    CONFIRM,
    CREATE,
    DAY_AND_HOUR,
    LONGEST_SERIES,
    MINUTE,
    MONTH,
    Shop,
    open_shop,
    plan,
)
from tests.doubles.ledger import MemoryLedger, Moment, ProcessKilled

# --- crashes ---

METHODS = ("prepare", "record_intent", "begin_confirm", "commit")
CRASHES = list(product(METHODS, Moment))


@pytest.mark.parametrize("later", [MINUTE, DAY_AND_HOUR, MONTH])
@pytest.mark.parametrize(("method", "moment"), CRASHES)
@pytest.mark.parametrize(("card", "final", "charges"), [("visa", Completed, 1), ("chargeDeclined", BusinessError, 0)])
def test_a_killed_worker_leaves_a_charge_that_the_next_one_finishes_once(
    shop: Shop, card: str, final: type, charges: int, method: str, moment: Moment, later: int
) -> None:
    shop.give_card(f"pm_card_{card}")
    shop.ledger.break_at(method, moment)
    assert shop.work_and_survive() is None
    if (method, moment) == ("commit", Moment.AFTER):
        return  # the outcome and the step are committed: there is no next run
    shop.sandbox.control.advance(later)
    assert isinstance(shop.work_until_known(), final)
    assert shop.taken[0] == charges
    assert (shop.tried, shop.row.attempt) == (1, 1)


@pytest.mark.parametrize("later", [MINUTE, DAY_AND_HOUR, MONTH])
def test_whatever_breaks_and_whenever_a_bill_is_charged_exactly_once(running: Sandbox, later: int) -> None:
    kinds = ("drop_before", "drop_after", "garbled", "429", "500_before", "500_after")
    faults = [None, *product(kinds, (CREATE, CONFIRM))]
    shop = open_shop(running)
    for number, ((method, moment), fault) in enumerate(product(CRASHES, faults), 1):
        shop.ledger, shop.period = MemoryLedger(), f"{2000 + number}-10"
        shop.sandbox.control.clear_faults()
        if fault is not None:
            plan(shop, *fault)
        shop.ledger.break_at(method, moment)
        shop.work_and_survive()
        shop.sandbox.control.advance(later)
        for _ in range(LONGEST_SERIES):
            if not shop.succeeded:
                shop.work_and_survive()
        if not shop.succeeded:  # a saved error on confirm: in doubt for a day, and shown as such
            assert fault == ("500_before", CONFIRM)
            assert shop.row.state is ChargeState.UNKNOWN
            shop.sandbox.control.advance(DAY_AND_HOUR)
            shop.work()
        assert (shop.succeeded, shop.taken) == (True, (number, {"usd": number * 12050})), (method, moment, fault)


@pytest.mark.parametrize("later", [MINUTE, DAY_AND_HOUR, MONTH])
@pytest.mark.parametrize(("method", "moment"), [each for each in CRASHES if each[0] != "record_intent"][:-1])
def test_a_second_attempt_that_was_killed_is_finished_and_not_taken_for_the_first(
    shop: Shop, method: str, moment: Moment, later: int
) -> None:
    card = shop.give_card("pm_card_chargeDeclined")
    assert isinstance(shop.work(), BusinessError)
    shop.sandbox.control.change_card(card, "pm_card_visa")  # the same card has money again
    shop.ledger.break_at(method, moment)
    assert shop.work_and_survive() is None
    shop.sandbox.control.advance(later)
    assert isinstance(shop.work_until_known(), Completed)
    assert (shop.taken[0], shop.row.attempt, shop.tried) == (1, 2, 2)


def test_a_card_that_was_changed_during_the_crash_is_the_one_that_is_charged(shop: Shop) -> None:
    shop.give_card("pm_card_chargeDeclined")
    shop.ledger.break_at("record_intent", Moment.BEFORE)
    assert shop.work_and_survive() is None
    card = shop.give_card("pm_card_visa")
    assert isinstance(shop.work(), Completed)  # the create was answered again, with the customer as they were before
    assert (shop.row.payment_method, shop.tried) == (card, 1)


def test_a_worker_whose_lease_ended_sends_nothing_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> None:
        raise LeaseLost("Expected to hold the job, but another worker does. Do: nothing.")

    monkeypatch.setattr(shop.ledger, "begin_confirm", lost)
    with pytest.raises(LeaseLost):
        shop.work()
    assert not any(request.endswith("/confirm") for request in shop.requests())


def test_workers_that_hold_the_same_charge_at_once_charge_it_once(running: Sandbox) -> None:
    shop = open_shop(running)
    running.control.set_latency(30)
    workers = [threading.Thread(target=shop.work) for _ in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    running.control.set_latency(0)
    assert isinstance(shop.work_until_known(), Completed)
    assert (shop.taken, shop.tried) == ((1, {"usd": 12050}), 1)


# --- bills that were begun otherwise ---


def test_a_bill_that_is_charged_stays_charged(shop: Shop) -> None:
    first = shop.work()
    assert shop.work() == first
    for changes in ({"instance": "i9"}, {"amount": 999}, {"instance": "i9", "stripe_customer": "cus_other"}):
        outcome = shop.work(**changes)
        assert isinstance(outcome, Fatal)
        assert "i4 was charged 120.50 USD" in outcome.reason
    assert shop.taken == (1, {"usd": 12050})


@pytest.mark.parametrize("card", ["visa", "chargeDeclined", "authenticationRequired"])
@pytest.mark.parametrize(("method", "moment"), [*CRASHES[:-2], (None, None)])
def test_a_cancelled_instances_charge_is_cancelled_before_another_is_made(
    shop: Shop, card: str, method: str | None, moment: Moment | None
) -> None:
    shop.give_card(f"pm_card_{card}")
    if method is not None and moment is not None:
        shop.ledger.break_at(method, moment)
    first = shop.work_and_survive()
    shop.give_card("pm_card_mastercard")
    second = shop.work_until_known(instance="i9", amount=777)
    if isinstance(first, Completed):
        assert isinstance(second, Fatal)
        assert shop.taken == (1, {"usd": 12050})
        return
    assert isinstance(second, Completed)
    assert shop.taken == (1, {"usd": 777})
    assert (shop.row.request.instance, shop.row.request.amount) == ("i9", 777)
    assert shop.row.generation == (1 if (method, moment) == ("prepare", Moment.BEFORE) else 2)


def test_a_charge_that_was_taken_unnoticed_is_not_repeated_for_another_instance(shop: Shop) -> None:
    shop.ledger.break_at("commit", Moment.BEFORE)
    assert shop.work_and_survive() is None
    outcome = shop.work(instance="i9", amount=777)
    assert isinstance(outcome, Fatal)
    assert "i4 was charged 120.50 USD" in outcome.reason
    assert shop.taken == (1, {"usd": 12050})
    assert (shop.row.state, shop.row.request.instance) == (ChargeState.SUCCEEDED, "i4")  # the ledger knows it from now on


def test_a_charge_that_is_under_way_is_not_replaced(shop: Shop) -> None:
    plan(shop, "processing", CONFIRM)
    shop.work()
    assert isinstance(shop.work(instance="i9", amount=777), Unknown)
    shop.sandbox.control.settle(shop.row.intent, False)
    assert isinstance(shop.work(instance="i9", amount=777), Completed)
    assert shop.taken == (1, {"usd": 777})


def test_a_corrected_customer_is_charged_although_the_first_one_did_not_exist(shop: Shop) -> None:
    assert isinstance(shop.work(stripe_customer="cus_nobody"), Fatal)
    assert isinstance(shop.work(instance="i9"), Completed)
    assert shop.row.request.stripe_customer == shop.customer


@pytest.mark.parametrize("moment", Moment)
def test_a_killed_replacement_is_finished(shop: Shop, moment: Moment) -> None:
    shop.give_card("pm_card_chargeDeclined")
    shop.work()
    shop.give_card("pm_card_visa")
    shop.ledger.break_at("replace_intent", moment)
    with pytest.raises(ProcessKilled):
        shop.work(instance="i9")
    assert isinstance(shop.work(instance="i9"), Completed)
    assert shop.taken == (1, {"usd": 12050})
    assert shop.sandbox.control.state()["payment_intents"] == {"canceled": 1, "succeeded": 1}


def test_a_cancel_that_fails_keeps_the_old_charge_until_it_is_known_to_be_cancelled(shop: Shop) -> None:
    shop.give_card("pm_card_chargeDeclined")
    shop.work()
    shop.give_card("pm_card_visa")
    plan(shop, "drop_after", "/v1/payment_intents/*/cancel")
    assert isinstance(shop.work(instance="i9"), Retryable)
    assert shop.row.generation == 1
    assert isinstance(shop.work(instance="i9"), Completed)
    assert shop.row.generation == 2


def test_an_intent_that_somebody_changed_at_stripe_is_not_charged(shop: Shop) -> None:
    shop.ledger.break_at("begin_confirm", Moment.BEFORE)
    assert shop.work_and_survive() is None
    shop.client.v1.payment_intents.update(shop.row.intent, {"amount": 99999})
    for changes in ({}, {"instance": "i9"}):
        outcome = shop.work(**changes)
        assert isinstance(outcome, Fatal)
        assert "99999 USD" in outcome.reason
    assert shop.taken == (0, {})


@pytest.mark.parametrize("changes", [{}, {"instance": "i9"}], ids=["the same instance", "the one after it"])
def test_a_person_ends_a_mismatch_by_cancelling_the_intent_at_stripe(shop: Shop, changes: dict[str, Any]) -> None:
    shop.ledger.break_at("begin_confirm", Moment.BEFORE)
    assert shop.work_and_survive() is None
    shop.client.v1.payment_intents.update(shop.row.intent, {"amount": 99999})
    assert isinstance(shop.work(**changes), Fatal)
    shop.client.v1.payment_intents.cancel(shop.row.intent)
    if not changes:  # a person is asked by the diagram before the bill is begun anew
        assert isinstance(shop.work(), BusinessError)
        assert shop.row.state is ChargeState.CANCELED
    assert isinstance(shop.work(**changes), Completed)
    assert (shop.row.generation, shop.taken) == (2, (1, {"usd": 12050}))


def test_an_intent_that_somebody_cancelled_at_stripe_asks_a_person_before_another_is_made(shop: Shop) -> None:
    shop.ledger.break_at("begin_confirm", Moment.BEFORE)
    assert shop.work_and_survive() is None
    shop.client.v1.payment_intents.cancel(shop.row.intent)
    outcome = shop.work()
    assert isinstance(outcome, BusinessError)
    assert (outcome.code, shop.row.state) == ("card_declined", ChargeState.CANCELED)
    assert isinstance(shop.work(), Completed)
    assert (shop.row.generation, shop.taken) == (2, (1, {"usd": 12050}))


def test_a_bill_that_was_begun_in_live_mode_is_not_touched_with_a_test_key(shop: Shop) -> None:
    shop.ledger.break_at("begin_confirm", Moment.BEFORE)
    assert shop.work_and_survive() is None
    shop.ledger.rows[CHARGE_KEY] = replace(shop.row, request=replace(shop.row.request, livemode=True))
    outcome = shop.work()
    assert isinstance(outcome, Fatal)
    assert "live key" in outcome.reason
