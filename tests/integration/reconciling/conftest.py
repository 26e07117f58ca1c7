"""A sandbox for each module, and the company at it in the middle of a month, by both clocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
import stripe

from connectors.registry import ConnectorSettings, build_connectors
from connectors.stripe.rate import MOST
from connectors.stripe_sandbox import Sandbox, start_sandbox
from engine.clock import TurnedClock
from engine.services import working
from engine.services.runtime import Runtime
from tests.builders.books import Books
from tests.builders.stripe_company import KEY, StripeCompany
from tests.doubles.connectors import RecordingConnector


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def workers_leave_the_chores_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cleaning up asks Stripe as well, which is not what these tests count."""
    monkeypatch.setattr(working, "do_due_chores", lambda *_: [])


@pytest.fixture
def clock(sandbox: Sandbox) -> TurnedClock:
    """Both clocks in the middle of the next month, so that no month ends while a test runs."""
    sandbox.control.reset()
    now = datetime.fromisoformat(sandbox.control.advance(0))
    middle = (now.replace(day=28) + timedelta(days=4)).replace(day=15)
    return TurnedClock(datetime.fromisoformat(sandbox.control.advance((middle - now).total_seconds())))


@pytest.fixture
def books(runtime_with: Callable[..., Runtime], email_send: RecordingConnector, sandbox: Sandbox, clock: TurnedClock) -> Books:
    connectors = build_connectors(ConnectorSettings(KEY, sandbox.url, False, "file:///nowhere", "a@example.com", MOST))
    client = stripe.StripeClient(KEY, base_addresses={"api": sandbox.url})
    runtime = runtime_with(connectors={**connectors, email_send.topic: email_send})
    company = StripeCompany(runtime, sandbox=sandbox, client=client)
    company.deploy()
    return Books(company, f"{clock.now():%Y-%m}")
