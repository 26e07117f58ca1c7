"""How many charges a second one worker process holds against a slow Stripe that limits requests."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from connectors.stripe_sandbox.process import Sandbox, start_sandbox
from engine.services.runtime import Runtime
from tests.benchmarks.bench import Bench, Place, Size, Table
from tests.benchmarks.charging import card_holders, charged, connectors, prepare_charges, prepare_months, worker_process

ABOUT = "stripe: charges a second of one worker process, Stripe taking 800 ms and 100 requests a second"

LATENCY_MS = 800
RATE = 100
CONCURRENCY = 120
_CARD_HOLDERS = 50
_SECONDS = {Size.FULL: 60, Size.QUICK: 10, Size.TINY: 1}
_WARM_UP_SECONDS = {Size.FULL: 5, Size.QUICK: 5, Size.TINY: 0}
_MOST_A_SECOND = RATE // 2

Prepare = Callable[[Runtime, Sequence[str], int], None]


@dataclass(frozen=True)
class _Measured:
    charges: int
    seconds: float
    worst: float
    refused: int
    requests: int
    all_charged: int
    peak_megabytes: float
    cpu: float


def run(bench: Bench) -> Iterator[Table]:
    """Charges alone for a minute, then the whole shipped month for a third of it."""
    place = bench.server() or bench.sqlite()
    seconds = _SECONDS[bench.size]
    rows = [_row("charges alone", _measure(bench, place, prepare_charges, seconds))]
    place = bench.server() or bench.sqlite()
    rows.append(_row("shipped month (charge, e-mail, hand-over)", _measure(bench, place, prepare_months, max(1, seconds // 3))))
    yield Table(
        f"One worker (--concurrency {CONCURRENCY}) on {place.name}; Stripe takes {LATENCY_MS} ms and {RATE} requests a second",
        ("", "charges/s", "worst 5 s", "for s", "refused (429)", "requests/charge", "peak MB", "CPU ms/charge"),
        rows,
        ("Wall seconds, after a warm-up; sandbox, worker, database server and this program share the machine.",
         "Targets: 48 charges a second, none refused, under 250 MB."),
    )  # fmt: skip


def _measure(bench: Bench, place: Place, prepare: Prepare, seconds: int) -> _Measured:
    warm_up = _WARM_UP_SECONDS[bench.size]
    with start_sandbox() as sandbox, place.runtime(connectors(sandbox)) as runtime:
        bench.say("stripe: preparing bills")
        tiny = bench.size is Size.TINY
        bills = 20 if tiny else (seconds + warm_up) * _MOST_A_SECOND + CONCURRENCY
        prepare(runtime, card_holders(sandbox, 2 if tiny else _CARD_HOLDERS), bills)
        _be_slow(sandbox)
        before = len(sandbox.control.requests())
        with worker_process(place.url, sandbox.url, bench.folder, CONCURRENCY, RATE) as worker:
            bench.say(f"stripe: charging for {seconds} s")
            _wait_for_first(runtime)
            time.sleep(warm_up)
            samples = _sample(runtime, seconds)
            worker.end()
        seen = Counter(request["status"] for request in sandbox.control.requests()[before:])
        everything = charged(runtime)
    (began, first), (ended, last) = samples[0], samples[-1]
    return _Measured(
        last - first, ended - began, _worst(samples), seen[429], seen.total(), everything, worker.peak_megabytes, worker.cpu
    )


def _be_slow(sandbox: Sandbox) -> None:
    sandbox.control.set_rate_limit(RATE)
    sandbox.control.set_latency(LATENCY_MS)


def _wait_for_first(runtime: Runtime) -> None:
    for _ in range(600):
        if charged(runtime):
            return
        time.sleep(0.1)
    raise RuntimeError("Expected a charge within a minute, but there was none.")


def _sample(runtime: Runtime, seconds: int) -> list[tuple[float, int]]:
    """(moment, bills charged until then), about once a second."""
    began = time.perf_counter()
    samples = [(began, charged(runtime))]
    while samples[-1][0] - began < seconds:
        time.sleep(1)
        samples.append((time.perf_counter(), charged(runtime)))
    return samples


def _worst(samples: list[tuple[float, int]]) -> float:
    """The least rate over five samples that follow one another."""
    span = min(5, len(samples) - 1)
    pairs = zip(samples, samples[span:], strict=False)
    return min((after[1] - before[1]) / (after[0] - before[0]) for before, after in pairs)


def _row(name: str, m: _Measured) -> tuple[str, ...]:
    return (
        name,
        f"{m.charges / m.seconds:.1f}",
        f"{m.worst:.1f}",
        f"{m.seconds:.0f}",
        str(m.refused),
        f"{m.requests / max(1, m.all_charged):.2f}",
        f"{m.peak_megabytes:.0f}",
        f"{m.cpu / max(1, m.all_charged) * 1000:.1f}",
    )
