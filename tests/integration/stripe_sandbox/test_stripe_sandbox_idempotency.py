"""Idempotency keys: https://docs.stripe.com/api/idempotent_requests and https://docs.stripe.com/error-low-level#idempotency."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from connectors.stripe_sandbox import Sandbox
from tests.integration.stripe_sandbox.clients import told

NEW = {"amount": 4200, "currency": "eur"}
DAY = 86_400


def test_a_repeated_post_gets_the_first_result_and_does_nothing(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    first = client.v1.payment_intents.create(NEW, {"idempotency_key": "create|a"})  # type: ignore[arg-type]
    second = client.v1.payment_intents.create(NEW, {"idempotency_key": "create|a"})  # type: ignore[arg-type]
    assert (second.id, second.created) == (first.id, first.created)
    assert second.last_response is not None
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert sandbox.control.state()["counts"]["payment_intent"] == 1


def test_without_a_key_or_with_another_one_a_post_is_a_new_request(client: stripe.StripeClient) -> None:
    made = [client.v1.payment_intents.create(NEW, {"idempotency_key": key}).id for key in ("one", "two")]  # type: ignore[arg-type]
    made += [client.v1.payment_intents.create(NEW).id for _ in range(2)]  # type: ignore[arg-type]
    assert len(set(made)) == 4


def test_the_saved_result_is_that_of_then_not_of_now(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod
) -> None:
    created = client.v1.payment_intents.create(NEW, {"idempotency_key": "create|b"})  # type: ignore[arg-type]
    client.v1.payment_intents.cancel(created.id)
    assert client.v1.payment_intents.create(NEW, {"idempotency_key": "create|b"}).status == "requires_payment_method"  # type: ignore[arg-type]


def test_the_same_key_with_other_parameters_is_400(client: stripe.StripeClient) -> None:
    client.v1.payment_intents.create(NEW, {"idempotency_key": "create|c"})  # type: ignore[arg-type]
    with pytest.raises(stripe.IdempotencyError) as refused:
        client.v1.payment_intents.create({"amount": 4300, "currency": "eur"}, {"idempotency_key": "create|c"})
    assert (refused.value.http_status, told(refused).type) == (400, "idempotency_error")


def test_the_order_of_the_parameters_does_not_matter(client: stripe.StripeClient) -> None:
    first = client.v1.payment_intents.create({"amount": 4200, "currency": "eur"}, {"idempotency_key": "create|o"})
    second = client.v1.payment_intents.create({"currency": "eur", "amount": 4200}, {"idempotency_key": "create|o"})
    assert second.id == first.id


def test_the_same_key_at_another_endpoint_is_400(client: stripe.StripeClient, intent: stripe.PaymentIntent) -> None:
    client.v1.payment_intents.create(NEW, {"idempotency_key": "create|d"})  # type: ignore[arg-type]
    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.cancel(intent.id, None, {"idempotency_key": "create|d"})


def test_a_decline_is_saved_and_a_new_attempt_needs_a_new_key(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    sandbox.control.change_card(card.id, "pm_card_chargeDeclinedInsufficientFunds")
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id}, {"idempotency_key": "confirm|1"})
        assert told(declined).decline_code == "insufficient_funds"
    assert sandbox.control.state()["counts"]["charge"] == 1
    sandbox.control.change_card(card.id, "pm_card_visa")
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id}, {"idempotency_key": "confirm|1"})
    paid = client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id}, {"idempotency_key": "confirm|2"})
    assert paid.status == "succeeded"


@pytest.mark.parametrize(("kind", "taken"), [("500_before", 0), ("500_after", 1)])
def test_a_server_error_is_saved_whether_or_not_the_charge_was_taken(
    client: stripe.StripeClient,
    intent: stripe.PaymentIntent,
    card: stripe.PaymentMethod,
    sandbox: Sandbox,
    kind: str,
    taken: int,
) -> None:
    sandbox.control.add_fault(kind, path="*/confirm")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id}, {"idempotency_key": "confirm|1"})
        assert failed.value.http_status == 500
    assert sandbox.control.state()["charges_taken"] == taken
    assert (client.v1.payment_intents.retrieve(intent.id).status == "succeeded") == bool(taken)


def test_nothing_is_saved_when_the_parameters_are_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create({"amount": 1, "currency": "eur"}, {"idempotency_key": "create|e"})
    intent = client.v1.payment_intents.create(NEW, {"idempotency_key": "create|e"})  # type: ignore[arg-type]
    assert intent.status == "requires_payment_method"


def test_nothing_is_saved_when_the_request_was_dropped_before_it_was_taken(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    sandbox.control.add_fault("drop_before", method="POST")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(NEW, {"idempotency_key": "create|f"})  # type: ignore[arg-type]
    other = client.v1.payment_intents.create({"amount": 4300, "currency": "eur"}, {"idempotency_key": "create|f"})
    assert other.amount == 4300


def test_a_key_in_flight_is_409_for_everybody_else(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    client.v1.payment_intents.list()
    sandbox.control.set_latency(400)

    def create() -> str:
        try:
            return client.v1.payment_intents.create(NEW, {"idempotency_key": "create|g"}).id  # type: ignore[arg-type]
        except stripe.APIError as refused:
            return f"{refused.http_status} {refused.error.code if refused.error else None}"

    with ThreadPoolExecutor(3) as pool:
        answers = sorted(pool.map(lambda _: create(), range(3)))
    assert answers[:2] == ["409 idempotency_key_in_use"] * 2
    assert answers[2].startswith("pi_")
    sandbox.control.set_latency(0)
    assert create() == answers[2]


def test_a_key_is_forgotten_after_24_hours_and_then_makes_a_new_request(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    first = client.v1.payment_intents.create(NEW, {"idempotency_key": "create|h"})  # type: ignore[arg-type]
    sandbox.control.advance(DAY - 60)
    assert client.v1.payment_intents.create(NEW, {"idempotency_key": "create|h"}).id == first.id  # type: ignore[arg-type]
    sandbox.control.advance(60)
    assert client.v1.payment_intents.create(NEW, {"idempotency_key": "create|h"}).id != first.id  # type: ignore[arg-type]


def test_a_key_has_at_most_255_characters(client: stripe.StripeClient) -> None:
    assert client.v1.payment_intents.create(NEW, {"idempotency_key": "k" * 255}).id  # type: ignore[arg-type]
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        client.v1.payment_intents.create(NEW, {"idempotency_key": "k" * 256})  # type: ignore[arg-type]


def test_only_post_has_keys(client: stripe.StripeClient, intent: stripe.PaymentIntent) -> None:
    options: stripe.RequestOptions = {"idempotency_key": "look"}
    assert client.v1.payment_intents.retrieve(intent.id, None, options).status == "requires_payment_method"
    client.v1.payment_intents.cancel(intent.id)
    assert client.v1.payment_intents.retrieve(intent.id, None, options).status == "canceled"
