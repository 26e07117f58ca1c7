"""DESIGN.md's invariants hold after every step, whatever people, workers, crashes, the bank and the calendar do.

The ordinary run is the same each time; `pytest -m slow tests/proofs/test_invariants_hold.py` looks further, at random.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from connectors.email.send import EmailSend
from connectors.stripe.charge import StripeCharge
from engine.clock import TurnedClock
from engine.services.deploying import deploy
from engine.services.runtime import Runtime
from engine.store.database import Database
from tests.builders.company import beside
from tests.builders.postgresql import PostgreSql
from tests.doubles.context import START
from tests.proofs.happenings import Tools, version
from tests.proofs.month_machine import Months

SAME_EACH_TIME = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=15,
    stateful_step_count=35,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SHORT = settings(SAME_EACH_TIME, max_examples=5, stateful_step_count=30)
FAR = settings(
    SAME_EACH_TIME,
    derandomize=False,
    max_examples=int(os.environ.get("TEST_MONTHS", "500")),
    stateful_step_count=80,
    phases=[Phase.generate, Phase.shrink],
)


@pytest.fixture
def sqlite(migrated: Path, tmp_path: Path) -> Callable[[], str]:
    """Gives a new file each time, with the first version deployed."""
    first = shutil.copy(migrated, tmp_path / "first.db")
    database = Database(f"sqlite:///{first}")
    mail = EmailSend("file:///nowhere", "a@example.com")
    charge = StripeCharge(None, None, live=False)
    connectors = {each.topic: each for each in (charge, *beside(charge.keeper), mail)}
    deploy(Runtime(database, TurnedClock(START), connectors), version(1), "ada")
    database.close()
    numbers = count(1)
    return lambda: f"sqlite:///{shutil.copy(first, tmp_path / f'{next(numbers)}.db')}"


@pytest.fixture
def tools() -> Iterator[Tools]:
    """What came about is shown when a test fails, and by `pytest -rP`."""
    made = Tools()
    yield made
    print("\n".join(f"{what}: {times}" for what, times in sorted(made.reached.items())))  # noqa: T201 - a test's report


def play(fresh: Callable[[], str], tools: Tools, how: settings) -> None:
    run_state_machine_as_test(lambda: Months(fresh, tools), settings=how)


def test_whatever_happens_everyone_is_billed_and_charged_once_and_nothing_is_lost(
    sqlite: Callable[[], str], tools: Tools
) -> None:
    play(sqlite, tools, SAME_EACH_TIME)
    reached = tools.reached
    for event in ("charge_succeeded", "charge_unknown", "job_failed", "incident_created", "message_delivered"):
        assert reached[f"runs with {event}"] > 0, f"no run came to {event}"
    for what in ("killed inside", "paused inside", "refused: LeaseLost", "refused: ChargeInDoubt", "months completed"):
        assert reached[what] > 0, f"no run came to {what}"


def test_the_same_on_postgresql(postgresql: PostgreSql | str, tools: Tools) -> None:
    if isinstance(postgresql, str):
        pytest.skip(postgresql)
    play(postgresql.emptied, tools, SHORT)
    assert tools.reached["months completed"] > 0


@pytest.mark.slow
def test_the_same_at_random_and_for_longer(sqlite: Callable[[], str], tools: Tools) -> None:
    play(sqlite, tools, FAR)
