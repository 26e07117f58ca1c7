"""Refunds, balance, events and webhooks: https://docs.stripe.com/refunds, https://docs.stripe.com/webhooks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import stripe

from connectors.stripe_sandbox import Sandbox

SECRET = "whsec_sandbox"


@pytest.fixture
def paid(client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod) -> stripe.PaymentIntent:
    return client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})


def test_refunds_never_exceed_what_was_charged(client: stripe.StripeClient, paid: stripe.PaymentIntent, sandbox: Sandbox) -> None:
    first = client.v1.refunds.create({"payment_intent": paid.id, "amount": 1200, "reason": "requested_by_customer"})
    assert (first.status, first.amount) == ("succeeded", 1200)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": paid.id, "amount": 3001})
    assert refused.value.param == "amount"
    assert client.v1.refunds.create({"charge": str(paid.latest_charge)}).amount == 3000
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        client.v1.refunds.create({"payment_intent": paid.id})
    assert nothing_left.value.code == "charge_already_refunded"
    charge = client.v1.charges.retrieve(str(paid.latest_charge))
    assert (charge.refunded, charge.amount_refunded) == (True, 4200)
    assert client.v1.payment_intents.retrieve(paid.id).status == "succeeded"
    assert client.v1.refunds.retrieve(first.id).amount == 1200
    assert [refund.amount for refund in client.v1.refunds.list({"payment_intent": paid.id}).data] == [3000, 1200]
    assert sandbox.control.state()["refunded"] == {"eur": 4200}


def test_a_refund_can_wait_for_the_bank(client: stripe.StripeClient, paid: stripe.PaymentIntent, sandbox: Sandbox) -> None:
    sandbox.control.add_fault("processing", method="POST", path="/v1/refunds")
    waiting = client.v1.refunds.create({"payment_intent": paid.id, "amount": 1200})
    assert waiting.status == "pending"
    assert sandbox.control.end_refund(waiting.id, "succeeded")["status"] == "succeeded"
    assert client.v1.refunds.retrieve(waiting.id).status == "succeeded"
    with pytest.raises(ValueError, match="can become canceled"):
        sandbox.control.end_refund(waiting.id, "canceled")


@pytest.mark.parametrize("first", ["pending", "succeeded"])
def test_what_comes_back_of_a_refund_can_be_refunded_anew(
    client: stripe.StripeClient, paid: stripe.PaymentIntent, sandbox: Sandbox, first: str
) -> None:
    if first == "pending":
        sandbox.control.add_fault("processing", method="POST", path="/v1/refunds")
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    assert refund.status == first
    sandbox.control.end_refund(refund.id, "failed")
    failed = client.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    charge = client.v1.charges.retrieve(str(paid.latest_charge))
    assert (charge.refunded, charge.amount_refunded) == (False, 0)
    assert sandbox.control.state()["refunded"] == {}
    assert client.v1.refunds.create({"payment_intent": paid.id}).amount == 4200
    types = [event.type for event in client.v1.events.list({"limit": 50}).data]
    assert {"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"} <= set(types)


def test_what_was_never_charged_cannot_be_refunded(client: stripe.StripeClient, intent: stripe.PaymentIntent) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"amount": 100})


def test_the_balance_transactions_add_up(client: stripe.StripeClient, paid: stripe.PaymentIntent) -> None:
    client.v1.refunds.create({"payment_intent": paid.id, "amount": 200})
    entries = client.v1.balance_transactions.list({"currency": "eur", "expand": ["data.source"]}).data
    assert [(entry.type, entry.amount) for entry in entries] == [("refund", -200), ("charge", 4200)]
    assert [entry.source.object for entry in entries] == ["refund", "charge"]  # type: ignore[union-attr]
    assert all(entry.net == entry.amount - entry.fee for entry in entries)


def test_events_tell_what_happened_as_it_was_then(
    client: stripe.StripeClient, paid: stripe.PaymentIntent, sandbox: Sandbox
) -> None:
    types = [event.type for event in client.v1.events.list({"limit": 50}).data]
    assert types[:2] == ["payment_intent.succeeded", "charge.succeeded"]
    [created] = client.v1.events.list({"type": "payment_intent.created"}).data
    assert created.data.object["status"] == "requires_payment_method"
    assert created.api_version == stripe.api_version
    assert {event.type for event in client.v1.events.list({"types": ["charge.succeeded"]}).data} == {"charge.succeeded"}
    assert client.v1.events.retrieve(created.id).id == created.id


def test_events_are_gone_after_30_days(client: stripe.StripeClient, paid: stripe.PaymentIntent, sandbox: Sandbox) -> None:
    [event] = client.v1.events.list({"type": "payment_intent.succeeded"}).data
    sandbox.control.advance(30 * 86_400)
    assert client.v1.events.list().data == []
    with pytest.raises(stripe.InvalidRequestError) as gone:
        client.v1.events.retrieve(event.id)
    assert gone.value.http_status == 404
    assert client.v1.payment_intents.retrieve(paid.id).status == "succeeded"


def test_every_change_of_an_intent_has_its_event(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, sandbox: Sandbox
) -> None:
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined", "off_session": True})
    client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_authenticationRequired"})
    client.v1.payment_intents.cancel(intent.id)
    seen = [event.type for event in client.v1.events.list({"type": "payment_intent.*"}).data][::-1]
    assert seen == [f"payment_intent.{what}" for what in ("created", "payment_failed", "requires_action", "canceled")]


class Inbox:
    def __init__(self) -> None:
        self.events: list[stripe.Event] = []
        self.arrived = threading.Condition()
        self.status = 200

    def wait_for(self, count: int) -> list[str]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.events) >= count, timeout=5)
            return [event.type for event in self.events]


@contextmanager
def listening() -> Iterator[tuple[str, Inbox]]:
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            event = stripe.Webhook.construct_event(payload, self.headers["Stripe-Signature"], SECRET)
            with inbox.arrived:
                inbox.events.append(event)
                inbox.arrived.notify()
            self.send_response(inbox.status)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", inbox
        finally:
            server.shutdown()
            thread.join()


def test_a_webhook_carries_a_signature_that_the_sdk_accepts(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    with listening() as (url, inbox):
        sandbox.control.set_webhook(url, SECRET)
        customer = client.v1.customers.create({"name": "Ada"})
        assert inbox.wait_for(1) == ["customer.created"]
        assert inbox.events[0].data.object["id"] == customer.id
        sandbox.control.clear_webhook()


def test_webhooks_can_come_twice_and_in_another_order(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    with listening() as (url, inbox):
        sandbox.control.set_webhook(url, SECRET, automatic=False)
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
        assert inbox.events == []
        deliveries = sandbox.control.deliver_webhooks(order="reversed", copies=2)
        assert [each["status"] for each in deliveries] == [200] * 4
        assert [event.type for event in inbox.events] == ["payment_intent.succeeded"] * 2 + ["charge.succeeded"] * 2
        assert sandbox.control.deliver_webhooks() == []


def test_a_failed_delivery_is_repeated_for_three_days(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    with listening() as (url, inbox):
        sandbox.control.set_webhook(url, SECRET, automatic=False)
        client.v1.customers.create({"name": "Ada"})
        inbox.status = 500
        assert [each["status"] for each in sandbox.control.deliver_webhooks()] == [500]
        assert [each["status"] for each in sandbox.control.deliver_webhooks()] == [500]
        sandbox.control.advance(3 * 86_400)
        assert sandbox.control.deliver_webhooks() == []


def test_nobody_listening_is_a_failed_delivery(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    with listening() as (url, _inbox):
        pass
    sandbox.control.set_webhook(url, SECRET, automatic=False)
    client.v1.customers.create({"name": "Ada"})
    assert [each["status"] for each in sandbox.control.deliver_webhooks()] == [None]
