"""Trouble on the way: https://docs.stripe.com/error-low-level. Confirming is where it matters whether money was taken."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import stripe

from connectors.stripe_sandbox import Sandbox
from tests.integration.stripe_sandbox.clients import TEST_KEY, client_of, told


def confirm(client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod) -> stripe.PaymentIntent:
    return client.v1.payment_intents.confirm(
        intent.id, {"payment_method": card.id, "off_session": True}, {"idempotency_key": f"confirm|{intent.id}"}
    )


@pytest.mark.parametrize(("kind", "taken"), [("drop_before", 0), ("drop_after", 1), ("truncated", 1)])
def test_a_broken_connection_leaves_in_doubt_what_retrieving_tells(
    client: stripe.StripeClient,
    intent: stripe.PaymentIntent,
    card: stripe.PaymentMethod,
    sandbox: Sandbox,
    kind: str,
    taken: int,
) -> None:
    sandbox.control.add_fault(kind, method="POST", path="*/confirm")
    with pytest.raises(stripe.APIConnectionError):
        confirm(client, intent, card)
    assert sandbox.control.state()["charges_taken"] == taken
    assert (client.v1.payment_intents.retrieve(intent.id).status == "succeeded") == bool(taken)
    assert confirm(client, intent, card).status == "succeeded"
    assert sandbox.control.state()["charges_taken"] == 1


def test_a_garbled_answer_is_an_error_of_a_charge_that_was_taken(
    client: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, sandbox: Sandbox
) -> None:
    sandbox.control.add_fault("garbled", path="*/confirm")
    with pytest.raises(stripe.APIError) as failed:
        confirm(client, intent, card)
    assert failed.value.http_status == 200
    assert sandbox.control.state()["charges_taken"] == 1


@pytest.mark.parametrize("taken", [True, False])
def test_a_request_that_hangs_may_or_may_not_have_been_taken(
    impatient: stripe.StripeClient, intent: stripe.PaymentIntent, card: stripe.PaymentMethod, sandbox: Sandbox, taken: bool
) -> None:
    sandbox.control.add_fault("hang", path="*/confirm", taken=taken, seconds=1)
    with pytest.raises(stripe.APIConnectionError):
        confirm(impatient, intent, card)
    assert sandbox.control.state()["charges_taken"] == int(taken)


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("409", None, (409, "idempotency_key_in_use")),
        ("409", "lock_timeout", (409, "lock_timeout")),
        ("429", None, (429, "rate_limit")),
        ("429", "lock_timeout", (429, "lock_timeout")),
    ],
)
def test_a_planned_refusal_is_answered_before_anything_is_taken(
    client: stripe.StripeClient,
    intent: stripe.PaymentIntent,
    card: stripe.PaymentMethod,
    sandbox: Sandbox,
    kind: str,
    code: str | None,
    expected: tuple[int, str],
) -> None:
    sandbox.control.add_fault(kind, path="*/confirm", code=code)
    with pytest.raises(stripe.StripeError) as refused:
        confirm(client, intent, card)
    assert (refused.value.http_status, told(refused).code) == expected
    assert sandbox.control.state()["charges_taken"] == 0
    assert confirm(client, intent, card).status == "succeeded"


def test_the_sdk_repeats_429_only_when_the_answer_says_so(sandbox: Sandbox) -> None:
    retrying = client_of(sandbox, retries=1)
    sandbox.control.add_fault("429", should_retry=True)
    assert retrying.v1.customers.list().data == []
    sandbox.control.add_fault("429")
    with pytest.raises(stripe.RateLimitError):
        retrying.v1.customers.list()
    assert [each["status"] for each in sandbox.control.requests()] == [429, 200, 429]


def test_a_body_that_was_cut_off_is_never_carried_out(sandbox: Sandbox) -> None:
    head = f"POST /v1/customers HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TEST_KEY}\r\nContent-Length: 40\r\n\r\n"
    parts = urlsplit(sandbox.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        connection.sendall(head.encode() + b"name=Ada")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert sandbox.control.state()["counts"]["customer"] == 0
    assert sandbox.control.requests() == []


def test_a_page_on_the_web_cannot_reach_the_sandbox_under_another_name(sandbox: Sandbox) -> None:
    parts = urlsplit(sandbox.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        connection.sendall(b"POST /_sandbox/reset HTTP/1.1\r\nHost: attacker.example\r\nContent-Length: 0\r\n\r\n")
        assert b" 400 " in connection.recv(1000)


def test_the_nth_request_of_a_kind_meets_the_fault(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    sandbox.control.add_fault("drop_after", method="POST", path="/v1/customers", nth=2, times=2)
    seen = []
    for number in range(4):
        client.v1.customers.list()
        try:
            client.v1.customers.create({"name": str(number)})
            seen.append("answered")
        except stripe.APIConnectionError:
            seen.append("dropped")
    assert seen == ["answered", "dropped", "dropped", "answered"]
    assert sandbox.control.state()["counts"]["customer"] == 4


def test_chance_repeats_itself_with_the_same_seed(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    def drops() -> list[bool]:
        sandbox.control.clear_faults()
        sandbox.control.add_fault("drop_before", probability=0.5, seed=7)
        result = []
        for _ in range(12):
            try:
                client.v1.customers.list()
                result.append(False)
            except stripe.APIConnectionError:
                result.append(True)
        return result

    first = drops()
    assert 0 < sum(first) < 12
    assert drops() == first


def test_the_log_tells_what_arrived(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "log"})
    client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "log"})
    log = sandbox.control.requests()
    assert [(each["method"], each["path"], each["idempotency_key"], each["status"], each["replayed"]) for each in log] == [
        ("POST", "/v1/customers", "log", 200, False),
        ("POST", "/v1/customers", "log", 200, True),
    ]


def test_a_hundred_requests_are_in_flight_at_once(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    client.v1.customers.create({"name": "first"})
    sandbox.control.set_latency(1000)
    begun = time.monotonic()
    with ThreadPoolExecutor(100) as pool:
        ids = {customer.id for customer in pool.map(lambda n: client.v1.customers.create({"name": str(n)}), range(100))}
    assert len(ids) == 100
    assert time.monotonic() - begun < 5
