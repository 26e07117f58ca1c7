"""Runs benchmarks and prints their tables."""

from __future__ import annotations

import argparse
import gc
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import checking, coverage, cycle, fan_out, growth, stripe_bound
from tests.benchmarks.bench import Bench, Size, Table
from tests.benchmarks.machine import describe
from tests.builders.postgresql import running_postgresql

BENCHMARKS: dict[str, Callable[[Bench], Iterator[Table]]] = {
    "cycle": cycle.run,
    "stripe": stripe_bound.run,
    "growth": growth.run,
    "fan-out": fan_out.run,
    "coverage": coverage.run,
    "check": checking.run,
}


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="What the engine costs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="smaller and shorter: a look, not figures to quote")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"Expected names of benchmarks ({', '.join(BENCHMARKS)}), but {unknown[0]!r} is none.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    gc.set_threshold(50_000, 20, 20)  # as the command line does, for every contender alike
    with tempfile.TemporaryDirectory() as folder, running_postgresql() as postgresql:
        _write(describe(postgresql))
        bench = Bench(Size.QUICK if options.quick else Size.FULL, Path(folder), postgresql, _tell)
        try:
            for name in options.names or BENCHMARKS:
                for table in BENCHMARKS[name](bench):
                    _write(f"\n{table.text()}")
        finally:
            bench.close()


def _tell(progress: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{progress}\n")


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
