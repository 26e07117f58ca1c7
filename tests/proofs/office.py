"""A company with two engines on one database, looked at by the auditor after every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from connectors.email.send import EmailSend
from engine.clock import TurnedClock
from engine.connector import Completed, Outcome
from engine.errors import AlreadyBilled, EngineError, LeaseLost, NotPermitted, TaskNotOpen
from engine.execution.state import load_state
from engine.execution.token_game import TokenGame
from engine.services import deploying, handing_over, starting, timing, worklist
from engine.services.committing import commit_outcome
from engine.services.job_running import call_connector
from engine.services.runtime import Runtime
from engine.store import jobs
from engine.store.database import Database
from engine.store.jobs import JobRow
from tests.builders.company import beside
from tests.doubles.connectors import RecordingConnector
from tests.doubles.context import START
from tests.proofs.happenings import (
    HAPPY,
    LEASE,
    PROCESS,
    Held,
    Tools,
    version,
)
from tests.proofs.invariants import Auditor, Rows, read

T = TypeVar("T")
MOST_ROUNDS = 200


class Office(RuleBasedStateMachine):
    """One company, its two engines, and everything that is done in the same way whenever it happens.

    `fresh` gives the URL of a database with the newest schema, with the first version deployed or nothing at all.
    """

    def __init__(self, fresh: Callable[[], str], tools: Tools) -> None:
        super().__init__()
        url = fresh()
        self.reached = tools.reached
        self.clock = TurnedClock(START)
        self.stripe = tools.stripe
        self.stripe.begin_anew(self.clock)
        self.mail = RecordingConnector.standing_for(
            EmailSend("file:///nowhere", "a@example.com"), Completed({"message_id": "<1>"})
        )
        charge = self.stripe.connector()
        connectors = {each.topic: each for each in (charge, *beside(charge.keeper), self.mail)}
        self.engines = [
            Runtime(Database(url), self.clock, connectors, definitions=tools.definitions[engine]) for engine in (0, 1)
        ]
        self.bare = Runtime(self.engines[0].database, self.clock, connectors, definitions=tools.definitions[2])
        self.reader = create_engine(url, poolclass=NullPool).connect()
        self.customers = [self.stripe.enrol(name) for name in ("Ann", "Bob", "Cleo")]
        self.held: list[Held] = []
        self.auditor = Auditor(self.stripe, self._waiting)
        self.version = len(self._all("SELECT * FROM deployments"))
        if not self.version:
            self._deploy()
        self.look()

    @invariant()
    def everything_holds(self) -> None:
        self.look()

    def look(self) -> None:
        self.auditor.look(self._rows())

    @property
    def rows(self) -> Rows:
        """What the last look saw."""
        return self.auditor.before

    def _rows(self) -> Rows:
        with self.reader.begin():
            return read(self.reader)

    def _all(self, query: str) -> list[Any]:
        with self.reader.begin():
            return list(self.reader.execute(text(query)))

    def _waiting(self, row: Any) -> list[int]:
        with self.bare.database.reading() as connection:
            executable = self.bare.executable(connection, row.process, row.version)
        state = load_state(row.token_state)
        game = TokenGame(executable.tree(state.start), self, state.tokens)  # type: ignore[arg-type] # it is asked nothing
        return list(game.open_nodes())

    def refused(self, happens: Callable[[], T], *refusals: type[EngineError]) -> T | None:
        """What happens, or None where it is refused in one of these ways; then nothing has changed."""
        try:
            return happens()
        except refusals as refusal:
            self.reached[f"refused: {type(refusal).__name__}"] += 1
        assert self._rows() == self.rows, "refused, but something has changed"
        return None

    def _start(self, engine: int, customer: int, month: str) -> None:
        given = {
            "stripe_customer_id": self.customers[customer],
            "billing_month": month,
            "customer_name": "Acme",
            "email": "billing@acme.example",
            "currency": "USD",
        }
        billed = any((bill.customer, bill.period) == (self.customers[customer], month) for bill in self.rows.bills)
        refusals = (AlreadyBilled,) if billed else ()
        started = self.refused(lambda: starting.start_by_hand(self.engines[engine], PROCESS, given, "olivia"), *refusals)
        assert (started is None) == billed

    def _everyone_does_what_waits(self, engine: int, amount: str) -> None:
        for task in self.rows.open_tasks:
            self._do(engine, task, self._happy(task, amount), self._doer(task))
            self.look()

    def _doer(self, task: Any) -> str:
        return str(task.claimed_by or ("mia" if task.flow_node in ("approve", "confirm_payment") else "sara"))

    def _happy(self, task: Any, amount: str) -> dict[str, Any]:
        return HAPPY.get(task.flow_node) or {"billing_amount": amount, "billing_details": "Consulting"}

    def _do(self, engine: int, task: Any, values: dict[str, Any], user: str) -> None:
        runtime = self.engines[engine]
        self.refused(lambda: worklist.complete(runtime, f"t{task.id}", values, user), TaskNotOpen, NotPermitted)

    def _deploy(self) -> None:
        self.version += 1
        deployed = deploying.deploy(self.engines[self.version % 2], version(self.version), "ada")
        assert (deployed.deployment.version, deployed.created) == (self.version, True)

    def _work(self, engine: int) -> None:
        """What `Worker` does, one thing after the other: its threads would make each run another one."""
        runtime, by = self.engines[engine], f"worker w{engine}"
        for _ in range(MOST_ROUNDS):
            busy = any([timing.fire_next(runtime, by), handing_over.deliver_next(runtime, by)])
            for job in self._lease(engine):
                busy = True
                commit_outcome(runtime, job, call_connector(runtime, job), by)
            if not busy:
                break
        assert not busy, "a worker never has nothing to do"
        self.look()
        assert not any(row.state == "waiting" for row in self.rows.messages), "a worker left a message"

    def _lease(self, engine: int) -> list[JobRow]:
        now = self.clock.now()
        with self.engines[engine].database.transaction() as connection:
            return jobs.lease_due(connection, f"w{engine}", tuple(self.engines[engine].connectors), now, now + LEASE, 1)

    def _still_has(self, job: JobRow) -> bool:
        now = next(row for row in self.rows.jobs if row.id == job.id)
        return bool(now.state == "leased" and now.fence == job.fence)

    def _commit(self, engine: int, job: JobRow, outcome: Outcome) -> None:
        holds = self._still_has(job)
        refusals = () if holds else (LeaseLost,)
        saved = self.refused(lambda: commit_outcome(self.engines[engine], job, outcome, f"worker w{engine}"), *refusals)
        assert (saved is not None) == holds, "a worker saved what it no longer held"
