"""Each guard is needed: without it a test of the suite fails, and with it the same test passes."""

from __future__ import annotations

from contextlib import ExitStack
from inspect import signature

import pytest
from sqlalchemy.exc import DBAPIError

from engine.errors import EngineError
from tests.integration.stripe_charge.conftest import running, shop  # noqa: F401 - the tests that are tried ask for them
from tests.integration.test_store_charges import ledger  # noqa: F401 - the tests that are tried ask for it
from tests.proofs.guards import GUARDS, Guard, Trial

FAILURES = (AssertionError, pytest.fail.Exception, EngineError, DBAPIError)
"""How a test fails that misses a guard. A TypeError, say, would only tell that the guard was taken away clumsily."""


each_guard = pytest.mark.parametrize(
    ("guard", "database_url"),
    [(guard, guard.noticed_by.database) for guard in GUARDS],
    indirect=["database_url"],
    ids=[guard.name for guard in GUARDS],
)


def play(request: pytest.FixtureRequest, trial: Trial) -> None:
    """Run a test of the suite, with its fixtures as they are made now."""
    names = [name for name in signature(trial.test).parameters if name not in trial.given]
    arguments = {name: request.getfixturevalue(trial.fixtures.get(name, name)) for name in names}
    trial.test(**arguments, **trial.given)


@each_guard
def test_without_a_guard_a_test_fails(request: pytest.FixtureRequest, guard: Guard, database_url: str) -> None:
    with ExitStack() as removed:
        for removal in guard.removed:
            removed.enter_context(removal(database_url))
        if guard.backed_up:
            play(request, guard.noticed_by)
            return
        with pytest.raises(FAILURES) as failed:
            play(request, guard.noticed_by)
        print(f"{guard.name}: {guard.noticed_by.test.__name__}: {str(failed.value).strip().splitlines()[:1]}")  # noqa: T201 - shown with -rP


@each_guard
def test_with_every_guard_the_same_tests_pass(request: pytest.FixtureRequest, guard: Guard, database_url: str) -> None:
    play(request, guard.noticed_by)
