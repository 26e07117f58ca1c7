"""The real SDK, pointed at a sandbox."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from connectors.stripe_sandbox import Sandbox

TEST_KEY = "sk_test_sandbox"


def client_of(sandbox: Sandbox, key: str = TEST_KEY, retries: int = 0, timeout: float = 10) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": sandbox.url},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=timeout),
    )


def told(refused: pytest.ExceptionInfo[stripe.StripeError]) -> Any:
    """What the error's body says."""
    assert refused.value.error is not None
    return refused.value.error
