"""A disk that really is full, at every size, and a file that really is read-only: SQLite's own failures, not ours."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from engine.clock import TurnedClock
from engine.services.inspecting import list_instances, read_history
from engine.services.runtime import Runtime
from engine.store.database import Database
from tests.acceptance.program import DATABASE, Program, bill_of
from tests.builders.company import CardCompany, Company, beside
from tests.doubles.connectors import RecordingConnector
from tests.doubles.context import START

PAGES_LEFT = range(0, 40, 2)
LONG = "x" * 3000  # most of a page, so that nearly every step needs a new one
LEASE = timedelta(minutes=6)
NOT_CONFINED = 77
DROP_FROM_BOUNDING_SET, OVERRIDE_FILE_MODES = 24, 1  # prctl(2), capabilities(7)


# --- a database that may not grow -----------------------------------------------------------------------------------


def pages(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())


def allow(database: Database, most: int) -> None:
    """From now on the file may have so many pages: whatever needs another one finds the disk full."""
    database.close()
    event.listen(database.engine, "connect", lambda connection, _: connection.execute(f"PRAGMA max_page_count = {most}"))


def test_a_month_stops_where_the_disk_is_full_and_goes_on_when_there_is_room(migrated: Path, tmp_path: Path) -> None:
    clock, pay = TurnedClock(START), RecordingConnector()
    template = Database(f"sqlite:///{shutil.copy(migrated, tmp_path / 'deployed.db')}")
    Company(Runtime(template, clock, {pay.topic: pay})).deploy()
    enough = pages(template)
    template.close()
    stopped = []
    for room in PAGES_LEFT:
        url = f"sqlite:///{shutil.copy(tmp_path / 'deployed.db', tmp_path / f'{room}.db')}"
        database = Database(url)
        allow(database, enough + room)
        stopped.append(is_stopped(Company(Runtime(database, clock, {pay.topic: pay}))))
        database.close()
        with_room = Database(url)
        finish(Company(Runtime(with_room, clock, {pay.topic: pay})), clock)
        with_room.close()
    assert (stopped[0], stopped[-1]) == (True, False)
    assert stopped == sorted(stopped, reverse=True), "more room was worse"


def is_stopped(company: Company) -> bool:
    """Whether a month finds the disk full before its end."""
    try:
        instance = company.start(name="x" * 1000)
        company.enter(instance, details=LONG)
        company.approve(instance)
        company.work()
    except DBAPIError as error:
        if "database or disk is full" not in str(error):
            raise
        return True
    return company.instance(instance).next is None


def finish(company: Company, clock: TurnedClock) -> None:
    """What was done stays done; the rest is done now that there is room."""
    if not list_instances(company.runtime, {}):
        company.start(name="x" * 1000)
    first = list_instances(company.runtime, {})[0].id
    if [task.flow_node for task in company.open(first)] == ["enter"]:
        company.enter(first, details=LONG)
    if [task.flow_node for task in company.open(first)] == ["approve"]:
        company.approve(first)
    for _ in range(3):
        clock.advance(LEASE)
        company.work()
    october, november = list_instances(company.runtime, {})
    assert (october.state, october.next, november.state) == ("completed", november.id, "active")
    assert [read_history(company.runtime, each.id)[1] for each in (october, november)] == [None, None]


# --- the command line on such a disk --------------------------------------------------------------------------------


class Confined(Program):
    """`run-process` in a process that is kept from something before it starts."""

    confine: Callable[[], None] = staticmethod(lambda: None)

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *map(str, arguments)],
            cwd=self.folder,
            env=self.surroundings(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=self.confine,  # noqa: PLW1509 - it is one call of the system's, and the process is about to be replaced
        )


def confined(program: Program, confine: Callable[[], None]) -> Program:
    # Python itself doesn't notice that a module it caches was written by half, and would stumble over it from then on.
    made = Confined(program.folder, program.environment | {"PYTHONDONTWRITEBYTECODE": "1"})
    object.__setattr__(made, "confine", confine)
    return made


@pytest.fixture
def program(migrated: Path, tmp_path: Path, stripe_charge: RecordingConnector, email_send: RecordingConnector) -> Program:
    """In a folder with a database in which the process is deployed."""
    database = Database(f"sqlite:///{shutil.copy(migrated, tmp_path / DATABASE)}")
    connectors = {each.topic: each for each in (stripe_charge, *beside(lambda _: None), email_send)}
    CardCompany(Runtime(database, TurnedClock(START), connectors)).deploy()
    database.close()
    return Program(tmp_path, {"RUN_PROCESS_USER": "olivia"})


def limit_files(size: int) -> None:
    """No file may grow beyond this; Python asks the system for an error instead of a signal."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [4096, pytest.param(24_000, marks=pytest.mark.slow)])
def test_a_command_that_finds_the_disk_full_says_so_and_works_when_there_is_room(program: Program, size: int) -> None:
    message = confined(program, partial(limit_files, size)).refused("start", "monthly-card-charge", *bill_of("cus_ann"))
    assert " database " in message
    assert "disk" in message
    assert program("start", "monthly-card-charge", *bill_of("cus_ann")).stdout.strip() == "i1"


def keep_to_file_modes() -> None:
    """Root may write what nobody may write; without this it may not."""
    if ctypes.CDLL(None, use_errno=True).prctl(DROP_FROM_BOUNDING_SET, OVERRIDE_FILE_MODES, 0, 0, 0) != 0:
        os._exit(NOT_CONFINED)


def test_a_command_on_a_read_only_database_says_so_and_changes_nothing(program: Program) -> None:
    limited = confined(program, keep_to_file_modes if os.geteuid() == 0 else lambda: None)
    file = program.folder / DATABASE
    file.chmod(0o444)
    try:
        assert "readonly" in limited.refused("start", "monthly-card-charge", *bill_of("cus_ann"))
    except AssertionError:
        if limited.start("--version").wait(60) == NOT_CONFINED:
            pytest.skip("root may write anywhere here, and can't be kept from it")
        raise
    file.chmod(0o644)
    assert program("start", "monthly-card-charge", *bill_of("cus_ann")).stdout.strip() == "i1"
