"""What one month of one customer costs, next to what the library alone needs for the same diagram."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from statistics import median

from tests.benchmarks.bare_library import BareLibrary, SavedMonths, months_in_memory
from tests.benchmarks.bench import Bench, Place, Size, Table
from tests.benchmarks.meters import Server, Spent, middle, spending
from tests.benchmarks.month import DATA, DIAGRAM, Billing
from tests.builders.drawing import NAME
from tests.doubles.connectors import RecordingConnector

ABOUT = "cycle: CPU and wall of a whole month, next to the bare library"

_MEMORY, _SAVED, _STOCK = "library, in memory", "library, saved to SQLite", "library, saved with definition"
_SIZES = {Size.FULL: (9, 200), Size.QUICK: (5, 60), Size.TINY: (1, 2)}


def run(bench: Bench) -> Iterator[Table]:
    """Rounds of each contender in turn, so that a change of the machine's speed meets them all."""
    rounds, customers = _SIZES[bench.size]
    spent: dict[str, list[Spent]] = {}
    with ExitStack() as stack:
        contenders = _contenders(bench, stack, customers)
        for one, _ in contenders.values():
            one()  # imports, caches, first pages
        for turn in range(rounds):
            bench.say(f"cycle: round {turn + 1} of {rounds}")
            for name, (one, server) in contenders.items():
                with spending(server) as each:
                    one()
                spent.setdefault(name, []).append(each.per(customers))
    yield _table(spent, rounds, customers)


def _contenders(bench: Bench, stack: ExitStack, customers: int) -> dict[str, tuple[Callable[[], None], Server | None]]:
    library = BareLibrary(DIAGRAM, NAME)
    saved = SavedMonths(library, bench.folder / "saved.db", library.lean)
    stock = SavedMonths(library, bench.folder / "stock.db", library.stock)
    found: dict[str, tuple[Callable[[], None], Server | None]] = {
        _MEMORY: (lambda: months_in_memory(library, DATA, customers), None),
        _SAVED: (lambda: saved.run(DATA, customers), None),
        _STOCK: (lambda: stock.run(DATA, customers), None),
    }
    for place in bench.places():
        found[f"run-process, {place.name}"] = (_billing(place, stack, customers).months, place.server)
    return found


def _billing(place: Place, stack: ExitStack, customers: int) -> Billing:
    pay = RecordingConnector()
    billing = Billing(stack.enter_context(place.runtime({pay.topic: pay})))
    billing.deploy()
    billing.begin([f"cus_{n}" for n in range(customers)])
    return billing


def _table(spent: dict[str, list[Spent]], rounds: int, customers: int) -> Table:
    floor = [each.all_cpu for each in spent[_SAVED]]
    rows = []
    for name, each in spent.items():
        ratios = [one.all_cpu / least for one, least in zip(each, floor, strict=True)]
        rows.append(
            (
                name,
                f"{median(s.cpu for s in each) * 1000:.2f}",
                f"{median(s.server for s in each) * 1000:.2f}",
                f"{median(s.wall for s in each) * 1000:.2f}",
                middle(ratios),
            )
        )
    return Table(
        f"A month of one customer, milliseconds (median of {rounds} rounds of {customers} customers, contenders in turn)",
        ("", "CPU", "server's CPU", "wall", f"CPU / '{_SAVED}'"),
        rows,
        (
            "Month: started by message, two user tasks claimed and completed, one job of a connector that does nothing, throw,",
            "hand-over delivered; every step of ours durable. Targets: 1.75 times the saving library on SQLite, 2 on PostgreSQL.",
        ),
    )
