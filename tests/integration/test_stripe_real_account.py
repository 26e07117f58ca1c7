"""The same scenarios against the sandbox and a real Stripe test account: run with STRIPE_TEST_KEY=sk_test_... set.

What is compared: statuses and codes, never texts. Nothing but test objects is made; a live key is never used.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from connectors.stripe_sandbox import start_sandbox
from tests.integration.stripe_sandbox.clients import client_of

KEY = os.environ.get("STRIPE_TEST_KEY", "")
pytestmark = pytest.mark.skipif(
    not KEY.startswith("sk_test_"),
    reason="not compared with a real Stripe account: set STRIPE_TEST_KEY to a secret test key (sk_test_...)",
)
NEW: dict[str, Any] = {"amount": 4200, "currency": "usd", "allowed_payment_method_types": ["card"]}


@pytest.fixture(scope="module")
def local() -> Iterator[stripe.StripeClient]:
    with start_sandbox() as sandbox:
        yield client_of(sandbox)


@pytest.fixture(scope="module")
def real() -> stripe.StripeClient:
    return stripe.StripeClient(KEY, http_client=stripe.RequestsClient(timeout=60), max_network_retries=2)


def observed(step: Callable[[], Any]) -> tuple[Any, ...]:
    """How a step ended: the object's status, or the error's status, type, code, decline code and parameter."""
    try:
        return ("answered", getattr(step(), "status", None))
    except stripe.StripeError as refused:
        error = refused.error
        fields = ("type", "code", "decline_code", "param")
        return (refused.http_status, *(getattr(error, name, None) for name in fields))


def pay(client: stripe.StripeClient, card: str, **confirm: Any) -> list[tuple[Any, ...]]:
    customer = client.v1.customers.create({"name": "sandbox comparison"})
    seen: list[tuple[Any, ...]] = []
    attempt: Any = {"payment_method": card, **confirm}
    try:
        intent = client.v1.payment_intents.create({**NEW, "customer": customer.id})  # type: ignore[typeddict-item]
        seen.append(("created", intent.status))
        seen.append(observed(lambda: client.v1.payment_intents.confirm(intent.id, attempt)))
        after = client.v1.payment_intents.retrieve(intent.id)
        seen.append(("after", after.status, after.payment_method is None, after.amount_received))
    finally:
        client.v1.customers.delete(customer.id)
    return seen


@pytest.mark.parametrize(
    "card",
    [
        "pm_card_visa",
        "pm_card_mastercard",
        "pm_card_visa_chargeDeclined",
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "pm_card_visa_chargeDeclinedLostCard",
        "pm_card_visa_chargeDeclinedStolenCard",
        "pm_card_chargeDeclinedExpiredCard",
        "pm_card_chargeDeclinedIncorrectCvc",
        "pm_card_chargeDeclinedProcessingError",
        "pm_card_authenticationRequired",
        "pm_card_authenticationRequiredOnSetup",
    ],
)
def test_off_session_charges_end_alike(local: stripe.StripeClient, real: stripe.StripeClient, card: str) -> None:
    assert pay(local, card, off_session=True) == pay(real, card, off_session=True)


@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_authenticationRequired"])
def test_on_session_charges_end_alike(local: stripe.StripeClient, real: stripe.StripeClient, card: str) -> None:
    assert pay(local, card) == pay(real, card)


@pytest.mark.parametrize(
    "card", ["pm_card_visa", "pm_card_visa_chargeDeclined", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"]
)
def test_cards_are_kept_alike(local: stripe.StripeClient, real: stripe.StripeClient, card: str) -> None:
    def keep(client: stripe.StripeClient) -> tuple[Any, ...]:
        customer = client.v1.customers.create({"name": "sandbox comparison"})
        try:
            return observed(lambda: client.v1.payment_methods.attach(card, {"customer": customer.id}))
        finally:
            client.v1.customers.delete(customer.id)

    assert keep(local) == keep(real)


@pytest.mark.parametrize(
    "change",
    [
        {"payment_method_types": ["card"], "allowed_payment_method_types": None},
        {"amount": 49},
        {"amount": 0},
        {"amount": 42.5},
        {"amount": 100_000_000},
        {"currency": "xxx"},
        {"colour": "red"},
        {"customer": "cus_none"},
        {"off_session": True},
        {"metadata": {"k" * 41: "v"}},
        {"statement_descriptor_suffix": "A<B"},
    ],
    ids=str,
)
def test_requests_are_refused_alike(local: stripe.StripeClient, real: stripe.StripeClient, change: dict[str, Any]) -> None:
    params = {name: value for name, value in {**NEW, **change}.items() if value is not None}

    def create(client: stripe.StripeClient) -> tuple[Any, ...]:
        return observed(lambda: client.v1.payment_intents.create(params))  # type: ignore[arg-type]

    assert create(local) == create(real)


def test_idempotency_keys_behave_alike(local: stripe.StripeClient, real: stripe.StripeClient) -> None:
    def replay(client: stripe.StripeClient) -> list[Any]:
        options: stripe.RequestOptions = {"idempotency_key": f"comparison|{uuid.uuid4()}"}
        first = client.v1.payment_intents.create(NEW, options)  # type: ignore[arg-type]
        second = client.v1.payment_intents.create(NEW, options)  # type: ignore[arg-type]
        other: Any = {**NEW, "amount": 4300}
        refused = observed(lambda: client.v1.payment_intents.create(other, options))
        confirmed_twice = [
            observed(lambda: client.v1.payment_intents.confirm(first.id, {"payment_method": "pm_card_visa", "off_session": True}))
            for _ in range(2)
        ]
        canceled = observed(lambda: client.v1.payment_intents.cancel(first.id))
        return [first.id == second.id, refused, confirmed_twice, canceled]

    assert replay(local) == replay(real)


def test_a_refund_beyond_the_charge_is_refused_alike(local: stripe.StripeClient, real: stripe.StripeClient) -> None:
    def refund(client: stripe.StripeClient) -> list[Any]:
        intent = client.v1.payment_intents.create(
            {**NEW, "payment_method": "pm_card_visa", "confirm": True, "off_session": True}  # type: ignore[typeddict-item]
        )
        too_much = observed(lambda: client.v1.refunds.create({"payment_intent": intent.id, "amount": 4201}))
        whole = observed(lambda: client.v1.refunds.create({"payment_intent": intent.id}))
        again = observed(lambda: client.v1.refunds.create({"payment_intent": intent.id}))
        return [too_much[0], whole, again[:3]]

    assert refund(local) == refund(real)
