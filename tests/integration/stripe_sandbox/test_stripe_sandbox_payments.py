"""PaymentIntents: https://docs.stripe.com/payments/paymentintents/lifecycle and https://docs.stripe.com/api/payment_intents."""

from __future__ import annotations

import pytest
import stripe

from connectors.stripe_sandbox import Sandbox
from tests.integration.stripe_sandbox.clients import told


def test_an_intent_begins_without_a_payment_method_and_takes_no_money(
    client: stripe.StripeClient, customer: stripe.Customer, sandbox: Sandbox
) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 4200, "currency": "eur", "customer": customer.id, "metadata": {"charge_key": "p|c|2026-11"}}
    )
    assert (intent.status, intent.payment_method, intent.latest_charge) == ("requires_payment_method", None, None)
    assert intent.metadata["charge_key"] == "p|c|2026-11"
    assert intent.livemode is False
    assert sandbox.control.state()["charges_taken"] == 0


def test_an_intent_with_a_payment_method_waits_for_its_confirmation(
    client: stripe.StripeClient, customer: stripe.Customer, card: stripe.PaymentMethod
) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 4200, "currency": "eur", "customer": customer.id, "payment_method": card.id}
    )
    assert (intent.status, intent.payment_method) == ("requires_confirmation", card.id)


def test_confirming_off_session_takes_the_money_once(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    confirmed = client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    assert (confirmed.status, confirmed.amount_received) == ("succeeded", 4200)
    charge = client.v1.charges.retrieve(str(confirmed.latest_charge))
    assert (charge.status, charge.paid, charge.captured, charge.amount) == ("succeeded", True, True, 4200)
    assert sandbox.control.state()["charged"] == {"eur": 4200}


def test_an_intent_that_succeeded_cannot_be_confirmed_again(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    assert (refused.value.http_status, refused.value.code) == (400, "payment_intent_unexpected_state")
    assert told(refused).payment_intent.status == "succeeded"
    assert sandbox.control.state()["charges_taken"] == 1


def test_confirming_without_any_payment_method_is_an_unexpected_state(
    client: stripe.StripeClient, intent: stripe.PaymentIntent
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.confirm(intent.id, {"off_session": True})
    assert refused.value.code == "payment_intent_unexpected_state"


def test_creating_and_confirming_at_once(
    client: stripe.StripeClient, customer: stripe.Customer, card: stripe.PaymentMethod
) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 4200,
            "currency": "eur",
            "customer": customer.id,
            "payment_method": card.id,
            "confirm": True,
            "off_session": True,
        }
    )
    assert intent.status == "succeeded"


@pytest.mark.parametrize("name", ["off_session", "error_on_requires_action"])
def test_what_describes_an_attempt_needs_confirm(client: stripe.StripeClient, name: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({"amount": 4200, "currency": "eur", name: True})  # type: ignore[misc]
    assert refused.value.param == name


def test_confirming_on_session_with_redirecting_methods_needs_a_return_url(
    client: stripe.StripeClient, customer: stripe.Customer, card: stripe.PaymentMethod
) -> None:
    intent = client.v1.payment_intents.create({"amount": 4200, "currency": "eur", "customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id})
    assert refused.value.param == "return_url"
    again = {"payment_method": card.id, "return_url": "https://shop.example/back"}
    assert client.v1.payment_intents.confirm(intent.id, again).status == "succeeded"  # type: ignore[arg-type]


def test_a_cancelled_intent_can_never_succeed(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod
) -> None:
    canceled = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(stripe.InvalidRequestError, match="canceled") as refused:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    assert refused.value.code == "payment_intent_unexpected_state"


def test_an_intent_that_succeeded_cannot_be_cancelled(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod
) -> None:
    client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.cancel(intent.id)
    assert refused.value.code == "payment_intent_unexpected_state"


def test_an_update_changes_amount_and_merges_metadata_until_it_succeeded(
    client: stripe.StripeClient, customer: stripe.Customer, card: stripe.PaymentMethod
) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 4200, "currency": "eur", "customer": customer.id, "metadata": {"a": "1", "b": "2"}}
    )
    changed = client.v1.payment_intents.update(
        intent.id, {"amount": 4300, "metadata": {"a": "", "c": "3"}, "payment_method": card.id}
    )
    assert (changed.amount, changed.status, changed.metadata.to_dict()) == (4300, "requires_confirmation", {"b": "2", "c": "3"})
    client.v1.payment_intents.confirm(intent.id, {"off_session": True})
    assert client.v1.payment_intents.update(intent.id, {"description": "November"}).description == "November"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.update(intent.id, {"amount": 4400})
    assert refused.value.code == "payment_intent_unexpected_state"


def test_manual_capture_authorizes_first_and_takes_no_more_than_was_authorized(
    client: stripe.StripeClient, customer: stripe.Customer, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 4200,
            "currency": "eur",
            "customer": customer.id,
            "payment_method": card.id,
            "capture_method": "manual",
            "confirm": True,
            "off_session": True,
        }
    )
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 4200, 0)
    assert sandbox.control.state()["charged"] == {}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 4201})
    assert refused.value.param == "amount_to_capture"
    captured = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 4000})
    assert (captured.status, captured.amount_received) == ("succeeded", 4000)
    assert sandbox.control.state()["charged"] == {"eur": 4000}


