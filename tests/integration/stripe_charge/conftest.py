"""A sandbox for each module, and a shop at it for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.stripe_sandbox import Sandbox, start_sandbox
from engine.connector import Completed
from tests.builders.stripe_shop import (
    Shop,
    open_shop,
)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with start_sandbox() as sandbox:
        assert isinstance(open_shop(sandbox).work(), Completed)  # its first requests are slow: it builds its checks then
        yield sandbox


@pytest.fixture
def shop(running: Sandbox) -> Shop:
    return open_shop(running)
