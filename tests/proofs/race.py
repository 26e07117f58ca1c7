"""The race: many workers on one database, one of them killed every moment, and Stripe answering badly.

    python -m tests.proofs.race --folder FOLDER --database URL --workers 8 --bills 2000 --kill-every 0.1

Workers are killed with `kill -9` and replaced at once; some are paused beyond their lease instead, and go on as if nothing
had happened. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from connectors.stripe_sandbox import start_sandbox
from engine.errors import EngineError
from engine.services import resolving
from engine.services.configuration import Configuration
from engine.services.working import Worker
from engine.store import tables
from engine.store.database import Database
from tests.proofs.auditing import AMOUNT, audit
from tests.proofs.card_office import CardOffice, approve_bill
from tests.proofs.faults import FAULTS, fault_named
from tests.proofs.forking import Child, Tell, WarmParent
from tests.proofs.sabotage import SABOTAGES

_LEASE = timedelta(seconds=2)
_PATIENCE = 0.5  # seconds that a worker waits for Stripe's answer
_PAUSES = (timedelta(seconds=0.3), timedelta(seconds=0.7)) * 15
_PAUSED_INSTEAD = 0.1  # the share of workers that are paused and not killed
_LOOK_EVERY = 1.0  # seconds
_CONCURRENCY = 3
_PASSES_AT_STRIPE = timedelta(hours=9)  # at each look: keys are forgotten in the midst of it, and with them saved errors
_MOST_SETTLING = 60.0  # seconds
_AT_ONCE = float("inf")


@dataclass(frozen=True)
class Conditions:
    """How hard the race is run. `faulty` is the share of requests to Stripe that meet a fault; times are in seconds."""

    workers: int
    bills: int
    kill_every: float
    faulty: float
    seed: int
    patience: float
    sabotage: str | None


@dataclass
class Figures:
    """What a race showed."""

    bills: int = 0
    charged: int = 0
    kills: int = 0
    pauses: int = 0
    requests: int = 0
    faults: int = 0
    incidents: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    racing_seconds: float = 0.0
    seconds: float = 0.0


@dataclass
class Race:
    """One race, from the approved bills to the audit."""

    office: CardOffice
    conditions: Conditions
    parent: WarmParent = field(default_factory=WarmParent)
    figures: Figures = field(default_factory=Figures)
    paused: deque[tuple[float, Child]] = field(default_factory=deque)
    awake: deque[Child] = field(default_factory=deque)

    def run(self) -> Figures:
        figures, begun = self.figures, time.monotonic()
        customers = self._approved()
        self._plan_faults()
        started = time.monotonic()
        self._race(random.Random(self.conditions.seed), started)
        figures.racing_seconds = round(time.monotonic() - started, 1)
        told = self.parent.run(self._watch_requests)
        self.office.control().clear_faults()
        told |= self.parent.run(self._settle)
        told |= self.parent.run(lambda tell: self._judge(customers, tell))
        for name, value in told.items():
            setattr(figures, name, value)
        figures.bills, figures.seconds = len(customers), round(time.monotonic() - begun, 1)
        return figures

    def _approved(self) -> list[str]:
        """All bills, each with a customer of its own and waiting for its charge; two processes enter them."""
        half = self.conditions.bills // 2
        shares = [half, self.conditions.bills - half]

        def enter(number: int, tell: Tell) -> None:
            company, client = self.office.company(), self.office.client()
            tell({"customers": [approve_bill(company, client) for _ in range(number)]})

        children = [self.parent.start(lambda tell, n=share: enter(n, tell)) for share in shares]  # type: ignore[misc]
        return [customer for child in children for customer in child.wait().told["customers"]]

    def _plan_faults(self) -> None:
        """One rule for each kind, all with the same probability, so that `faulty` of all requests meet one."""
        each = 1 - (1 - self.conditions.faulty) ** (1 / len(FAULTS))
        for number, name in enumerate(FAULTS):
            seed = self.conditions.seed * len(FAULTS) + number
            self.office.control().add_fault(**fault_named(name), probability=each, seed=seed)

    def _race(self, chance: random.Random, begun: float) -> None:
        workers = [self.parent.start(self._work) for _ in range(self.conditions.workers)]
        due, look = begun, self.parent.start(self._look)
        try:
            while time.monotonic() - begun < self.conditions.patience:
                due += self.conditions.kill_every
                time.sleep(max(0.0, due - time.monotonic()))
                place = chance.randrange(len(workers))
                self._lose(workers[place], chance.random() < _PAUSED_INSTEAD)
                workers[place] = self.parent.start(self._work)
                self._wake(time.monotonic())
                if look.has_told():
                    if not look.wait().told["left"]:
                        break
                    look = self.parent.start(self._look)
        finally:
            for worker in [*workers, look]:
                worker.kill()
            self._wake(_AT_ONCE)

    def _lose(self, worker: Child, paused: bool) -> None:
        """Kill a worker; or pause it until well after its lease has ended."""
        if paused:
            worker.pause()
            self.paused.append((time.monotonic() + 2 * _LEASE.total_seconds(), worker))
            self.figures.pauses += 1
        else:
            self.figures.kills += worker.kill().killed

    def _wake(self, until: float) -> None:
        """Let those go on whose pause is over. They work as if nothing had happened, until their turn comes to be killed."""
        while self.paused and self.paused[0][0] <= until:
            _, worker = self.paused.popleft()
            worker.go_on()
            self.awake.append(worker)
        while len(self.awake) > self.conditions.workers or (self.awake and until == _AT_ONCE):
            self.figures.kills += self.awake.popleft().kill().killed

    def _work(self, _tell: Tell) -> None:
        if self.conditions.sabotage is not None:
            SABOTAGES[self.conditions.sabotage]()
        self._worker().run()

    def _worker(self) -> Worker:
        return Worker(self.office.company().runtime, "racer", _CONCURRENCY, lease=_LEASE)

    def _look(self, tell: Tell) -> None:
        """After a moment, in which Stripe's clock is turned: how many bills are neither handed over nor shown to a person."""
        time.sleep(_LOOK_EVERY)
        self.office.control().advance(_PASSES_AT_STRIPE.total_seconds())
        delivered = select(func.count()).select_from(tables.messages).where(tables.messages.c.state == "delivered")
        shown = select(func.count()).select_from(tables.incidents).where(tables.incidents.c.resolved_at.is_(None))
        with self.office.database.reading() as connection:
            done = connection.execute(delivered).scalar_one() + connection.execute(shown).scalar_one()
        own = 1  # the one by which this process was warmed up
        tell({"left": max(0, self.conditions.bills + own - int(done))})

    def _settle(self, tell: Tell) -> None:
        """What a person does at the end: look at the incidents, retry each, and let one last worker finish."""
        runtime = self.office.company().runtime
        shown = resolving.open_incidents(runtime)
        time.sleep(2 * _LEASE.total_seconds())  # the leases of the dead end
        for incident in shown:
            with contextlib.suppress(EngineError):  # one that can't be retried stays open, and the audit finds it
                resolving.retry(runtime, incident["id"], "olivia")
        deadline = time.monotonic() + _MOST_SETTLING
        while (left := self._worker().run(until_idle=True)) and (left.jobs or left.messages) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)
        tell({"incidents": [str(incident["reason"]) for incident in shown]})

    def _judge(self, customers: list[str], tell: Tell) -> None:
        report = audit(self.office.database, self.office.client(), customers)
        state = self.office.control().state()
        wrong = report.wrong + [f"{customer}: {why}" for customer, why in report.incidents.items()]
        if state["charges_taken"] != len(customers) or state["charged"] != {"usd": AMOUNT * len(customers)}:
            wrong.append(f"Stripe took {state['charges_taken']} charges, {state['charged']} in all")
        tell({"wrong": wrong, "charged": state["charges_taken"]})

    def _watch_requests(self, tell: Tell) -> None:
        """The sandbox's log keeps the last ten thousand."""
        log = [entry for entry in self.office.control().requests() if entry["path"].startswith("/v1/payment_intents")]
        tell({"requests": len(log), "faults": sum(entry["fault"] is not None for entry in log)})


