"""A month of the shipped process on a database that fails once: every part is the product's own but for Stripe's wires."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from commands.failure import FAILED, report
from connectors.email.send import EmailSend
from engine.clock import TurnedClock
from engine.definition.process_definition import read_definition
from engine.errors import AlreadyBilled, EngineError, InstanceNotActive, TaskNotOpen
from engine.execution.executable import Executable
from engine.services import resolving, worklist
from engine.services.deploying import read_files
from engine.services.runtime import DefinitionCache, Runtime
from engine.services.working import Worker
from engine.store.database import Database
from engine.store.tables import metadata
from tests.builders.company import PROCESSES, CardCompany, beside
from tests.doubles.context import START
from tests.doubles.failing_database import COMMIT, Failure, Faults
from tests.doubles.stripe_in_process import StripeSide
from tests.proofs.consistency import Reader, Row

FOR_NOW, FOR_GOOD = "pm_card_chargeDeclined", "pm_card_chargeDeclinedLostCard"

# Whatever one failure has left is done within these pauses: a lease that ends, a retry, looks at a charge in doubt.
PAUSES = (*[timedelta(minutes=6)] * 4, timedelta(hours=2), timedelta(days=2))

# What a person is told who does again what was done without their hearing of it.
DONE_ALREADY = (AlreadyBilled, TaskNotOpen, InstanceNotActive)

_CLEAN = re.compile(r"Error: Expected .+?, but .+\. Do: .+\.\n", re.DOTALL)


@dataclass
class World:
    """What outlives each month: Stripe, the clock, the definitions that were read. `said` gives and forgets what stderr got."""

    said: Callable[[], str]
    clock: TurnedClock = field(default_factory=lambda: TurnedClock(START))
    definitions: DefinitionCache = field(default_factory=DefinitionCache)

    def __post_init__(self) -> None:
        self.stripe = StripeSide(self.clock)
        self.executable = Executable(read_definition(read_files(PROCESSES / "monthly-card-charge.bpmn")))


@dataclass
class Month:
    """One month on one database. `restarting`: behind the failure everything goes on as in a new process."""

    world: World
    database: Database
    reader: Reader
    faults: Faults
    mail: Path
    restarting: bool

    def __post_init__(self) -> None:
        self.world.stripe.application.reset()
        self.customer = self.world.stripe.enrol("Ann")
        self.found: list[str] = []
        self.told_of_a_decline = False
        self.faults.afterwards = self._look
        self._open(self.database)

    def _open(self, database: Database) -> None:
        charge = self.world.stripe.connector()
        connectors = (charge, *beside(charge.keeper), EmailSend(self.mail.as_uri(), "billing@example.com"))
        by_topic = {connector.topic: connector for connector in connectors}
        self.runtime = Runtime(database, self.world.clock, by_topic, definitions=self.world.definitions)
        self.company = CardCompany(self.runtime)

    # what is done ...................................................................................................

    def deploy(self) -> None:
        self._do(self.company.deploy)

    def start(self) -> None:
        self._do(lambda: self.company.start(self.customer))

    def claim(self) -> None:
        self._do(lambda: worklist.claim(self.runtime, self._task("enter_amount"), "sara"))

    def enter(self) -> None:
        task = self._task("enter_amount")
        self._do(lambda: self._complete(task, "sara", billing_amount="120.50", billing_details="Consulting"))

    def approve(self) -> None:
        task = self._task("approve")
        self._do(lambda: self._complete(task, "mia", approval="approve"))

    def charge_again(self) -> None:
        task = self._task("contact_customer")
        self.world.stripe.give_card(self.customer, "pm_card_visa")
        self._do(lambda: self._complete(task, "sara", contact_result="retry"))

    def cancel(self) -> None:
        [instance] = [row for row in self.rows("instances") if row.state == "active"]
        self._do(lambda: resolving.cancel(self.runtime, f"i{instance.id}", "Entered twice.", "olivia"))

    def decline(self, card: str) -> None:
        """The card will be declined: for now, or for good."""
        self.world.stripe.change_card(self.customer, card)
        self.told_of_a_decline = card == FOR_NOW

    def wait_for_the_next_attempt(self) -> None:
        """The card can be charged again when its time has come."""
        self.world.stripe.change_card(self.customer, "pm_card_visa")
        self.world.clock.advance(timedelta(days=1))

    def work(self, until: Callable[[], bool]) -> None:
        """Workers do what is due, and come back after each pause, until it is so."""
        for pause in (*PAUSES, timedelta()):
            self._work_once()
            if until():
                return
            self.world.clock.advance(pause)
        raise AssertionError(f"the work isn't done: {self.told()}")

    def _work_once(self) -> None:
        try:
            Worker(self.runtime, "w1", concurrency=1).run(until_idle=True)
        except (EngineError, DBAPIError) as error:
            self._failed(error)

    def _task(self, node: str) -> str:
        """The newest visit of a user task."""
        return f"t{max(row.id for row in self.rows('user_tasks') if row.flow_node == node)}"

    def _complete(self, task: str, by: str, **values: str) -> None:
        worklist.complete(self.runtime, task, values, by)

    def _do(self, action: Callable[[], object]) -> None:
        """Do it, and when it fails do it again."""
        try:
            action()
        except (EngineError, DBAPIError) as error:
            self._failed(error)
            self._do_again(action)

    def _do_again(self, action: Callable[[], object]) -> None:
        try:
            action()
        except DONE_ALREADY as already:
            if not self._unheard:
                raise
            self._check_told(already)

    # what was promised ..............................................................................................

    def _failed(self, error: Exception) -> None:
        assert self.faults.failed is not None, error
        self._check_told(error)
        self._look()
        if self.restarting:
            self.close()
            url = self.database.engine.url.render_as_string(hide_password=False)
            self._open(self.faults.attach(Database(url)))

    def close(self) -> None:
        self.runtime.database.close()

    def _check_told(self, error: Exception) -> None:
        """A person is told in one message, as a command would tell them."""
        self.world.said()
        assert report(error, debug=False) == FAILED
        message = self.world.said()
        assert _CLEAN.fullmatch(message), message
        assert "defect" not in message, message
        assert "Traceback" not in message, message
        assert not (self._unheard and "Nothing of this step was saved" in message), message

    @property
    def _unheard(self) -> bool:
        """Whether what failed was saved all the same."""
        return (self.faults.failed, self.faults.failure) == (COMMIT, Failure.UNHEARD)

    def _look(self) -> None:
        """The database is consistent as it is at this moment. Never raises: a worker might catch it."""
        self.found += self.reader.findings(self.world.executable)

    def rows(self, table: str) -> list[Row]:
        return self.reader.tables(table)[table]

    def handed_over(self) -> bool:
        """October is over, and November waits for its amount."""
        month = {row.period: row.state for row in self.rows("instances") if row.state != "cancelled"}
        return month == {"2026-10": "completed", "2026-11": "active"}

    def waits_at(self, node: str) -> Callable[[], bool]:
        return lambda: any(row.flow_node == node and row.state == "offered" for row in self.rows("user_tasks"))

    def check(self) -> None:
        """What must be true at a month's end, however it got there."""
        self._look()
        assert self.found == [], (self.found, self.told())
        assert self.handed_over(), self.told()
        taken = self.world.stripe.taken()
        assert [(count, key[2:]) for key, count in taken.items()] == [(1, (12050, "usd"))], taken
        [charge] = self.rows("charges")
        assert (charge.state, charge.intent) == ("succeeded", next(iter(taken))[1])
        assert self.rows("incidents") == [], self.told()
        assert [row.state for row in self.rows("messages")] == ["delivered"]
        assert len(list(self.mail.glob("*.eml"))) == 1 + self.told_of_a_decline
        [task] = [row for row in self.rows("user_tasks") if row.state in ("offered", "claimed")]
        assert (task.flow_node, task.state) == ("enter_amount", "offered")

    def told(self) -> str:
        """The history, for whoever has to find out."""
        entries = [f"i{row.instance_id} {row.event} {row.details}" for row in self.rows("history")]
        return "\n".join([f"{self.faults.failed} failed: {self.faults.failure}", *entries])


