"""What the same work costs in a database that has grown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from engine.services import inspecting, resolving, worklist
from tests.benchmarks.bench import Bench, Place, Size, Table
from tests.benchmarks.filling import LAST_MONTH, Filler
from tests.benchmarks.meters import spending
from tests.benchmarks.month import Billing
from tests.doubles.connectors import RecordingConnector, charging

ABOUT = "growth: a month, listings and claims with up to 300,000 stored instances"

_SIZES = {Size.FULL: (1_000, 10_000, 100_000, 300_000), Size.QUICK: (1_000, 10_000), Size.TINY: (90,)}
_ROUNDS = {Size.FULL: 7, Size.QUICK: 3, Size.TINY: 1}
_CALLS = {Size.FULL: 40, Size.QUICK: 20, Size.TINY: 1}
_PAGE = 25
_NEWCOMERS = 20

Works = dict[str, Callable[[], object]]


@dataclass
class _Grown:
    """One filled database; `milliseconds` by what was done, one figure a round."""

    size: int
    place: Place
    works: Works
    milliseconds: dict[str, list[float]]

    def measure(self, calls: int) -> None:
        for name, work in self.works.items():
            times = 1 if name.startswith(("month", "claim")) else calls
            each = _NEWCOMERS if times == 1 else calls
            with spending(self.place.server) as spent:
                for _ in range(times):
                    work()
            self.milliseconds.setdefault(name, []).append(spent.per(each).all_cpu * 1000)


def run(bench: Bench) -> Iterator[Table]:
    """All sizes are filled first and then measured in turn, so that a change of the machine's speed meets them all."""
    for make in (bench.sqlite, bench.server):
        with ExitStack() as stack:
            grown = [_fill(bench, stack, place, size) for size in _SIZES[bench.size] if (place := make()) is not None]
            for turn in range(_ROUNDS[bench.size]):
                bench.say(f"growth: round {turn + 1} of {_ROUNDS[bench.size]}")
                for each in grown:
                    each.measure(_CALLS[bench.size])
            if grown:
                yield _table(grown)


def _fill(bench: Bench, stack: ExitStack, place: Place, size: int) -> _Grown:
    bench.say(f"growth: filling {place.name} with {size:,} instances")
    pay = RecordingConnector(otherwise=charging)
    billing = Billing(stack.enter_context(place.runtime({pay.topic: pay})))
    billing.deploy()
    Filler(billing, pay).months(size)
    billing.begin([f"newcomer-{n}" for n in range(_NEWCOMERS)])
    open_ = [task.id for task in worklist.tasks(billing.runtime, {}, limit=size + 100, forms=False)]
    grown = _Grown(size, place, _works(billing, size, open_[-_NEWCOMERS - 1], open_[:-_NEWCOMERS][:_NEWCOMERS]), {})
    grown.measure(1)  # imports, caches, prepared statements
    grown.milliseconds.clear()
    return grown


def _works(billing: Billing, size: int, last_filled: str, offered: list[str]) -> Works:
    runtime = billing.runtime

    def tasks(**filters: str) -> Callable[[], object]:
        return lambda: worklist.tasks(runtime, filters, limit=_PAGE, forms=False)

    def instances(after: str | None = None, **filters: str) -> Callable[[], object]:
        return lambda: inspecting.list_instances(runtime, filters, after, _PAGE)

    def claims() -> None:
        for task in offered:
            worklist.claim(runtime, task, "sara")
        for task in offered:
            worklist.release(runtime, task, "sara")

    return {
        "month of a customer": lambda: billing.months(after=last_filled),
        "claim and release": claims,
        "tasks": tasks(),
        "tasks of a group": tasks(group_name="Sales"),
        "tasks of a person": tasks(claimed_by="nobody"),
        "tasks of a customer": tasks(customer="f1"),
        "tasks of a period": tasks(period=LAST_MONTH),
        "instances": instances(),
        "instances, page in the middle": instances(after=f"i{size // 2}"),
        "instances, active": instances(state="active"),
        "instances of a customer": instances(customer="f1"),
        "instances of the last period": instances(period=LAST_MONTH),
        "instances of an unknown period": instances(period="1999-01"),
        "chain of a customer": lambda: inspecting.chain(runtime, "f1"),
        "incidents, open": lambda: resolving.open_incidents(runtime),
    }


def _table(grown: list[_Grown]) -> Table:
    rows = []
    for name in grown[0].works:
        figures = [median(each.milliseconds[name]) for each in grown]
        ratios = [
            last / first for first, last in zip(grown[0].milliseconds[name], grown[-1].milliseconds[name], strict=True) if first
        ]
        ratio = f"{median(ratios):.2f}" if ratios else "-"
        rows.append((name, *(f"{figure:.2f}" for figure in figures), ratio))
    return Table(
        f"CPU milliseconds (this process and the server) with so many stored instances, {grown[0].place.name}",
        ("", *(f"{each.size:,}" for each in grown), "last / first"),
        rows,
        (f"Pages of {_PAGE}; one instance in thirty is open. Target: flat within 20 %.",),
    )
