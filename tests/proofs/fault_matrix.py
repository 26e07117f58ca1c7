"""The fault matrix: kill a worker at each point of the way, with each fault on each request, and restart it much later.

    python -m tests.proofs.fault_matrix --folder FOLDER [--shard 1/2] [--about 100] [--postgresql URL]

First each fault and restart is played without a kill, and traced: that names the points. Then each point of each trace is a
case. Prints one JSON object. Each case has a customer, a database and workers of its own; the sandbox's clock is the
engine's, so both are turned at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from connectors.stripe_sandbox import start_sandbox
from engine.services.configuration import Configuration
from engine.services.working import Backlog
from tests.proofs.auditing import audit
from tests.proofs.card_office import CardOffice, approve_bill
from tests.proofs.faults import FAULTS, fault_named
from tests.proofs.forking import Tell, WarmParent
from tests.proofs.sabotage import SABOTAGES
from tests.proofs.traps import Point, Trap, TrappedDatabase, trap_requests

RESTARTS = {"1 min": timedelta(minutes=1), "25 h": timedelta(hours=25), "31 d": timedelta(days=31)}
REQUESTS = {"create": "/v1/payment_intents", "confirm": "/v1/payment_intents/*/confirm"}
NONE = "none"
_CLEAN_UP = timedelta(hours=26)  # it leaves an intent alone for 25
_PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)) * 2
_SIGNS_OF_LIFE = ("commit workers=working", "commit jobs, workers=working")  # by the machine's time: they come or don't
_OF_NO_BILL = {"workers", "chores", "rate_limits"}
_PATIENCE = 0.6  # seconds that a worker waits for an answer


@dataclass(frozen=True)
class Case:
    """One trouble on the way: a fault on a request, a kill at a point, and how much later the next worker comes."""

    fault: str
    request: str
    restart: str
    point: Point | None = None

    @property
    def trouble(self) -> str:
        return self.fault if self.fault == NONE else f"{self.fault} on {self.request}"

    @property
    def killed_at(self) -> str:
        return self.point.name if self.point else "never"

    def __str__(self) -> str:
        return f"{self.trouble}; killed {self.point or 'never'}; restarted after {self.restart}"


@dataclass
class Verdict:
    """How a case ended."""

    case: Case
    killed: bool
    wrong: list[str]
    incident: str | None
    passed: list[Point]


@dataclass
class Figures:
    """What a run found."""

    cases: int = 0
    kills: int = 0
    charged: int = 0
    incidents: list[str] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    by: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, verdict: Verdict) -> None:
        case = verdict.case
        self.cases += 1
        self.kills += verdict.killed
        self.charged += not verdict.wrong and verdict.incident is None
        self.wrong += [f"{case}: {each}" for each in verdict.wrong]
        if verdict.incident is not None:
            self.incidents.append(f"{case}: {verdict.incident}")
        if case.point is not None and not verdict.killed:
            self.not_reached.append(str(case))
        for point in verdict.passed:
            if point.name not in self.points:
                self.points.append(point.name)
        for axis in ("trouble", "restart", "killed_at"):
            counts = self.by.setdefault(axis, {})
            value = getattr(case, axis)
            counts[value] = counts.get(value, 0) + 1


@dataclass(frozen=True)
class Life:
    """One worker process of a case: the first one approves the bill before it works, and each waits until all is settled."""

    office: CardOffice
    trap: Trap
    case: Case
    customer: str | None = None
    sabotage: str | None = None

    def live(self, tell: Tell) -> None:
        first = self.customer is None
        customer = self.customer or self._begin(tell)
        if self.sabotage is not None:
            SABOTAGES[self.sabotage]()
        self.trap.set(self.case.point if first else None)
        restart = RESTARTS[self.case.restart]
        self._work_until_settled(*([timedelta(), restart] if first else [restart]), *_PAUSES)
        passed = [asdict(point) for point in self.trap.passed]
        self.trap.set(None)
        self.office.control().clear_faults()
        report = audit(self.office.database, self.office.client(), [customer])
        tell({"passed": passed, "wrong": report.wrong, "incident": report.incidents.get(customer)})

    def _begin(self, tell: Tell) -> str:
        customer = approve_bill(self.office.company(self.office.clock_of_stripe()), self.office.client())
        tell({"customer": customer})
        case = self.case
        if case.fault != NONE:
            self.office.control().add_fault(**fault_named(case.fault), method="POST", path=REQUESTS[case.request])
        return customer

    def _work_until_settled(self, *pauses: timedelta) -> None:
        """Both clocks are turned by each pause in turn, while anything is left that will be due later; and once more, so that the
        clean-up at Stripe has its turn after the charge. In the charge's own round either of the two may come first.
        """
        for pause in pauses:
            backlog = self._work_after(pause)
            if not backlog.jobs and not backlog.messages:
                break
        self._work_after(_CLEAN_UP)

    def _work_after(self, pause: timedelta) -> Backlog:
        self.office.control().advance(pause.total_seconds())
        return self.office.company(self.office.clock_of_stripe()).work(concurrency=2)


@dataclass
class Matrix:
    """Plays cases, one after the other."""

    office: CardOffice
    trap: Trap
    fresh: Callable[[], None]
    sabotage: str | None = None
    _parent: WarmParent = field(default_factory=WarmParent)

    def play(self, case: Case) -> Verdict:
        """A case from the approved bill to the last worker's end."""
        self.fresh()
        told: dict[str, Any] = {}
        kills = 0
        while "wrong" not in told:
            life = Life(self.office, self.trap, case, told.get("customer"), self.sabotage)
            ended = self._parent.start(life.live).wait()
            told |= ended.told
            kills += ended.killed
        passed = [Point(**point) for point in told["passed"]]
        return Verdict(case, kills == 1, told["wrong"], told["incident"], passed)


