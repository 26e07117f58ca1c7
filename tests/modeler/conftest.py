"""Analysts' own tools, run without a screen. What needs them is skipped where they can't be had, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.modeler.packages import NotHere, installed


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder that holds Camunda Modeler's canvas, its library for files and the validator of element templates."""
    try:
        return installed()
    except NotHere as reason:
        pytest.skip(str(reason))
