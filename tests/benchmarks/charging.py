"""Bills that wait for nothing but their charge, a Stripe sandbox in a process of its own, and real worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from commands.demo.sandbox_customers import StripeSide
from connectors.email.send import EmailSend
from connectors.stripe.charge import StripeCharge
from connectors.stripe_sandbox.process import Sandbox
from engine.connector import Connectors
from engine.services import worklist
from engine.services.deploying import deploy, read_files
from engine.services.runtime import Runtime
from engine.services.starting import start_rows
from tests.builders.company import PROCESSES, READONLY, beside
from tests.builders.drawing import (
    NAME,
    carry_over,
    diagram,
    end,
    exclusive,
    files,
    flows,
    form_field,
    service,
    start,
    throw,
    user,
)

KEY = "sk_test_benchmark"
_ROOT = Path(__file__).parents[2]

_ITEMS = {
    "customer": "{type: string, carry: copy}",
    "card_holder": "{type: string, carry: copy}",
    "month": "{type: month, carry: next}",
    "amount": "{type: integer, carry: copy}",
    "intent": "{type: string, carry: drop}",
}
_PARAMETERS = {"amount": "${amount}", "currency": "USD", "stripe_customer": "${card_holder}", "description": "Bill"}


def only_charges() -> dict[str, bytes]:
    """A process whose instances charge, and end: a bill's process must be able to hand over, but no amount here is 0."""
    charge = service("charge", _PARAMETERS, {"intent": "${payment_intent}"}, "stripe.charge")
    again = user("look", form_field("month", inside=READONLY))
    parts = (start(), start("again", "m_next"), again, charge, exclusive("last", "last-end"), throw("next"), end())
    ways = ("start -> charge -> last -> end", "again -> look -> charge", "last -> next if ${amount == 0}", "next -> end")
    return files(diagram(*parts, flows(*ways)), carry_over(_ITEMS))


def card_holders(sandbox: Sandbox, count: int) -> list[str]:
    """Customers at Stripe. Bills share them, so that preparing thousands of bills takes no thousands of requests."""
    side = StripeSide(sandbox.url, sandbox.control)
    return [side.enrol(f"Holder {n}", "holder@example.com", "pm_card_visa") for n in range(count)]


def connectors(sandbox: Sandbox) -> Connectors:
    """What the definitions are checked against; workers of their own processes build theirs."""
    charge = StripeCharge(KEY, sandbox.url, live=False)
    all_of_them = (charge, *beside(charge.keeper), EmailSend("file:///nowhere", "a@example.com"))
    return {connector.topic: connector for connector in all_of_them}


def prepare_charges(runtime: Runtime, holders: Sequence[str], count: int) -> None:
    """`count` instances whose charge is due."""
    deploy(runtime, only_charges(), "ada")
    rows = (
        (n, {"customer": f"c{n}", "card_holder": holders[n % len(holders)], "month": "2026-10", "amount": "1000"})
        for n in range(count)
    )
    start_rows(runtime, NAME, rows, "olivia", lambda row: None)


def prepare_months(runtime: Runtime, holders: Sequence[str], count: int) -> None:
    """`count` instances of the shipped process, approved and waiting for their charge."""
    name = "monthly-card-charge"
    deploy(runtime, read_files(PROCESSES / f"{name}.bpmn"), "ada")
    common = {"customer_name": "Acme", "email": "billing@acme.example", "currency": "USD"}
    rows = (
        (n, {**common, "stripe_customer_id": holders[n % len(holders)], "billing_month": _month(n // len(holders))})
        for n in range(count)
    )
    start_rows(runtime, name, rows, "olivia", lambda row: None)
    for by, values in (("sara", {"billing_amount": "120.50", "billing_details": "Fee"}), ("mia", {"approval": "approve"})):
        for task in worklist.tasks(runtime, {}, limit=count, forms=False):
            worklist.complete(runtime, task.id, values, by)


def _month(number: int) -> str:
    return f"{2000 + number // 12}-{number % 12 + 1:02d}"


# --- a worker in a process of its own -------------------------------------------------------------------------------


@dataclass
class WorkerProcess:
    """`run-process work`. `peak_megabytes` and `cpu` are known once it has ended."""

    process: subprocess.Popen[bytes]
    peak_megabytes: float = 0.0
    cpu: float = 0.0

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.peak_megabytes = usage.ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))
        self.cpu = usage.ru_utime + usage.ru_stime


@contextmanager
def worker_process(database: str, stripe: str, folder: Path, concurrency: int, rate: int) -> Iterator[WorkerProcess]:
    """One worker; ended with the block."""
    settings = {
        "RUN_PROCESS_STRIPE_URL": stripe,
        "RUN_PROCESS_STRIPE_KEY": KEY,
        "RUN_PROCESS_STRIPE_RATE": str(rate),
        "RUN_PROCESS_SMTP_URL": (folder / "mail").as_uri(),
        "PYTHONPATH": str(_ROOT),
    }
    command = [sys.executable, "-m", "cli", "work", "--quiet", "--concurrency", str(concurrency), "--database", database]
    worker = WorkerProcess(subprocess.Popen(command, cwd=folder, env={**os.environ, **settings}))
    try:
        yield worker
    finally:
        if worker.process.returncode is None:
            worker.end()


def charged(runtime: Runtime) -> int:
    """How many bills the ledger says are charged."""
    with runtime.database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM charges WHERE state = 'succeeded'")).scalar_one())
