"""What a request must look like: keys, version, parameters, amounts, texts, rate. Each rule's page stands beside its code."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.request
from typing import Any

import pytest
import stripe

from connectors.stripe_sandbox import Sandbox, start_sandbox
from tests.integration.stripe_sandbox.clients import TEST_KEY, client_of, told


@pytest.mark.parametrize("key", ["sk_test_", "pk_test_sandbox", "garbled", "sk_test_with space"])
def test_a_garbled_key_is_401(sandbox: Sandbox, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as refused:
        client_of(sandbox, key).v1.customers.list()
    assert refused.value.http_status == 401


def test_a_missing_key_is_401(sandbox: Sandbox) -> None:
    assert raw(sandbox, "GET", "/v1/customers", key=None)[0] == 401


def test_a_customer_can_be_made_with_curl_as_the_documentation_shows(sandbox: Sandbox) -> None:
    card = "payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa"
    request = urllib.request.Request(f"{sandbox.url}/v1/customers", data=f"name=Ann&{card}".encode())
    request.add_header("Authorization", "Basic " + base64.b64encode(b"sk_test_sandbox:").decode())
    with urllib.request.urlopen(request) as response:
        customer = json.loads(response.read())
    assert customer["invoice_settings"]["default_payment_method"].startswith("pm_")


def test_a_live_key_is_refused_unless_live_was_asked_for(sandbox: Sandbox) -> None:
    with pytest.raises(stripe.AuthenticationError, match="not started for live keys"):
        client_of(sandbox, "sk_live_sandbox").v1.customers.list()


def test_live_mode_has_its_own_objects_and_no_test_cards() -> None:
    with start_sandbox(live_allowed=True) as sandbox:
        live, test = client_of(sandbox, "sk_live_sandbox"), client_of(sandbox)
        customer = live.v1.customers.create({"name": "Ada"}, {"idempotency_key": "same"})
        assert customer.livemode is True
        assert test.v1.customers.create({"name": "Bob"}, {"idempotency_key": "same"}).livemode is False
        with pytest.raises(stripe.InvalidRequestError) as missing:
            test.v1.customers.retrieve(customer.id)
        assert missing.value.code == "resource_missing"
        with pytest.raises(stripe.InvalidRequestError) as refused:
            live.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
        assert refused.value.code == "resource_missing"


def test_another_api_version_is_refused(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=stripe.api_version):
        client.v1.customers.list(None, {"stripe_version": "2024-06-20"})
    assert raw(sandbox, "GET", "/v1/customers")[0] == 200


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"amount": 4200, "currency": "eur", "payment_method_types": ["card"]}, "payment_method_types", "parameter_unknown"),
        ({"amount": 4200, "currency": "eur", "colour": "red"}, "colour", "parameter_unknown"),
        ({"amount": 4200, "currency": "eur", "shipping": {"name": "Ada"}}, "shipping[address]", "parameter_missing"),
        ({"currency": "eur"}, "amount", "parameter_missing"),
        ({"amount": 4200}, "currency", "parameter_missing"),
        ({"amount": 42.5, "currency": "eur"}, "amount", "parameter_invalid_integer"),
        ({"amount": "", "currency": "eur"}, "amount", "parameter_invalid_empty"),
        ({"amount": 4200, "currency": "eur", "customer": ""}, "customer", "parameter_invalid_empty"),
        ({"amount": 4200, "currency": "eur", "capture_method": "later"}, "capture_method", None),
        ({"amount": 4200, "currency": "eur", "confirm": "maybe"}, "confirm", None),
        ({"amount": 4200, "currency": "eur", "allowed_payment_method_types": ["cash"]}, "allowed_payment_method_types[0]", None),
        ({"amount": 4200, "currency": "eur", "statement_descriptor": "SHOP"}, "statement_descriptor", None),
        ({"amount": 4200, "currency": "eur", "receipt_email": "nobody"}, "receipt_email", "email_invalid"),
        ({"amount": 4200, "currency": "eur", "on_behalf_of": "acct_1"}, "on_behalf_of", "not_played_by_sandbox"),
    ],
)
def test_a_parameter_that_the_api_does_not_take_is_refused_by_name(
    client: stripe.StripeClient, params: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create(params)  # type: ignore[arg-type]
    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)
    assert told(refused).type == "invalid_request_error"


def test_a_malformed_form_is_refused(sandbox: Sandbox) -> None:
    for body in (b"amount[=1", b"amount=1&amount[x]=2", b"name=%ff"):
        status, answer = raw(sandbox, "POST", "/v1/customers", body)
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


def test_what_the_sandbox_does_not_play_is_404(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="this sandbox plays") as refused:
        client.v1.payment_intents.search({"query": "metadata['charge_key']:'x'"})
    assert refused.value.http_status == 404


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (0, "eur", "parameter_invalid_integer"),
        (-5, "eur", "parameter_invalid_integer"),
        (49, "usd", "amount_too_small"),
        (29, "gbp", "amount_too_small"),
        (49, "jpy", "amount_too_small"),
        (299, "sek", "amount_too_small"),
        (100_000_000, "usd", "amount_too_large"),
        (12_345, "kwd", "parameter_invalid_integer"),
        (12_345, "isk", "parameter_invalid_integer"),
        (12_350, "ugx", "parameter_invalid_integer"),
    ],
)
def test_an_amount_that_cannot_be_charged_is_refused(client: stripe.StripeClient, amount: int, currency: str, code: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({"amount": amount, "currency": currency})
    assert (refused.value.param, refused.value.code) == ("amount", code)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [(50, "usd"), (30, "gbp"), (50, "jpy"), (99_999_999, "usd"), (12_340, "kwd"), (12_300, "isk"), (1, "clp"), (4200, "EUR")],
)
def test_an_amount_that_can_be_charged_is_taken(client: stripe.StripeClient, amount: int, currency: str) -> None:
    intent = client.v1.payment_intents.create({"amount": amount, "currency": currency})
    assert (intent.amount, intent.currency) == (amount, currency.lower())


def test_an_unknown_currency_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="xxx") as refused:
        client.v1.payment_intents.create({"amount": 4200, "currency": "xxx"})
    assert refused.value.param == "currency"


@pytest.mark.parametrize(
    "metadata",
    [{f"k{n}": "v" for n in range(51)}, {"k" * 41: "v"}, {"k": "v" * 501}, {"a[b]": "v"}],
    ids=["51 keys", "a long key", "a long value", "brackets"],
)
def test_metadata_has_limits(client: stripe.StripeClient, metadata: dict[str, str]) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.create({"metadata": metadata})
    assert str(refused.value.param).startswith("metadata")


def test_metadata_at_its_limits_is_taken_and_an_empty_value_removes_a_key(client: stripe.StripeClient) -> None:
    full = {f"{n:040}": "v" * 500 for n in range(50)}
    customer = client.v1.customers.create({"metadata": full})
    assert customer.metadata is not None
    assert customer.metadata.to_dict() == full
    changed = client.v1.customers.update(customer.id, {"metadata": {f"{0:040}": "", "new": "x"}})
    assert changed.metadata is not None
    assert (len(changed.metadata.to_dict()), changed.metadata["new"]) == (50, "x")
    cleared = client.v1.customers.update(customer.id, {"metadata": ""}).metadata
    assert cleared is not None
    assert cleared.to_dict() == {}


@pytest.mark.parametrize("suffix", ["12345", "A<B", "A*B", "O'Neil", 'A"B', "A\\B", "\u041c\u041e\u0421", "NOVEMBER 2026 PLUS"])
def test_a_statement_suffix_that_banks_cannot_print_is_refused(client: stripe.StripeClient, suffix: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({"amount": 4200, "currency": "eur", "statement_descriptor_suffix": suffix})
    assert refused.value.param == "statement_descriptor_suffix"


def test_the_statement_shows_the_accounts_prefix_and_the_suffix(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 4200,
            "currency": "eur",
            "statement_descriptor_suffix": "Nov 2026",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "off_session": True,
            "expand": ["latest_charge"],
        }
    )
    assert intent.latest_charge.calculated_statement_descriptor == "SANDBOX* NOV 2026"  # type: ignore[union-attr]


def test_more_requests_than_the_limit_get_429_and_nothing_is_saved(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.control.set_rate_limit(3)
    for _ in range(3):
        client.v1.customers.list()
    with pytest.raises(stripe.RateLimitError) as refused:
        client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "limited"})
    assert (refused.value.http_status, told(refused).code) == (429, "rate_limit")
    sandbox.control.advance(1)
    assert client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "limited"}).name == "Ada"
    state = sandbox.control.state()
    assert (state["busiest_second"], state["refused_for_rate"]) == (4, 1)


def test_a_limit_that_it_was_started_with_outlives_a_reset() -> None:
    with start_sandbox(rate_limit=2) as limited:
        client = stripe.StripeClient("sk_test_abcd", base_addresses={"api": limited.url})
        limited.control.set_rate_limit(None)
        limited.control.reset()
        assert limited.control.state()["rate_limit"] == 2
        for _ in range(2):
            client.v1.customers.list()
        with pytest.raises(stripe.RateLimitError):
            client.v1.customers.list()


def test_the_control_says_what_is_wrong_with_a_request(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="from 1"):
        sandbox.control.add_fault("drop_after", nth=0)
    with pytest.raises(ValueError, match="not a valid FaultKind"):
        sandbox.control.add_fault("explode")
    with pytest.raises(ValueError, match="negative"):
        sandbox.control.advance(-1)
    with pytest.raises(ValueError, match="this machine"):
        sandbox.control.set_webhook("http://shop.example/hook", "whsec_x")


def raw(sandbox: Sandbox, method: str, path: str, body: bytes = b"", key: str | None = TEST_KEY) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {key}"} if key else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
