"""A worker that is lost in the midst of its charges: a process of its own, killed when Stripe has taken them and not answered.

python -m tests.proofs.lost_worker --database URL --stripe URL --mails URL --now TIME --charges N
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import datetime
from typing import Any

from connectors.registry import ConnectorSettings, build_connectors
from connectors.stripe.rate import MOST
from connectors.stripe_sandbox.client import SandboxControl
from engine.clock import Clock, TurnedClock
from engine.services.runtime import Runtime
from engine.services.working import Worker
from engine.store.database import Database
from tests.proofs.faults import fault_named

KEY = "sk_test_real_amounts"
_CONFIRM = "/v1/payment_intents/*/confirm"
_PATIENCE = 60.0  # seconds


def lose_worker(database: str, mails: str, stripe: str, clock: Clock, charges: int) -> None:
    """Begin so many charges in a process of their own, and kill it when Stripe has taken all of them."""
    sandbox = SandboxControl(stripe)
    sandbox.add_fault(**(fault_named("hang, taken") | {"seconds": _PATIENCE}), method="POST", path=_CONFIRM, times=charges)
    given = {"database": database, "stripe": stripe, "mails": mails, "now": clock.now().isoformat(), "charges": charges}
    options = [f"--{name}={value}" for name, value in given.items()]
    worker = subprocess.Popen([sys.executable, "-m", "tests.proofs.lost_worker", *options])
    try:
        _wait_for(sandbox, charges, worker)
    finally:
        worker.kill()
        worker.wait()
        sandbox.clear_faults()


def _wait_for(sandbox: SandboxControl, charges: int, worker: subprocess.Popen[bytes]) -> None:
    begun, before = time.monotonic(), sandbox.state()["charges_taken"]
    while sandbox.state()["charges_taken"] < before + charges:
        assert worker.poll() is None, "the worker ended before it was to be lost"
        assert time.monotonic() - begun < _PATIENCE, "the worker took too long"
        time.sleep(0.1)


def settings(stripe: str, mails: str) -> ConnectorSettings:
    """Where this company's money and mails go."""
    return ConnectorSettings(KEY, stripe, False, mails, "Billing <billing@example.com>", stripe_rate=MOST)


def main() -> None:
    """Works until it is killed."""
    options = argparse.ArgumentParser(description=__doc__)
    for name in ("database", "stripe", "mails", "now"):
        options.add_argument(f"--{name}", required=True)
    options.add_argument("--charges", type=int, required=True)
    given: Any = options.parse_args()
    clock = TurnedClock(datetime.fromisoformat(given.now))
    connectors = build_connectors(settings(given.stripe, given.mails))
    Worker(Runtime(Database(given.database), clock, connectors), "lost", concurrency=given.charges).run()


if __name__ == "__main__":
    main()
