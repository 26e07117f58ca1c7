"""Each test has a folder of its own; databases that take long to make are made once and copied. One sandbox serves all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands.demo.sandbox_customers import KEY, StripeSide
from connectors.stripe_sandbox import Sandbox, start_sandbox
from tests.acceptance.program import OPERATOR, PROCESS, PROCESSES, Program, approve, bill_of, enter

CARD = "pm_card_visa"


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def stripe(sandbox: Sandbox) -> dict[str, str]:
    """The settings that make a worker use the sandbox."""
    return {"RUN_PROCESS_STRIPE_URL": sandbox.url, "RUN_PROCESS_STRIPE_KEY": KEY}


@pytest.fixture(scope="session")
def customers(sandbox: Sandbox) -> StripeSide:
    """Customers at Stripe: make one, save a card, see what was charged."""
    return StripeSide(sandbox.url, sandbox.control)


@pytest.fixture
def run(tmp_path: Path) -> Program:
    """`run-process` in an empty folder."""
    return Program(tmp_path, {})


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, stripe: dict[str, str], customers: StripeSide) -> Callable[[str], Path]:
    """Folders to copy, by how far things are in them: each builds on the one before and is made when first asked for."""
    made: dict[str, Path] = {}

    def deployed(run: Program) -> None:
        run("deploy", PROCESSES, "--as", OPERATOR)

    def approved(run: Program) -> None:
        customer = customers.enrol("Ann Abe", "ann@example.com", CARD)
        run("start", PROCESS, *bill_of(customer), "--as", OPERATOR)
        enter(run, "t1")
        approve(run, "t2")

    def billed(run: Program) -> None:
        run("work", "--until-idle", "--name", "w1", **stripe)

    steps = {"deployed": deployed, "approved": approved, "billed": billed}

    def folder(stage: str) -> Path:
        if stage not in made:
            place = tmp_path_factory.mktemp(stage)
            stages = list(steps)
            if stage != stages[0]:
                shutil.copytree(folder(stages[stages.index(stage) - 1]), place, dirs_exist_ok=True)
            steps[stage](Program(place, {}))
            made[stage] = place
        return made[stage]

    return folder


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
