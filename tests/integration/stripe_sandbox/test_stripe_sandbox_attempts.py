"""What an attempt must bring along: https://docs.stripe.com/api/payment_intents/confirm and https://docs.stripe.com/payments/save-and-reuse."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from connectors.stripe_sandbox import Sandbox
from tests.integration.stripe_sandbox.clients import told


def create(client: stripe.StripeClient, **params: Any) -> stripe.PaymentIntent:
    given: Any = {"amount": 4200, "currency": "eur", **params}
    return client.v1.payment_intents.create(given)


def test_setting_a_card_up_needs_a_customer_and_a_session(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    pay = {"payment_method": "pm_card_visa", "confirm": True, "setup_future_usage": "off_session"}
    with pytest.raises(stripe.InvalidRequestError) as off_session:
        create(client, **pay, customer=customer.id, off_session=True)
    assert off_session.value.param == "setup_future_usage"
    with pytest.raises(stripe.InvalidRequestError) as nobody:
        create(client, **pay, allowed_payment_method_types=["card"])
    assert nobody.value.param == "customer"


def test_what_cannot_be_confirmed_at_once_is_not_created(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create(client, customer=customer.id, confirm=True, off_session=True)
    assert refused.value.code == "payment_intent_unexpected_state"
    assert client.v1.payment_intents.list().data == []
    assert client.v1.events.list({"type": "payment_intent.*"}).data == []


def test_an_attempt_is_for_the_whole_amount(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod
) -> None:
    partial: Any = {"payment_method": card.id, "off_session": True, "amount_to_confirm": 4199}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.confirm(intent.id, partial)
    assert refused.value.param == "amount_to_confirm"
    assert client.v1.payment_intents.confirm(intent.id, partial | {"amount_to_confirm": 4200}).status == "succeeded"


def test_the_allowed_types_can_be_narrowed_when_confirming(client: stripe.StripeClient, card: stripe.PaymentMethod) -> None:
    intent = create(client, customer=str(card.customer))
    narrowed: Any = {"payment_method": card.id, "allowed_payment_method_types": ["card"]}
    assert client.v1.payment_intents.confirm(intent.id, narrowed).status == "succeeded"


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ({"allowed_payment_method_types": ["sepa_debit"]}, "allowed_payment_method_types"),
        (
            {"allowed_payment_method_types": ["card"], "automatic_payment_methods": {"enabled": True}},
            "automatic_payment_methods",
        ),
    ],
)
def test_the_allowed_types_include_cards_and_are_not_automatic_too(
    client: stripe.StripeClient, choice: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create(client, **choice)
    assert refused.value.param == param


def test_a_customer_who_is_redirected_knows_where_to_come_back_to(
    client: stripe.StripeClient, intent: stripe.PaymentIntent
) -> None:
    page = "https://shop.example/back"
    asked = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_authenticationRequired", "return_url": page})
    assert asked.next_action is not None
    assert asked.next_action.redirect_to_url is not None
    assert (asked.next_action.type, asked.next_action.redirect_to_url.return_url) == ("redirect_to_url", page)


def test_the_bank_and_the_network_answer_only_what_was_asked(sandbox: Sandbox, intent: stripe.PaymentIntent) -> None:
    with pytest.raises(ValueError, match="requires_action"):
        sandbox.control.authenticate(intent.id)
    with pytest.raises(ValueError, match="processing"):
        sandbox.control.settle(intent.id)


def test_cancelling_releases_what_was_authorized(
    client: stripe.StripeClient, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    held = {"capture_method": "manual", "confirm": True, "off_session": True}
    intent = create(client, **held, customer=str(card.customer), payment_method=card.id)
    canceled = client.v1.payment_intents.cancel(intent.id, {"expand": ["latest_charge"]})
    assert (canceled.status, canceled.amount_capturable) == ("canceled", 0)
    assert canceled.latest_charge.refunded is True  # type: ignore[union-attr]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.capture(intent.id)
    assert told(refused).payment_intent.status == "canceled"
    assert sandbox.control.state()["charged"] == {}


def test_a_card_of_somebody_else_is_not_attached_again(client: stripe.StripeClient, card: stripe.PaymentMethod) -> None:
    other = client.v1.customers.create({"name": "Bob"})
    with pytest.raises(stripe.InvalidRequestError, match="another one has it"):
        client.v1.payment_methods.attach(card.id, {"customer": other.id})
    with pytest.raises(stripe.InvalidRequestError) as nobody:
        client.v1.payment_methods.attach("pm_card_visa", {})
    assert (nobody.value.param, nobody.value.code) == ("customer", "parameter_missing")


def test_a_cursor_is_an_object_of_the_list_and_there_is_one(client: stripe.StripeClient, intent: stripe.PaymentIntent) -> None:
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        client.v1.payment_intents.list({"starting_after": "pi_none"})
    assert (unknown.value.param, unknown.value.code) == ("starting_after", "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as both:
        client.v1.payment_intents.list({"starting_after": intent.id, "ending_before": intent.id})
    assert both.value.param == "ending_before"