# --- the variants ---------------------------------------------------------------------------------------------------


def charged(month: Month) -> None:
    month.start()
    month.claim()
    month.enter()
    month.approve()
    month.work(month.handed_over)


def declined_for_now_and_charged_by_a_timer(month: Month) -> None:
    month.decline(FOR_NOW)
    month.start()
    month.enter()
    month.approve()
    month.work(month.waits_at("wait_to_retry"))
    month.wait_for_the_next_attempt()
    month.work(month.handed_over)


def declined_and_repaired(month: Month) -> None:
    month.decline(FOR_GOOD)
    month.start()
    month.enter()
    month.approve()
    month.work(month.waits_at("contact_customer"))
    month.charge_again()
    month.work(month.handed_over)


def cancelled_and_started_anew(month: Month) -> None:
    month.start()
    month.enter()
    month.cancel()
    charged(month)


Play: TypeAlias = Callable[[Month], None]
PLAYS: Mapping[str, Play] = {
    play.__name__: play
    for play in (charged, declined_for_now_and_charged_by_a_timer, declined_and_repaired, cancelled_and_started_anew)
}


# --- one failure after the other ------------------------------------------------------------------------------------


class Campaign:
    """Months in which each write fails in turn, until one passes untouched. `empty` empties the one database there is.

    `cases` counts them by what failed and how, `untouched` the writes of the last month, in which nothing failed.
    """

    def __init__(self, world: World, folder: Path, empty: Callable[[], str]) -> None:
        self._world, self._empty, self._mail = world, empty, folder / "mail"
        self._faults = Faults()
        url = empty()
        self._reader = Reader(url)
        self._database = self._faults.attach(Database(url))
        self._new_month().deploy()
        self._deploying = Counter(self._faults.counts)
        self._deployed = self._reader.tables("deployment_files", "deployments")
        self.cases: Counter[str] = Counter()
        self.untouched: Counter[str] = Counter()

    def run(self, play: Play, failure_of: Callable[[int], Failure], every: int = 1, only: str | None = None) -> None:
        """Let write 1, 1 + `every`, ... fail, as `failure_of` says; with `only`, those of this kind alone."""
        for nth in count(1, every):
            self._month(nth, failure_of(nth), play, only)
            if self._faults.failed is None:
                self.untouched = self._deploying + self._faults.counts
                self._faults.plan(0, Failure.IO_ERROR)
                return
            self.cases[f"{self._faults.failed}: {self._faults.failure}"] += 1

    def _month(self, nth: int, failure: Failure, play: Play, only: str | None) -> None:
        """For a failure that comes behind the deployment, the process is there as it was deployed before."""
        self._database.close()
        self._empty()
        deploying = self._deploying[only] if only else self._deploying.total()
        month = self._new_month(restarting=nth % 2 == 0)
        try:
            if nth <= deploying:
                self._faults.plan(nth, failure, only)
                month.deploy()
            else:
                self._deploy_as_before()
                self._faults.plan(nth - deploying, failure, only)
            play(month)
            month.check()
        finally:
            month.close()

    def _new_month(self, *, restarting: bool = False) -> Month:
        shutil.rmtree(self._mail, ignore_errors=True)
        return Month(self._world, self._database, self._reader, self._faults, self._mail, restarting)

    def _deploy_as_before(self) -> None:
        with self._database.transaction() as connection:
            for name, rows in self._deployed.items():
                connection.execute(insert(metadata.tables[name]), [row._asdict() for row in rows])

    def close(self) -> None:
        self._database.close()

    def figures(self) -> str:
        """What a report quotes."""
        writes = ", ".join(f"{number} {kind}" for kind, number in self.untouched.most_common())
        cases = ", ".join(f"{number} {case}" for case, number in sorted(self.cases.items()))
        return f"{self.untouched.total()} writes a month ({writes}); {self.cases.total()} failures: {cases}"