def troubles() -> Iterator[Case]:
    """Every fault on every request with every restart, without a kill."""
    for restart in RESTARTS:
        yield Case(NONE, "any", restart)
        for request in REQUESTS:
            for fault in FAULTS:
                yield Case(fault, request, restart)


def run(matrix: Matrix, shard: tuple[int, int], about: int | None) -> Figures:
    """Play this shard's cases: all that there are, or `about` so many, spread over all points, faults and restarts."""
    figures, begun = Figures(), time.monotonic()
    own = [case for number, case in enumerate(troubles()) if number % shard[1] == shard[0] - 1]
    if about is not None:
        third = -(-len(own) // len(RESTARTS))  # each fault once; which restart it has turns with it
        own = [case for number, case in enumerate(own) if number // third == number % third % len(RESTARTS)]
    cases = []
    for case in own:
        verdict = matrix.play(case)
        figures.add(verdict)
        cases.append([replace(case, point=point) for point in verdict.passed if _is_deadly(point)])
    for case in chain.from_iterable(cases if about is None else _sample(cases, about - len(own))):
        figures.add(matrix.play(case))
        if figures.cases % 100 == 0:
            sys.stderr.write(f"{figures.cases} cases, {len(figures.wrong)} wrong\n")
    figures.seconds = round(time.monotonic() - begun, 1)
    return figures


def _is_deadly(point: Point) -> bool:
    """Whether a kill there is a case: each time for what belongs to a bill, once for what the workers keep for themselves."""
    stored = {each.partition("=")[0] for each in point.what.removeprefix("commit ").split(", ")}
    return point.what not in _SIGNS_OF_LIFE and (point.nth == 1 or not stored <= _OF_NO_BILL)


def _sample(cases: list[list[Case]], about: int) -> Iterator[list[Case]]:
    """From each fault's cases as many, always those of the points that were taken least so far."""
    taken: Counter[str] = Counter()
    for of_fault in cases:
        for _ in range(max(1, round(about / len(cases)))):
            case = min(of_fault, key=lambda case: taken[case.killed_at])
            taken[case.killed_at] += 1
            yield [case]


@contextlib.contextmanager
def warm_matrix(folder: Path, postgresql: str | None = None, sabotage: str | None = None) -> Iterator[Matrix]:
    """A matrix whose process has done once all that its children will do. On PostgreSQL all cases share one database."""
    file = folder / "case.db"
    trap = Trap()
    with start_sandbox() as sandbox:
        database = TrappedDatabase(postgresql or f"sqlite:///{file}", trap)
        office = CardOffice(sandbox.url, database, folder / "mails", Configuration(), _PATIENCE)
        office.company().deploy()
        office.leave()
        if postgresql is None:
            shutil.copy(file, folder / "template.db")
        trap_requests(trap)
        Life(office, trap, Case(NONE, "any", "1 min")).live(lambda _: None)
        office.leave()
        yield Matrix(office, trap, _Renewal(office, folder, postgresql is not None), sabotage)


@dataclass(frozen=True)
class _Renewal:
    """Before each case: a sandbox and a database that remember nothing; a database that is shared remembers, and so do both."""

    office: CardOffice
    folder: Path
    shared: bool

    def __call__(self) -> None:
        if self.shared:
            self.office.control().clear_faults()
            return
        self.office.control().reset()
        for left in self.folder.glob("case.db*"):
            left.unlink()
        shutil.copy(self.folder / "template.db", self.folder / "case.db")


def main() -> None:
    """Prints the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, required=True)
    options.add_argument("--shard", default="1/1")
    options.add_argument("--about", type=int)
    options.add_argument("--postgresql")
    options.add_argument("--sabotage", choices=SABOTAGES)
    given = options.parse_args()
    number, of = map(int, given.shard.split("/"))
    with warm_matrix(given.folder, given.postgresql, given.sabotage) as matrix:
        figures = run(matrix, (number, of), given.about)
    sys.stdout.write("\n" + json.dumps(asdict(figures)))


if __name__ == "__main__":
    main()