@contextlib.contextmanager
def warm_race(folder: Path, url: str, conditions: Conditions) -> Iterator[Race]:
    """A race whose process has done once all that its children will do."""
    with start_sandbox() as sandbox:
        configuration = Configuration(retry_after=_PAUSES, reconcile_after=_PAUSES)
        office = CardOffice(sandbox.url, Database(url), folder / "mails", configuration, _PATIENCE)
        company = office.company()
        company.deploy()
        first = approve_bill(company, office.client())
        while company.work().jobs:  # the sandbox's first answers are slow: it builds its checks then
            time.sleep(_LOOK_EVERY)
        report = audit(office.database, office.client(), [first])
        assert not report.wrong, report.wrong
        office.control().reset()
        office.leave()
        yield Race(office, conditions)


def main() -> None:
    """Prints the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, required=True)
    options.add_argument("--database", required=True)
    options.add_argument("--workers", type=int, required=True)
    options.add_argument("--bills", type=int, required=True)
    options.add_argument("--kill-every", type=float, required=True)
    options.add_argument("--faulty", type=float, default=0.4)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--patience", type=float, default=900.0)
    options.add_argument("--sabotage", choices=SABOTAGES)
    given = vars(options.parse_args())
    with warm_race(given.pop("folder"), given.pop("database"), Conditions(**given)) as race:
        sys.stdout.write("\n" + json.dumps(asdict(race.run())))


if __name__ == "__main__":
    main()
