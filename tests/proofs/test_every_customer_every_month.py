"""Nobody is missed: seven months of all of a wholesaler's customers, closed to the penny; and of faults planted at random, every
one is named, every one that can be mended is mended, and nothing is charged twice.

`pytest -m slow tests/proofs/test_every_customer_every_month.py -s` takes all 3,002 customers and plants 200 faults; the ordinary
run takes forty customers and plants twenty.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.registry import build_connectors
from connectors.stripe.client import build_client
from connectors.stripe_sandbox import start_sandbox
from engine.clock import SystemClock, TurnedClock
from engine.services.configuration import Configuration
from engine.services.deploying import deploy, read_files
from engine.services.runtime import Runtime
from engine.store.database import Database
from tests.builders.company import PROCESSES
from tests.integration.online_retail import CURRENCY, PERIODS, VARIABLE, amounts_file, first_accounts
from tests.proofs.lost_worker import KEY, lose_worker, settings
from tests.proofs.planted_faults import plant
from tests.proofs.wholesaler import PROCESS, Wholesaler, first_periods

GROUPS = {"Sales": frozenset({"sara"}), "Department Manager": frozenset({"mia"})}

pytestmark = pytest.mark.skipif(
    not amounts_file().is_file(),
    reason=f"the real amounts are not at {amounts_file()}; set {VARIABLE} to a monthly_amounts.csv",
)


@pytest.fixture
def wholesaler(database_url: str, database: Database, tmp_path: Path) -> Iterator[Wholesaler]:
    clock, mails = TurnedClock(SystemClock().now()), (tmp_path / "mail").as_uri()
    with start_sandbox() as sandbox:
        runtime = Runtime(database, clock, build_connectors(settings(sandbox.url, mails)), lambda: Configuration(GROUPS))
        deploy(runtime, read_files(PROCESSES / f"{PROCESS}.bpmn"), "olivia")

        def lose(charges: int) -> None:
            lose_worker(database_url, mails, sandbox.url, clock, charges)

        yield Wholesaler(runtime, clock, sandbox.control, build_client(KEY, sandbox.url), lose)


@pytest.mark.parametrize("customers", [pytest.param(40, id="some"), pytest.param(100_000, id="all", marks=pytest.mark.slow)])
def test_every_month_closes_and_its_totals_are_those_of_the_file(
    customers: int, wholesaler: Wholesaler, capsys: pytest.CaptureFixture[str]
) -> None:
    begun, charged = time.monotonic(), 0
    newcomers = first_periods(first_accounts(amounts_file(), customers))
    for period, of in wholesaler.months.items():
        wholesaler.enrol(newcomers[of], period)
        wholesaler.month(period)
        rows = wholesaler.coverage(period)
        assert rows.keys() == wholesaler.accounts.keys()
        for customer in wholesaler.accounts:
            due, row = wholesaler.due(customer, period), rows[customer]
            assert (row.state, row.amount, row.settled) == (_state(due), due, True), row
        assert wholesaler.reconcile(period).unreconciled == []
        record = wholesaler.close(period).record
        assert record is not None
        dues = [wholesaler.due(customer, period) for customer in wholesaler.accounts]
        assert (record.totals or {})["amounts"][CURRENCY]["charged"] == sum(due for due in dues if due > 0)
        charged += sum(due > 0 for due in dues)
        wholesaler.next_month()
    seconds = time.monotonic() - begun
    with capsys.disabled():
        print(  # noqa: T201 - figures for whoever reads the proof
            f"\n{len(wholesaler.accounts)} customers, {len(PERIODS)} months closed, {charged} charges in {seconds:.0f} s, "
            f"{charged / seconds:.1f} charges a second"
        )


def _state(due: int) -> str:
    return "charged" if due > 0 else "credited" if due < 0 else "nothing_due"


@pytest.mark.parametrize(
    ("customers", "faults"), [pytest.param(40, 20, id="some"), pytest.param(600, 200, id="many", marks=pytest.mark.slow)]
)
def test_every_planted_fault_is_named_and_what_can_be_mended_is_mended_once(
    customers: int, faults: int, wholesaler: Wholesaler, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts = first_accounts(amounts_file(), customers)
    first, past, present = list(wholesaler.months)[:3]
    wholesaler.enrol(accounts, first)
    for period in (first, past):
        wholesaler.month(period)
        wholesaler.next_month()
    planted = plant(wholesaler, past, present, faults)
    named = planted.named()
    assert planted.all.keys() - named.keys() == set()
    planted.mend()
    assert planted.left() == []
    assert planted.charged_twice() == []
    with capsys.disabled():
        print(f"\n{planted.figures()}")  # noqa: T201 - figures for whoever reads the proof
