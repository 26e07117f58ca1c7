"""A month as the figures are about: started by message, entered, approved, charged, handed over. Nothing else is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.services import deploying, worklist
from engine.services.runtime import Runtime
from engine.services.starting import start_by_hand
from engine.services.working import Worker
from tests.builders.drawing import NAME, carry_over, diagram, end, files, flows, form_field, service, start, throw, user

ITEMS = {
    "customer": "{type: string, carry: copy}",
    "month": "{type: month, carry: next}",
    "amount": "{type: money, currency: USD, carry: drop, show_previous: true}",
    "approved": "{type: boolean, carry: drop}",
    "receipt": "{type: string, carry: drop}",
}
_PARTS = (
    start("again", "m_next"),
    user("enter", form_field("amount")),
    user("approve", form_field("approved", "boolean"), 'camunda:candidateGroups="Manager"'),
    service("charge", {"amount": "${amount}", "purpose": "Bill"}, {"receipt": "${payment_id}"}),
    throw("next"),
    end(),
)
_WAY = "again -> enter -> approve -> charge -> next -> end"
DIAGRAM = diagram(*_PARTS, flows(_WAY))
"""What every month goes through; what the bare library runs."""
DATA = {"customer": "cus_1", "month": "2026-10"}


def definition() -> dict[str, bytes]:
    """The same with a start by hand, for the first month, without which nothing is deployed."""
    return files(diagram(start(), *_PARTS, flows(_WAY, "start -> enter")), carry_over(ITEMS))


@dataclass
class Billing:
    """Many customers' months on a real engine, done by hand and by a worker of this process."""

    runtime: Runtime

    def deploy(self) -> None:
        deploying.deploy(self.runtime, definition(), "ada")

    def begin(self, customers: Sequence[str], month: str = "2026-10") -> None:
        """Everybody's first month, by hand."""
        for customer in customers:
            start_by_hand(self.runtime, NAME, {"customer": customer, "month": month}, "olivia")

    def months(self, after: str | None = None) -> None:
        """One month of everybody whose task comes `after`: two tasks each claimed and completed, then a worker."""
        self.do("Sales", "sara", {"amount": "120.50"}, after=after)
        self.do("Manager", "mia", {"approved": True}, after=after)
        self.work()

    def do(self, group: str, by: str, values: Mapping[str, Any], customer: str | None = None, after: str | None = None) -> None:
        filters = {"group_name": group} | ({"customer": customer} if customer else {})
        for task in worklist.tasks(self.runtime, filters, after=after, limit=100_000, forms=False):
            worklist.claim(self.runtime, task.id, by)
            worklist.complete(self.runtime, task.id, values, by)

    def work(self, concurrency: int = 20) -> None:
        left = Worker(self.runtime, "bench", concurrency).run(until_idle=True)
        if left.jobs or left.messages:
            raise RuntimeError(f"Expected a worker that leaves nothing to do, but it left {left}.")
