from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest
import stripe

from connectors.stripe.charge import ChargeParameters, StripeCharge
from connectors.stripe_sandbox import Sandbox, start_sandbox
from engine.connector import BusinessError, ChargeState, Completed, Fatal, Outcome, Retryable, Unknown
from engine.errors import LeaseLost
from tests.doubles.context import Context, job_request
from tests.doubles.ledger import MemoryLedger, Moment, ProcessKilled

KEY = "sk_test_sandbox"
CHARGE_KEY = "monthly-card-charge|ann@example.com|2026-10"
MINUTE, DAY_AND_HOUR, MONTH = 60, 25 * 3600, 31 * 86400
CREATE, CONFIRM = "/v1/payment_intents", "/v1/payment_intents/*/confirm"
LONGEST_SERIES = 6


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with start_sandbox() as sandbox:
        assert isinstance(open_shop(sandbox).work(), Completed)  # its first requests are slow: it builds its checks then
        yield sandbox


@dataclass
class Shop:
    """One customer at the sandbox, and a worker that charges them."""

    sandbox: Sandbox
    connector: StripeCharge
    client: stripe.StripeClient
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    customer: str = ""
    period: str = "2026-10"

    def give_card(self, behaves_as: str) -> str:
        """A new default card."""
        card = self.client.v1.payment_methods.attach("pm_card_visa", {"customer": self.customer}).id
        self.sandbox.control.change_card(card, behaves_as)
        self.client.v1.customers.update(self.customer, {"invoice_settings": {"default_payment_method": card}})
        return card

    def work(self, commit: bool = True, **changes: Any) -> Outcome:
        """One run of the job, and what the worker does with its outcome."""
        names = {"amount", "currency", "stripe_customer", "description", "approved_by"}
        given = {
            "amount": 12050,
            "currency": "USD",
            "stripe_customer": self.customer,
            "description": "Bill",
            "approved_by": "kim",
        }
        parameters = ChargeParameters.model_validate(given | {name: changes.pop(name) for name in names & changes.keys()})
        request = job_request("stripe.charge", parameters, **({"customer": "ann@example.com", "period": self.period} | changes))
        outcome = self.connector.run(request, Context(ledger=self.ledger))
        charge = getattr(outcome, "charge", None)
        if commit and charge is not None:
            self.ledger.commit(charge)
        return outcome

    def work_until_known(self, **changes: Any) -> Outcome:
        """Run again, as the worker does, while the outcome asks for it."""
        for _ in range(LONGEST_SERIES):
            outcome = self.work(**changes)
            if not isinstance(outcome, Retryable | Unknown):
                return outcome
        return outcome

    def work_and_survive(self) -> Outcome | None:
        """One run; None where the process was killed in it."""
        try:
            return self.work()
        except ProcessKilled:
            return None

    @property
    def row(self) -> Any:
        return next(iter(self.ledger.rows.values()))

    @property
    def succeeded(self) -> bool:
        return bool(self.ledger.rows) and self.row.state is ChargeState.SUCCEEDED

    @property
    def taken(self) -> tuple[int, dict[str, int]]:
        """How many charges succeeded, and the sums by currency."""
        state = self.sandbox.control.state()
        return state["charges_taken"], state["charged"]

    @property
    def tried(self) -> int:
        """How many charges were tried, declined ones among them."""
        return self.sandbox.control.state()["counts"].get("charge", 0)

    def requests(self) -> list[str]:
        return [f"{each['method']} {each['path'].removeprefix('/v1/')}" for each in self.sandbox.control.requests()]


@pytest.fixture
def shop(running: Sandbox) -> Shop:
    return open_shop(running)


