"""`stripe.charge` over HTTP: what Stripe left open, and what it refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.connector import BusinessError, ChargeState, Completed, Fatal, Retryable, Unknown
from tests.builders.stripe_shop import (
    CONFIRM,
    CREATE,
    DAY_AND_HOUR,
    FAULTS,
    MINUTE,
    MONTH,
    Shop,
    plan,
)
from tests.doubles.context import CountedPermits
from tests.doubles.ledger import Moment

# --- in doubt ---


@pytest.mark.parametrize("later", [MINUTE, DAY_AND_HOUR, MONTH])
@pytest.mark.parametrize("kind", FAULTS)
def test_trouble_while_creating_is_tried_again_and_charges_once(shop: Shop, kind: str, later: int) -> None:
    plan(shop, kind, CREATE)
    assert isinstance(shop.work(), Retryable)
    assert shop.row.state is ChargeState.PREPARED
    shop.sandbox.control.advance(later)
    assert isinstance(shop.work(), Completed)
    assert shop.taken == (1, {"usd": 12050})


def test_an_intent_whose_creation_went_unheard_is_taken_up_and_no_second_one_made(shop: Shop) -> None:
    plan(shop, "drop_after", CREATE)
    assert isinstance(shop.work(), Retryable)
    assert isinstance(shop.work(), Completed)
    assert shop.sandbox.control.state()["payment_intents"] == {"succeeded": 1}


@pytest.mark.parametrize("later", [MINUTE, DAY_AND_HOUR, MONTH])
@pytest.mark.parametrize("kind", FAULTS)
def test_trouble_while_confirming_is_in_doubt_until_stripe_shows_the_truth(shop: Shop, kind: str, later: int) -> None:
    plan(shop, kind, CONFIRM)
    first = shop.work()
    assert isinstance(first, Retryable if kind == "429" else Unknown)
    assert shop.row.state is (ChargeState.CONFIRMING if kind == "429" else ChargeState.UNKNOWN)
    shop.sandbox.control.advance(later)
    if (kind, later) == (
        "500_before",
        MINUTE,
    ):  # the saved error is all that this key gives for a day, and another key is never used
        assert isinstance(shop.work_until_known(), Unknown)
        assert shop.taken == (0, {})
        shop.sandbox.control.advance(DAY_AND_HOUR)
    assert isinstance(shop.work_until_known(), Completed)
    assert shop.taken == (1, {"usd": 12050})


@pytest.mark.parametrize("later", [MINUTE, DAY_AND_HOUR, MONTH])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "garbled", "500_after"])
@pytest.mark.parametrize(
    ("card", "code"), [("chargeDeclined", "card_declined_for_now"), ("authenticationRequired", "authentication_required")]
)
def test_a_decline_whose_answer_was_lost_is_found_and_not_tried_again(
    shop: Shop, card: str, code: str, kind: str, later: int
) -> None:
    shop.give_card(f"pm_card_{card}")
    plan(shop, kind, CONFIRM)
    assert isinstance(shop.work(), Unknown)
    shop.sandbox.control.advance(later)
    outcome = shop.work()
    assert isinstance(outcome, BusinessError)
    assert outcome.code == code
    assert (shop.tried, shop.row.attempt, shop.taken) == (1, 1, (0, {}))


@pytest.mark.parametrize("kind", ["drop_before", "garbled", "500_after"])
def test_a_look_that_fails_leaves_the_doubt(shop: Shop, kind: str) -> None:
    plan(shop, "drop_after", CONFIRM)
    shop.work()
    shop.sandbox.control.add_fault(kind, method="GET")
    assert isinstance(shop.work(), Unknown)
    assert shop.row.state is ChargeState.UNKNOWN
    assert isinstance(shop.work(), Completed)
    assert shop.taken == (1, {"usd": 12050})


@pytest.mark.parametrize("code", ["rate_limit", "lock_timeout"])
@pytest.mark.parametrize("request_of", ["create", "confirm", "look"])
def test_a_request_that_stripe_has_no_time_for_is_put_off_and_uses_up_nothing(shop: Shop, request_of: str, code: str) -> None:
    if request_of == "look":
        plan(shop, "drop_after", CONFIRM)
        shop.work()
    where = {"create": CREATE, "confirm": CONFIRM}.get(request_of)
    shop.sandbox.control.add_fault("429", code=code, **({"path": where} if where else {"method": "GET"}))
    before = shop.row.state if request_of == "look" else None
    outcome = shop.work()
    assert isinstance(outcome, Retryable)
    assert not outcome.counts
    assert outcome.after is not None
    assert timedelta(seconds=1) <= outcome.after <= timedelta(seconds=5)
    assert code in outcome.reason
    assert shop.row.state is (before or {"create": ChargeState.PREPARED, "confirm": ChargeState.CONFIRMING}[request_of])
    assert isinstance(shop.work(), Completed)
    assert (shop.row.attempt, shop.taken) == (1, (1, {"usd": 12050}))


def test_each_request_takes_a_permit_of_the_keys_mode(shop: Shop) -> None:
    before = len(shop.requests())
    plan(shop, "drop_after", CONFIRM)
    shop.work()
    shop.work()
    assert len(shop.requests()) - before == 3
    assert shop.permits.taken == [("stripe test", 25)] * 3


class DatabaseGone(Exception):
    pass


class PermitsUntil(CountedPermits):
    """The database fails when one more than `most` are asked for."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def take(self, service: str, per_second: int) -> None:
        if len(self.taken) == self._most:
            raise DatabaseGone
        super().take(service, per_second)


