"""What tests share: a turned clock, a fresh database, and an engine on it with whatever a test wants different."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from connectors.email.send import EmailSend
from connectors.stripe.charge import StripeCharge
from connectors.stripe.settle import StripeSettling
from engine.clock import TurnedClock
from engine.connector import Completed
from engine.services.runtime import Runtime
from engine.store.database import Database
from tests.builders.company import CardCompany, Company, beside
from tests.builders.postgresql import PostgreSql, running_postgresql
from tests.doubles.connectors import RecordingConnector, charging
from tests.doubles.context import START

settings.register_profile("run-process", deadline=None)  # the first example of each property pays for imports
settings.load_profile("run-process")


_LONGEST_FIRST = ("test_real_amounts.py", "test_demo.py", "test_documentation.py", "test_wheel.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.path.name not in _LONGEST_FIRST)


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock(START)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the newest schema and nothing in it. Copy it: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "run-process.db"
    Database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql | str]:
    """A running server, or why there is none."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database with the newest schema. What is promised of the store is promised on both."""
    if request.param == "sqlite":
        migrated = request.getfixturevalue("migrated")
        yield f"sqlite:///{shutil.copy(migrated, tmp_path / 'run-process.db')}"
        return
    server = request.getfixturevalue("postgresql")
    if isinstance(server, str):
        pytest.skip(server)
    yield server.emptied()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def pay() -> RecordingConnector:
    return RecordingConnector()


@pytest.fixture
def runtime_with(database: Database, clock: TurnedClock, pay: RecordingConnector) -> Callable[..., Runtime]:
    """Makes a runtime; keywords replace its parts."""

    def make(**parts: Any) -> Runtime:
        return Runtime(**({"database": database, "clock": clock, "connectors": {pay.topic: pay}} | parts))

    return make


@pytest.fixture
def runtime(runtime_with: Callable[..., Runtime]) -> Runtime:
    return runtime_with()


@pytest.fixture
def company(runtime: Runtime) -> Company:
    """The company with its process deployed."""
    opened = Company(runtime)
    opened.deploy()
    return opened


@pytest.fixture
def stripe_charge() -> RecordingConnector:
    """Stands for `stripe.charge`: the card is charged, and the ledger knows it."""
    return RecordingConnector.standing_for(StripeCharge(None, None, live=False), charging)


@pytest.fixture
def email_send() -> RecordingConnector:
    """Stands for `email.send`: the mail is sent."""
    return RecordingConnector.standing_for(EmailSend("file:///nowhere", "a@example.com"), Completed({"message_id": "<1@here>"}))


@pytest.fixture
def stripe_settle() -> RecordingConnector:
    """Stands for `stripe.settle`: the bill is settled."""
    return RecordingConnector.standing_for(StripeSettling(lambda _: None), Completed({"settled_at": "2026-10-05T09:30:00Z"}))


@pytest.fixture
def card_company(
    runtime_with: Callable[..., Runtime],
    stripe_charge: RecordingConnector,
    stripe_settle: RecordingConnector,
    email_send: RecordingConnector,
) -> CardCompany:
    """The company with the process that is shipped."""
    both = {each.topic: each for each in beside(lambda _: None)}
    recording = {each.topic: each for each in (stripe_charge, stripe_settle, email_send)}
    opened = CardCompany(runtime_with(connectors={**both, **recording}))
    opened.deploy()
    return opened
