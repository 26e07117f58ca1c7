from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from connectors.stripe_sandbox import Sandbox, start_sandbox
from tests.integration.stripe_sandbox.clients import client_of


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.control.reset()
    running.control.set_latency(0)
    return running


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


@pytest.fixture
def impatient(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox, timeout=0.3)


@pytest.fixture
def customer(client: stripe.StripeClient) -> stripe.Customer:
    return client.v1.customers.create({"name": "Ada", "email": "ada@customer.example"})


@pytest.fixture
def card(client: stripe.StripeClient, customer: stripe.Customer) -> stripe.PaymentMethod:
    return client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})


@pytest.fixture
def intent(client: stripe.StripeClient, customer: stripe.Customer) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {"amount": 4200, "currency": "eur", "customer": customer.id, "allowed_payment_method_types": ["card"]}
    )
