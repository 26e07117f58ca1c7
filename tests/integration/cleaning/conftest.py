"""A sandbox for each module, and the company at it, with both clocks at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
import stripe

from connectors.stripe.charge import StripeCharge
from connectors.stripe.rate import MOST
from connectors.stripe_sandbox import Sandbox, start_sandbox
from engine.clock import TurnedClock
from engine.services import working
from tests.builders.company import beside
from tests.builders.stripe_company import KEY, Interrupted, StripeCompany
from tests.doubles.connectors import RecordingConnector


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def chores_when_a_test_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers leave the chores alone: the tests do them when it matters (that workers do them: test_working.py)."""
    monkeypatch.setattr(working, "do_due_chores", lambda *_: [])


@pytest.fixture
def clock(sandbox: Sandbox) -> TurnedClock:
    """The engine's clock shows what the sandbox's does."""
    sandbox.control.reset()
    return TurnedClock(datetime.fromisoformat(sandbox.control.advance(0)))


@pytest.fixture
def company(  # type: ignore[no-untyped-def] # the fixtures' types stand with them
    runtime_with, email_send: RecordingConnector, sandbox: Sandbox
) -> StripeCompany:
    charge = Interrupted(StripeCharge(KEY, sandbox.url, live=False, rate=MOST))
    client = stripe.StripeClient(KEY, base_addresses={"api": sandbox.url})
    connectors = (charge, *beside(charge.keeper), email_send)
    runtime = runtime_with(connectors={each.topic: each for each in connectors})
    opened = StripeCompany(runtime, sandbox=sandbox, charge=charge, client=client)
    opened.deploy()
    return opened
