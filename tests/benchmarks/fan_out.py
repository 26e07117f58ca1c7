"""The month's start for everybody at once: hand-overs delivered by one worker, and enrolment from a file."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from commands.values import read_rows
from engine.services.starting import start_rows
from tests.benchmarks.bench import Bench, Place, Size, Table
from tests.benchmarks.filling import Filler
from tests.benchmarks.meters import Spent, spending
from tests.benchmarks.month import Billing
from tests.builders.drawing import NAME
from tests.doubles.connectors import RecordingConnector, charging

ABOUT = "fan-out: everybody's hand-over delivered at a month's start, and enrolment from CSV"

_CUSTOMERS = {Size.FULL: 10_000, Size.QUICK: 500, Size.TINY: 3}


def run(bench: Bench) -> Iterator[Table]:
    """Each on both kinds of database."""
    count = _CUSTOMERS[bench.size]
    rows = []
    for place in bench.places():
        bench.say(f"fan-out: {count} hand-overs on {place.name}")
        rows.append(_row(f"hand-overs, {place.name}", _deliver(place, count), count))
    for place in bench.places():
        bench.say(f"fan-out: {count} rows on {place.name}")
        rows.append(_row(f"CSV rows, {place.name}", _enrol(place, bench.folder, count), count))
    yield Table(
        f"{count:,} customers at once",
        ("", "a second (wall)", "seconds (wall)", "CPU ms each", "server's CPU ms each"),
        rows,
        ("Hand-overs by one worker; rows through start --csv's own service. Target: 500 rows a second.",),
    )


def _deliver(place: Place, count: int) -> Spent:
    pay = RecordingConnector(otherwise=charging)
    with place.runtime({pay.topic: pay}) as runtime:
        billing = Billing(runtime)
        billing.deploy()
        Filler(billing, pay).hand_overs(count)
        with spending(place.server) as spent:
            billing.work()
    return spent


def _enrol(place: Place, folder: Path, count: int) -> Spent:
    pay = RecordingConnector()
    path = folder / "customers.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("customer", "month"), *((f"cus_{n}", "2026-10") for n in range(count))])
    seen: Counter[str] = Counter()
    with place.runtime({pay.topic: pay}) as runtime:
        Billing(runtime).deploy()
        with spending(place.server) as spent:
            start_rows(runtime, NAME, read_rows(path), "olivia", lambda row: seen.update((row.outcome,)))
    if seen["started"] != count:
        raise RuntimeError(f"Expected every row to start an instance, but {dict(seen)}.")
    return spent


def _row(name: str, spent: Spent, count: int) -> tuple[str, ...]:
    each = spent.per(count)
    rate = count / spent.wall
    return name, f"{rate:.0f}", f"{spent.wall:.1f}", f"{each.cpu * 1000:.2f}", f"{each.server * 1000:.2f}"