def open_shop(running: Sandbox, read_timeout: float = 20) -> Shop:
    running.control.reset()
    running.control.set_latency(0)
    client = stripe.StripeClient(KEY, base_addresses={"api": running.url})
    made = Shop(running, StripeCharge(KEY, running.url, live=False, read_timeout=read_timeout), client)
    made.customer = client.v1.customers.create({"name": "Ann"}).id
    made.give_card("pm_card_visa")
    return made


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
    ("card", "reason"),
    [
        ("chargeDeclined", "generic_decline/try_again_later"),
        ("chargeDeclinedInsufficientFunds", "insufficient_funds/try_again_later"),
        ("chargeDeclinedLostCard", "lost_card/do_not_try_again"),
        ("chargeDeclinedStolenCard", "stolen_card/do_not_try_again"),
        ("chargeDeclinedExpiredCard", "expired_card/confirm_card_data"),
        ("radarBlock", "fraudulent/do_not_try_again"),
    ],
)
def test_a_declined_card_is_a_bpmn_error_and_only_the_ledger_knows_why(shop: Shop, card: str, reason: str) -> None:
    shop.give_card(f"pm_card_{card}")
    outcome = shop.work()
    assert isinstance(outcome, BusinessError)
    assert (outcome.code, outcome.message) == ("card_declined", "The card was declined.")
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
    assert isinstance(outcomes[-1], BusinessError)
    assert "no more" in outcomes[-1].message
    shop.give_card("pm_card_visa")
    assert isinstance(shop.work(), BusinessError)
    assert shop.taken == (0, {})


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


# --- in doubt ---

FAULTS = ("drop_before", "drop_after", "hang", "hang_before", "truncated", "garbled", "409", "429", "500_before", "500_after")


def plan(shop: Shop, kind: str, path: str) -> None:
    taken = {"taken": False} if kind == "hang_before" else {}
    seconds = {"seconds": 1.5} if kind.startswith("hang") else {}
    if seconds:
        shop.connector = StripeCharge(KEY, shop.sandbox.url, live=False, read_timeout=0.5)
    shop.sandbox.control.add_fault(kind.removesuffix("_before") if taken else kind, method="POST", path=path, **taken, **seconds)


@pytest.mark.parametrize("later", [MINUTE, DAY_AND_HOUR, MONTH])
@pytest.mark.parametrize("kind", FAULTS)
def test_trouble_while_creating_is_tried_again_and_charges_once(shop: Shop, kind: str, later: int) -> None:
    plan(shop, kind, CREATE)
    assert isinstance(shop.work(), Retryable)
    assert shop.row.state is ChargeState.PREPARED
    shop.sandbox.control.advance(later)
    assert isinstance(shop.work(), Completed)
    assert shop.taken == (1, {"usd": 12050})


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
    ("card", "code"), [("chargeDeclined", "card_declined"), ("authenticationRequired", "authentication_required")]
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


@pytest.mark.parametrize("kind", ["drop_before", "garbled", "500_after", "429"])
def test_a_look_that_fails_leaves_the_doubt(shop: Shop, kind: str) -> None:
    plan(shop, "drop_after", CONFIRM)
    shop.work()
    shop.sandbox.control.add_fault(kind, method="GET")
    assert isinstance(shop.work(), Unknown)
    assert shop.row.state is ChargeState.UNKNOWN
    assert isinstance(shop.work(), Completed)
    assert shop.taken == (1, {"usd": 12050})


@pytest.mark.parametrize(("succeeds", "outcome", "sum_taken"), [(True, Completed, {"usd": 12050}), (False, BusinessError, {})])
def test_a_slow_card_network_is_waited_for(shop: Shop, succeeds: bool, outcome: type, sum_taken: dict[str, int]) -> None:
    plan(shop, "processing", CONFIRM)
    for _ in range(3):
        assert isinstance(shop.work(), Unknown)
        assert shop.row.state is ChargeState.UNKNOWN
    shop.sandbox.control.settle(shop.row.intent, succeeds)
    assert isinstance(shop.work(), outcome)
    assert (shop.tried, shop.taken[1]) == (1, sum_taken)


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
