"""Each test has a folder of its own; databases that take long to make are made once and copied. One sandbox serves all."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commands.demo.sandbox_customers import KEY, StripeSide
from connectors.registry import ConnectorSettings, build_connectors
from connectors.stripe_sandbox import Sandbox, start_sandbox
from engine.clock import SystemClock
from engine.services import worklist
from engine.services.deploying import deploy, read_files
from engine.services.runtime import Runtime
from engine.services.starting import start_by_hand
from engine.services.working import Worker
from engine.store.database import Database
from tests.acceptance.program import (
    AMOUNT,
    APPROVAL,
    CHECKOUT,
    DATABASE,
    MANAGER,
    OPERATOR,
    PROCESS,
    PROCESSES,
    SALES,
    Program,
    bill,
)

CARD = "pm_card_visa"


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """A shell's background job ignores SIGINT, and so would every program that is started from there."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def stripe(sandbox: Sandbox) -> dict[str, str]:
    """The settings that make a worker use the sandbox."""
    return {"RUN_PROCESS_STRIPE_URL": sandbox.url, "RUN_PROCESS_STRIPE_KEY": KEY, "RUN_PROCESS_STRIPE_RATE": "1000"}


@pytest.fixture(scope="session")
def another_account(stripe: dict[str, str]) -> Iterator[dict[str, str]]:
    """The settings of a Stripe account that doesn't know our customers."""
    with start_sandbox() as sandbox:
        yield stripe | {"RUN_PROCESS_STRIPE_URL": sandbox.url}


@pytest.fixture(scope="session")
def customers(sandbox: Sandbox) -> StripeSide:
    """Customers at Stripe: make one, save a card, see what was charged."""
    return StripeSide(sandbox.url, sandbox.control)


@pytest.fixture
def run(tmp_path: Path) -> Program:
    """`run-process` in an empty folder."""
    return Program(tmp_path, {})


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox, customers: StripeSide) -> Callable[[str], Path]:
    """Folders to copy, by how far things are in them; made at the first call, without the command line because that is quick."""
    places: dict[str, Path] = {}

    def folder(stage: str) -> Path:
        if not places:
            place = tmp_path_factory.mktemp("month")
            for name in _month(place, sandbox.url, customers):
                places[name] = shutil.copytree(place, tmp_path_factory.mktemp(name), dirs_exist_ok=True)
        return places[stage]

    return folder


def _month(place: Path, stripe_url: str, customers: StripeSide) -> Iterator[str]:
    """Play a month in `place`; yields at each stage, with the database closed."""
    stripe = ConnectorSettings(KEY, stripe_url, live=False, smtp_url=(place / "mail").as_uri(), mail_from="billing@localhost")

    @contextmanager
    def opened() -> Iterator[Runtime]:
        database = Database(f"sqlite:///{place / DATABASE}")
        yield Runtime(database, SystemClock(), build_connectors(stripe))
        database.close()

    with opened() as runtime:
        deploy(runtime, read_files(PROCESSES / f"{PROCESS}.bpmn"), OPERATOR)
    yield "deployed"
    with opened() as runtime:
        customer = customers.enrol("Ann Abe", "ann@example.com", CARD)
        start_by_hand(runtime, PROCESS, bill(customer), OPERATOR)
        worklist.complete(runtime, "t1", AMOUNT, SALES)
        worklist.complete(runtime, "t2", APPROVAL, MANAGER)
    yield "approved"
    with opened() as runtime:
        Worker(runtime, "w1").run(until_idle=True)
    yield "billed"


@pytest.fixture
def deployed(run: Program, prepared: Callable[[str], Path]) -> Program:
    """The shipped process is deployed."""
    shutil.copytree(prepared("deployed"), run.folder, dirs_exist_ok=True)
    return run


@pytest.fixture
def approved(run: Program, prepared: Callable[[str], Path]) -> Program:
    """i1 of a customer with a card: 120.50 EUR entered (t1) and approved (t2), so that a worker has a charge to make (j1)."""
    shutil.copytree(prepared("approved"), run.folder, dirs_exist_ok=True)
    return run


@pytest.fixture
def billed(run: Program, prepared: Callable[[str], Path]) -> Program:
    """i1 is charged and told by e-mail, and i2 is next month's instance with its task t3."""
    shutil.copytree(prepared("billed"), run.folder, dirs_exist_ok=True)
    return run


# --- the wheel ---------------------------------------------------------------------------------------------------------

# Downloading every dependency again would take minutes and need the network. So the wheel's environment finds those that are
# installed already, through a path file that names their folder. The checkout can't slip in that way: folders that a path file
# names are searched, but the path files inside them (an editable install is one) are not read. test_wheel.py makes sure of it.


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Program:
    """`run-process` as the wheel installs it, in an environment of its own and an empty folder."""
    environment, place = tmp_path / "environment", tmp_path / "empty"
    place.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True, capture_output=True)
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Program(place, {"PYTHONPATH": ""}, (str(environment / "bin" / "run-process"),))
