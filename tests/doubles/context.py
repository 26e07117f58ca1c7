"""What a connector under test is handed: a job request and its context."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from engine.clock import TurnedClock
from engine.connector import JobRequest
from tests.doubles.ledger import MemoryLedger
from tests.doubles.refund_ledger import MemoryRefunds

START = datetime(2026, 10, 1, 9, 30, tzinfo=UTC)


@dataclass
class CountedPermits:
    """Permits without end; who asked for which is remembered."""

    taken: list[tuple[str, int]] = field(default_factory=list)

    def take(self, service: str, per_second: int) -> None:
        self.taken.append((service, per_second))


@dataclass
class Context:
    """A job's context with a clock that stands still, ledgers in memory, and permits without end."""

    clock: TurnedClock = field(default_factory=lambda: TurnedClock(START))
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    refunds: MemoryRefunds = field(default_factory=MemoryRefunds)
    permits: CountedPermits = field(default_factory=CountedPermits)


def job_request(topic: str, parameters: BaseModel, **changes: Any) -> JobRequest:
    """A job of the shipped process, with what a test changes."""
    given: dict[str, Any] = {
        "id": "j17",
        "topic": topic,
        "parameters": parameters,
        "attempt": 1,
        "process": "monthly-card-charge",
        "version": 1,
        "instance": "i4",
        "flow_node": "notify_customer",
        "customer": "cus_bill",
        "period": "2026-10",
    }
    return JobRequest(**(given | changes))
