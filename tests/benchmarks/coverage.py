"""How long it takes to say who is charged in a period, and who is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from engine.services.coverage import coverage
from tests.benchmarks.bench import Bench, Place, Size, Table
from tests.benchmarks.filling import LAST_MONTH, Filler
from tests.benchmarks.meters import spending
from tests.benchmarks.month import Billing
from tests.builders.drawing import NAME
from tests.doubles.connectors import RecordingConnector, charging

ABOUT = "coverage: a period of 100,000 customers"

_CUSTOMERS = {Size.FULL: 100_000, Size.QUICK: 10_000, Size.TINY: 20}
_NEXT_MONTH = f"{LAST_MONTH[:5]}{int(LAST_MONTH[5:]) + 1:02d}"
_BEFORE = f"{LAST_MONTH[:5]}{int(LAST_MONTH[5:]) - 1:02d}"
_PERIODS = {"charged": _BEFORE, "open": LAST_MONTH, "not begun": _NEXT_MONTH}


def run(bench: Bench) -> Iterator[Table]:
    """Three periods: one that is over, one that is open, one that no instance has reached."""
    customers = _CUSTOMERS[bench.size]
    rows = []
    for make in (bench.sqlite, bench.server):
        with ExitStack() as stack:
            place = make()
            if place is not None:
                rows += _measure(bench, stack, place, customers)
    yield Table(
        f"A period of {customers:,} customers",
        ("", "seconds (wall)", "CPU s", "server's CPU s", "rows"),
        rows,
        ("One row for each customer, judged. Target: under 5 seconds.",),
    )


def _measure(bench: Bench, stack: ExitStack, place: Place, customers: int) -> list[tuple[str, ...]]:
    bench.say(f"coverage: filling {place.name} with {customers:,} customers")
    pay = RecordingConnector(otherwise=charging)
    billing = Billing(stack.enter_context(place.runtime({pay.topic: pay})))
    billing.deploy()
    Filler(billing, pay).two_months(customers)
    rows = []
    for name, period in _PERIODS.items():
        with spending(place.server) as spent:
            found = coverage(billing.runtime, NAME, period)
        rows.append((f"{name}, {place.name}", f"{spent.wall:.2f}", f"{spent.cpu:.2f}", f"{spent.server:.2f}", f"{len(found):,}"))
    return rows