def test_a_payment_that_is_processing_has_not_taken_money_until_the_network_answers(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    sandbox.control.add_fault("processing", path="*/confirm")
    confirmed = client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    assert (confirmed.status, confirmed.amount_received) == ("processing", 0)
    assert sandbox.control.state()["charges_taken"] == 0
    sandbox.control.settle(intent.id)
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert sandbox.control.state()["charged"] == {"eur": 4200}


def test_a_payment_that_is_processing_can_fail_later(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    sandbox.control.add_fault("processing", path="*/confirm")
    client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    sandbox.control.settle(intent.id, succeeds=False)
    failed = client.v1.payment_intents.retrieve(intent.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error is not None
    assert failed.last_payment_error.code == "card_declined"
    assert client.v1.charges.retrieve(str(failed.latest_charge)).status == "failed"


def test_expand_shows_objects_in_place_of_their_ids(
    client: stripe.StripeClient, customer: stripe.Customer, card: stripe.PaymentMethod
) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 4200, "currency": "eur", "customer": customer.id, "expand": ["customer"]}
    )
    assert isinstance(intent.customer, stripe.Customer)
    assert intent.customer.email == "ada@customer.example"
    paths = ["latest_charge.balance_transaction", "payment_method"]
    confirmed = client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True, "expand": paths})
    assert confirmed.payment_method.card.last4 == "4242"  # type: ignore[union-attr]
    assert confirmed.latest_charge.balance_transaction.amount == 4200  # type: ignore[union-attr]
    listed = client.v1.payment_intents.list({"customer": customer.id, "expand": ["data.customer"]})
    assert listed.data[0].customer.id == customer.id  # type: ignore[union-attr]


def test_a_path_that_cannot_be_expanded_is_refused_before_money_moves(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True, "expand": ["amount"]})
    assert sandbox.control.state()["charges_taken"] == 0


def test_the_list_of_a_customer_is_newest_first_page_by_page(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    other = client.v1.customers.create({"name": "Bob"})
    client.v1.payment_intents.create({"amount": 900, "currency": "eur", "customer": other.id})
    ids = [
        client.v1.payment_intents.create({"amount": 1000 + n, "currency": "eur", "customer": customer.id}).id for n in range(5)
    ]
    first = client.v1.payment_intents.list({"customer": customer.id, "limit": 2})
    assert ([each.id for each in first.data], first.has_more) == ([ids[4], ids[3]], True)
    everything = [each.id for each in client.v1.payment_intents.list({"customer": customer.id, "limit": 2}).auto_paging_iter()]
    assert everything == ids[::-1]
    before = client.v1.payment_intents.list({"customer": customer.id, "ending_before": ids[0], "limit": 3})
    assert [each.id for each in before.data] == [ids[3], ids[2], ids[1]]


def test_the_list_is_filtered_by_the_time_of_creation(
    client: stripe.StripeClient, customer: stripe.Customer, sandbox: Sandbox
) -> None:
    old = client.v1.payment_intents.create({"amount": 1000, "currency": "eur", "customer": customer.id})
    sandbox.control.advance(31 * 86_400)
    new = client.v1.payment_intents.create({"amount": 1000, "currency": "eur", "customer": customer.id})
    assert new.created - old.created >= 31 * 86_400
    assert [each.id for each in client.v1.payment_intents.list({"created": {"gt": old.created}}).data] == [new.id]
    assert [each.id for each in client.v1.payment_intents.list({"created": {"lte": old.created}}).data] == [old.id]
    assert [each.id for each in client.v1.payment_intents.list({"created": new.created}).data] == [new.id]


def test_a_list_shows_each_payments_charge_with_what_was_given_back(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, customer: stripe.Customer
) -> None:
    client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 1200})
    waiting = client.v1.payment_intents.create({"amount": 900, "currency": "eur", "customer": customer.id})
    listed = client.v1.payment_intents.list({"customer": customer.id, "expand": ["data.latest_charge"]}).data
    assert [each.id for each in listed] == [waiting.id, intent.id]
    assert listed[0].latest_charge is None
    assert (listed[1].latest_charge.amount, listed[1].latest_charge.amount_refunded) == (4200, 1200)  # type: ignore[union-attr]


def test_refunds_are_listed_by_the_time_of_creation_page_by_page(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    client.v1.payment_intents.confirm(intent.id, {"payment_method": card.id, "off_session": True})
    old = client.v1.refunds.create({"payment_intent": intent.id, "amount": 100, "metadata": {"refund_key": "j1"}})
    sandbox.control.advance(60)
    new = [client.v1.refunds.create({"payment_intent": intent.id, "amount": 100}).id for _ in range(3)]
    page = client.v1.refunds.list({"created": {"gt": old.created}, "limit": 2})
    assert ([each.id for each in page.data], page.has_more) == ([new[2], new[1]], True)
    rest = client.v1.refunds.list({"created": {"gt": old.created}, "limit": 2, "starting_after": new[1]})
    assert ([each.id for each in rest.data], rest.has_more) == ([new[0]], False)
    [first] = client.v1.refunds.list({"created": {"lte": old.created}}).data
    assert (first.id, first.metadata and first.metadata["refund_key"]) == (old.id, "j1")


@pytest.mark.parametrize("limit", [0, 101])
def test_a_page_has_1_to_100_objects(client: stripe.StripeClient, limit: int) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.list({"limit": limit})
    assert refused.value.param == "limit"
