"""Customers, cards and declines: https://docs.stripe.com/testing, https://docs.stripe.com/declines, https://docs.stripe.com/api/errors."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from connectors.stripe_sandbox import Sandbox
from tests.integration.stripe_sandbox.clients import told

DECLINES = [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline", "try_again_later"),
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline", "try_again_later"),
    ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds", "try_again_later"),
    ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card", "do_not_try_again"),
    ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card", "do_not_try_again"),
    ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent", "do_not_try_again"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None, "confirm_card_data"),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None, "confirm_card_data"),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", None, "try_again_later"),
]


@pytest.mark.parametrize(("card_name", "code", "decline_code", "advice"), DECLINES)
def test_a_declined_card_is_answered_with_402_and_the_intent_waits_for_another(
    client: stripe.StripeClient,
    intent: stripe.PaymentIntent,
    sandbox: Sandbox,
    card_name: str,
    code: str,
    decline_code: str | None,
    advice: str,
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card_name, "off_session": True})
    error = told(declined)
    assert declined.value.http_status == 402
    assert (error.type, error.code, error.decline_code, error.advice_code) == ("card_error", code, decline_code, advice)
    assert (error.payment_intent.id, error.payment_intent.status) == (intent.id, "requires_payment_method")
    after = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (after.payment_method, after.latest_charge.status) == (None, "failed")  # type: ignore[union-attr]
    assert after.last_payment_error is not None
    assert after.last_payment_error.code == code
    assert sandbox.control.state()["charges_taken"] == 0


def test_after_a_decline_the_same_intent_succeeds_with_another_card(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod
) -> None:
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined", "off_session": True})
    confirmed = client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    assert (confirmed.status, confirmed.last_payment_error) == ("succeeded", None)
    charges = client.v1.charges.list({"payment_intent": intent.id}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]


@pytest.mark.parametrize("card_name", ["pm_card_authenticationRequired", "pm_card_authenticationRequiredOnSetup"])
def test_off_session_a_card_that_needs_its_customer_is_refused(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, customer: stripe.Customer, card_name: str
) -> None:
    kept = client.v1.payment_methods.attach(card_name, {"customer": customer.id})
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": kept.id, "off_session": True})
    error = told(declined)
    assert (declined.value.http_status, error.code) == (402, "authentication_required")
    assert (error.payment_intent.id, error.payment_intent.status) == (intent.id, "requires_payment_method")
    assert error.payment_intent.last_payment_error.payment_method.id == kept.id


@pytest.mark.parametrize(("succeeds", "status"), [(True, "succeeded"), (False, "requires_payment_method")])
def test_on_session_the_customer_is_asked_and_the_same_intent_goes_on(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, sandbox: Sandbox, succeeds: bool, status: str
) -> None:
    asked = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_authenticationRequired"})
    assert asked.status == "requires_action"
    assert asked.next_action is not None
    assert sandbox.control.state()["charges_taken"] == 0
    sandbox.control.authenticate(intent.id, succeeds)
    after = client.v1.payment_intents.retrieve(intent.id)
    assert after.status == status
    assert sandbox.control.state()["charges_taken"] == int(succeeds)
    if not succeeds:
        assert after.last_payment_error is not None
        assert after.last_payment_error.code == "payment_intent_authentication_failure"


def test_an_attempt_can_be_told_to_fail_rather_than_ask(client: stripe.StripeClient, intent: stripe.PaymentIntent) -> None:
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.confirm(
            intent.id, {"payment_method": "pm_card_authenticationRequired", "error_on_requires_action": True}
        )
    assert declined.value.code == "authentication_required"


def test_a_card_that_was_set_up_on_session_passes_off_session_afterwards(
    client: stripe.StripeClient, customer: stripe.Customer, sandbox: Sandbox
) -> None:
    first = client.v1.payment_intents.create(
        {
            "amount": 4200,
            "currency": "eur",
            "customer": customer.id,
            "allowed_payment_method_types": ["card"],
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "setup_future_usage": "off_session",
            "confirm": True,
        }
    )
    assert first.status == "requires_action"
    sandbox.control.authenticate(first.id)
    [kept] = client.v1.customers.payment_methods.list(customer.id).data
    second = client.v1.payment_intents.create(
        {
            "amount": 4200,
            "currency": "eur",
            "customer": customer.id,
            "payment_method": kept.id,
            "confirm": True,
            "off_session": True,
        }
    )
    assert second.status == "succeeded"


def test_a_declining_card_cannot_be_kept_for_a_customer(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer.id})
    assert (declined.value.http_status, declined.value.code) == (402, "card_declined")
    assert client.v1.payment_methods.list({"customer": customer.id}).data == []


def test_one_documented_card_can_be_kept_and_declines_every_charge(
    client: stripe.StripeClient, customer: stripe.Customer, intent: stripe.PaymentIntent
) -> None:
    kept = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer.id})
    assert kept.customer == customer.id
    with pytest.raises(stripe.CardError, match="declined"):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": kept.id, "off_session": True})


def test_a_kept_card_can_go_bad_later(
    client: stripe.StripeClient, card: stripe.PaymentMethod, intent: stripe.PaymentIntent, sandbox: Sandbox
) -> None:
    sandbox.control.change_card(card.id, "pm_card_chargeDeclinedInsufficientFunds")
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    assert told(declined).decline_code == "insufficient_funds"


def test_a_default_card_is_one_of_the_customers_own(
    client: stripe.StripeClient, customer: stripe.Customer, card: stripe.PaymentMethod
) -> None:
    changed = client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": card.id}})
    assert changed.invoice_settings.default_payment_method == card.id  # type: ignore[union-attr]
    shown = client.v1.customers.retrieve(customer.id, {"expand": ["invoice_settings.default_payment_method"]})
    assert shown.invoice_settings.default_payment_method.card.brand == "visa"  # type: ignore[union-attr]
    other = client.v1.customers.create({"name": "Bob"})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.update(other.id, {"invoice_settings": {"default_payment_method": card.id}})
    assert refused.value.param == "invoice_settings[default_payment_method]"


def test_a_detached_card_is_gone_for_ever(
    client: stripe.StripeClient, customer: stripe.Customer, card: stripe.PaymentMethod, intent: stripe.PaymentIntent
) -> None:
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": card.id}})
    assert client.v1.payment_methods.detach(card.id).customer is None
    settings = client.v1.customers.retrieve(customer.id).invoice_settings
    assert settings is not None
    assert settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_methods.attach(card.id, {"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})


def test_a_card_pays_only_for_its_own_customer(client: stripe.StripeClient, card: stripe.PaymentMethod) -> None:
    other = client.v1.customers.create({"name": "Bob"})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({"amount": 4200, "currency": "eur", "customer": other.id, "payment_method": card.id})
    assert (refused.value.param, refused.value.code) == ("payment_method", "resource_missing")


def test_a_card_used_without_a_customer_is_used_up(client: stripe.StripeClient) -> None:
    loose = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    pay = {"amount": 4200, "currency": "eur", "payment_method": loose.id, "confirm": True, "off_session": True}
    assert client.v1.payment_intents.create(pay).status == "succeeded"  # type: ignore[arg-type]
    with pytest.raises(stripe.InvalidRequestError, match="used"):
        client.v1.payment_intents.create(pay)  # type: ignore[arg-type]


def test_brands_are_those_of_the_documented_cards(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    names = {"pm_card_visa": "visa", "pm_card_mastercard": "mastercard", "pm_card_amex": "amex"}
    brands = {name: client.v1.payment_methods.attach(name, {"customer": customer.id}).card.brand for name in names}  # type: ignore[union-attr]
    assert brands == names
    assert len(client.v1.payment_methods.list({"customer": customer.id, "type": "card"}).data) == 3


def test_a_kept_card_takes_metadata_and_billing_details(client: stripe.StripeClient, card: stripe.PaymentMethod) -> None:
    changed = client.v1.payment_methods.update(card.id, {"metadata": {"seat": "7"}, "billing_details": {"name": "Ada"}})
    assert changed.metadata is not None
    assert (changed.metadata["seat"], changed.billing_details.name) == ("7", "Ada")
    assert client.v1.payment_methods.retrieve(card.id).billing_details.name == "Ada"


@pytest.mark.parametrize(
    "params", [{"type": "sepa_debit"}, {"type": "card"}, {"type": "card", "card": {"number": "4242424242424242"}}]
)
def test_only_cards_from_test_tokens_are_created(client: stripe.StripeClient, params: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Expected"):
        client.v1.payment_methods.create(params)  # type: ignore[arg-type]


def test_an_email_address_must_be_one(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.create({"email": "ada"})
    assert (refused.value.code, refused.value.param) == ("email_invalid", "email")


def test_a_customer_is_not_created_with_a_card_that_declines(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError):
        client.v1.customers.create({"name": "Ada", "payment_method": "pm_card_chargeDeclined"})
    assert client.v1.customers.list().data == []
    created = client.v1.customers.create({"name": "Ada", "payment_method": "pm_card_visa"})
    assert len(client.v1.payment_methods.list({"customer": created.id}).data) == 1


def test_customers_are_created_changed_listed_and_deleted(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    changed = client.v1.customers.update(customer.id, {"email": "new@customer.example", "description": "first"})
    assert (changed.email, changed.name) == ("new@customer.example", "Ada")
    assert client.v1.customers.update(customer.id, {"description": ""}).description is None
    assert [each.id for each in client.v1.customers.list({"email": "new@customer.example"}).data] == [customer.id]
    assert client.v1.customers.delete(customer.id).deleted is True
    assert client.v1.customers.retrieve(customer.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({"amount": 4200, "currency": "eur", "customer": customer.id})
    assert (refused.value.code, refused.value.param) == ("resource_missing", "customer")


def test_an_unknown_id_is_404_in_the_path_and_400_in_a_parameter(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.payment_intents.retrieve("pi_none")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({"amount": 4200, "currency": "eur", "customer": "cus_none"})
    assert (refused.value.http_status, refused.value.param) == (400, "customer")