def test_a_permit_that_cannot_be_had_leaves_a_charge_that_the_next_run_completes(shop: Shop) -> None:
    for permits, state in ((0, ChargeState.PREPARED), (1, ChargeState.CONFIRMING), (0, ChargeState.CONFIRMING)):
        shop.permits = PermitsUntil(permits)
        with pytest.raises(DatabaseGone):
            shop.work()
        assert shop.row.state is state
        assert shop.taken == (0, {})
    shop.permits = CountedPermits()
    assert isinstance(shop.work(), Completed)
    assert (shop.row.attempt, shop.taken) == (1, (1, {"usd": 12050}))


@pytest.mark.parametrize(("succeeds", "outcome", "sum_taken"), [(True, Completed, {"usd": 12050}), (False, BusinessError, {})])
def test_a_slow_card_network_is_waited_for(shop: Shop, succeeds: bool, outcome: type, sum_taken: dict[str, int]) -> None:
    plan(shop, "processing", CONFIRM)
    for _ in range(3):
        assert isinstance(shop.work(), Unknown)
        assert shop.row.state is ChargeState.UNKNOWN
    shop.sandbox.control.settle(shop.row.intent, succeeds)
    assert isinstance(shop.work(), outcome)
    assert (shop.tried, shop.taken[1]) == (1, sum_taken)


# --- a request that is refused ---


def forbid(shop: Shop, status: int = 403) -> None:
    """The next confirmation is refused, as with a key that may create but not confirm."""
    shop.sandbox.control.add_fault("refused", method="POST", path=CONFIRM, status=status)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_confirmation_that_is_refused_at_once_took_nothing_and_leaves_no_doubt(shop: Shop, status: int) -> None:
    forbid(shop, status)
    outcome = shop.work()
    assert isinstance(outcome, Fatal)
    assert f"HTTP {status}" in outcome.reason
    assert (shop.row.state, shop.row.attempt, shop.taken) == (ChargeState.CREATED, 1, (0, {}))
    assert f"HTTP {status}" in shop.row.reason
    assert isinstance(shop.work(), Completed)  # a person has put it right and retried
    assert (shop.row.attempt, shop.taken) == (2, (1, {"usd": 12050}))
    confirmations = [each for each in shop.sandbox.control.requests() if each["path"].endswith("/confirm")]
    assert len({each["idempotency_key"] for each in confirmations}) == 2


@pytest.mark.parametrize("first", ["drop_before", "drop_after", "garbled", "500_after"])
def test_an_attempt_in_doubt_stays_so_when_its_resending_is_refused(shop: Shop, first: str) -> None:
    plan(shop, first, CONFIRM)
    assert isinstance(shop.work(), Unknown)
    forbid(shop)
    shop.sandbox.control.add_fault("409", method="GET")  # it can't be seen at this moment whether it was taken
    assert isinstance(shop.work(), Unknown)
    outcome = shop.work()
    if first == "drop_before":  # it still waits at Stripe, so it was sent again
        assert isinstance(outcome, Unknown)  # a person who is told of a refusal would start anew
        assert shop.row.state is ChargeState.UNKNOWN
        outcome = shop.work()
    assert isinstance(outcome, Completed)
    assert (shop.row.attempt, shop.taken) == (1, (1, {"usd": 12050}))


def test_a_killed_workers_attempt_stays_in_doubt_when_the_next_ones_sending_is_refused(shop: Shop) -> None:
    shop.ledger.break_at("begin_confirm", Moment.AFTER)
    assert shop.work_and_survive() is None
    forbid(shop)
    assert isinstance(shop.work(), Unknown)
    assert shop.row.state is ChargeState.UNKNOWN
    assert isinstance(shop.work(), Completed)
    assert (shop.row.attempt, shop.taken) == (1, (1, {"usd": 12050}))


def test_a_refused_second_attempt_is_not_taken_for_the_first_ones_decline(shop: Shop) -> None:
    shop.give_card("pm_card_chargeDeclined")
    assert isinstance(shop.work(), BusinessError)
    shop.give_card("pm_card_visa")
    forbid(shop)
    assert isinstance(shop.work(), Fatal)
    plan(shop, "drop_before", CONFIRM)
    assert isinstance(shop.work(), Unknown)
    assert isinstance(shop.work(), Completed)
    assert (shop.row.attempt, shop.tried, shop.taken) == (3, 2, (1, {"usd": 12050}))
