"""What one month of one customer costs, next to what the library alone needs for the same diagram."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from statistics import median

from tests.benchmarks.bare_library import (
    BareLibrary,
    PostgreSqlStates,
    SavedMonths,
    SqliteStates,
    months_in_memory,
)
from tests.benchmarks.bench import Bench, Place, Size, Table
from tests.benchmarks.meters import Server, Spent, middle, spending
from tests.benchmarks.month import DATA, DIAGRAM, Billing
from tests.builders.drawing import NAME
from tests.doubles.connectors import RecordingConnector

ABOUT = "cycle: CPU and wall of a whole month, next to the bare library"

_MEMORY, _STOCK = "library, in memory", "library, saved to SQLite with definition"
_SAVED = "library, saved to {}"
_OURS = "run-process, {}"
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
    stock = SavedMonths(library, SqliteStates(bench.folder / "stock.db"), library.stock)
    found: dict[str, tuple[Callable[[], None], Server | None]] = {
        _MEMORY: (lambda: months_in_memory(library, DATA, customers), None),
        _STOCK: (lambda: stock.run(DATA, customers), None),
    }
    for place in bench.places():
        states = stack.enter_context(closing(_states(bench, place)))
        saved = SavedMonths(library, states, library.lean)
        found[_SAVED.format(place.name)] = (lambda saved=saved: saved.run(DATA, customers), place.server)  # type: ignore[misc]
    for place in bench.places():
        found[_OURS.format(place.name)] = (_billing(place, stack, customers).months, place.server)
    return found


def _states(bench: Bench, place: Place) -> SqliteStates | PostgreSqlStates:
    return SqliteStates(bench.folder / "saved.db") if place.server is None else PostgreSqlStates(place.url)


def _billing(place: Place, stack: ExitStack, customers: int) -> Billing:
    pay = RecordingConnector()
    billing = Billing(stack.enter_context(place.runtime({pay.topic: pay})))
    billing.deploy()
    billing.begin([f"cus_{n}" for n in range(customers)])
    return billing


def _table(spent: dict[str, list[Spent]], rounds: int, customers: int) -> Table:
    rows = []
    for name, each in spent.items():
        figures = [f"{median(getattr(s, part) for s in each) * 1000:.2f}" for part in ("cpu", "server", "wall")]
        rows.append((name, *figures, *(_ratio(each, spent.get(floor)) for floor in (_SAVED.format("SQLite"), _floor_of(name)))))
    return Table(
        f"A month of one customer, milliseconds (median of {rounds} rounds of {customers} customers, contenders in turn)",
        ("", "CPU", "server's CPU", "wall", "CPU / library on SQLite", "CPU / library there"),
        rows,
        (
            "Month: started by message, two user tasks claimed and completed, one job of a connector that does nothing, throw,",
            "hand-over delivered; every step of ours durable. The library saves its state alone, at each wait state. The",
            "server's CPU counts. Targets: 1.75 times the library on SQLite, 2 times the library on PostgreSQL.",
        ),
    )


def _floor_of(name: str) -> str:
    return _SAVED.format("PostgreSQL" if "PostgreSQL" in name else "SQLite")


def _ratio(spent: list[Spent], floor: list[Spent] | None) -> str:
    """Round by round: what the machine does besides changes from one to the next."""
    if floor is None:
        return ""
    return middle([one.all_cpu / least.all_cpu for one, least in zip(spent, floor, strict=True)])
