"""A sandbox for each module, and a desk at it for each test: a charge of 120.50 USD that can be given back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.stripe_sandbox import Sandbox, start_sandbox
from tests.builders.refund_desk import RefundDesk, open_desk
from tests.builders.stripe_shop import open_shop


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with start_sandbox() as sandbox:
        open_desk(open_shop(sandbox)).refund()  # its first requests are slow: it builds its checks then
        yield sandbox


@pytest.fixture
def desk(running: Sandbox) -> RefundDesk:
    return open_desk(open_shop(running))
