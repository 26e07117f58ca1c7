"""Processes that take permits as fast as they get them, on one database, and what they tell about it.

Run as `python -m tests.builders.permits URL LIMIT THREADS [STRIPE_URL CUSTOMER]`: prints a line when it is ready, begins
and ends at the moments of the machine's stopwatch that it is told on standard input, and prints when it had which permit. With a
Stripe, each thread charges instead.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.stripe.charge import ChargeParameters, StripeCharge
from engine.connector import Completed
from engine.services.pacing import Pacer
from engine.store.database import Database
from tests.doubles.context import Context, job_request

KEY = "sk_test_sandbox"
SERVICE = "stripe test"
_ROOT = Path(__file__).parents[2]
_PATIENCE_SECONDS = 60


# --- in the test's process ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taker:
    """A process of ours that takes permits."""

    process: subprocess.Popen[str]

    def begin(self, at: float, until: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([at, until]) + "\n")
        self.process.stdin.flush()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def taken(self) -> list[float]:
        """When it had its permits, by the machine's stopwatch."""
        told, _ = self.process.communicate(timeout=_PATIENCE_SECONDS)
        assert self.process.returncode == 0
        return list(json.loads(told))


@contextmanager
def takers(number: int, *arguments: object) -> Iterator[Sequence[Taker]]:
    """So many processes, warmed up and waiting to begin."""
    command = [sys.executable, "-m", "tests.builders.permits", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": _ROOT}
    processes = [subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(_ROOT)}, **pipes) for _ in range(number)]  # type: ignore[call-overload]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        yield [Taker(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def busiest_second(moments: Iterable[float]) -> int:
    """The most moments in any window of one second."""
    window: deque[float] = deque()
    most = 0
    for moment in sorted(moments):
        window.append(moment)
        while moment - window[0] >= 1:
            window.popleft()
        most = max(most, len(window))
    return most


# --- in a process of its own ----------------------------------------------------------------------------------------


class _Noting:
    """Notes when each permit was there."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self.taken: list[float] = []

    def take(self, service: str, per_second: int) -> None:
        self._pacer.take(service, per_second)
        self.taken.append(time.monotonic())


def _main(url: str, limit: str, threads: str, *charging: str) -> None:
    database = Database(url)
    permits = _Noting(Pacer(database))
    permits.take("warming up", 1000)
    piece = _charging(permits, int(limit), *charging) if charging else lambda: permits.take(SERVICE, int(limit))
    permits.taken.clear()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    begin, until = json.loads(sys.stdin.readline())
    workers = [threading.Thread(target=_repeat, args=(piece, begin, until)) for _ in range(int(threads))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    database.close()
    sys.stdout.write(json.dumps(permits.taken))


def _repeat(piece: Callable[[], None], begin: float, until: float) -> None:
    time.sleep(max(0.0, begin - time.monotonic()))
    while time.monotonic() < until:
        piece()


def _charging(permits: _Noting, limit: int, stripe_url: str, customer: str) -> Callable[[], None]:
    connector = StripeCharge(KEY, stripe_url, live=False, rate=limit)
    numbers = iter(range(10**6))

    def charge() -> None:
        parameters = {"amount": 500, "currency": "USD", "stripe_customer": customer, "description": "Bill", "approved_by": "kim"}
        request = job_request(
            "stripe.charge", ChargeParameters.model_validate(parameters), customer=f"{os.getpid()}-{next(numbers)}"
        )
        outcome = connector.run(request, Context(permits=permits))  # type: ignore[arg-type] # real permits
        assert isinstance(outcome, Completed), outcome

    charge()
    return charge


if __name__ == "__main__":
    _main(*sys.argv[1:])
