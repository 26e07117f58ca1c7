"""A wholesaler's real amounts billed month by month, by the product's own services, at a Stripe sandbox of its own process.

The file's months are billed as those from now on, one a calendar month: a sandbox's clock can't be turned back.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from stripe import StripeClient

from connectors.stripe_sandbox.client import SandboxControl
from engine.clock import TurnedClock
from engine.model.period import next_period
from engine.services import coverage, enrolling, period_closing, reconciling, worklist
from engine.services.batches import RowReport
from engine.services.runtime import Runtime
from engine.services.working import Worker
from tests.integration.online_retail import CURRENCY, PERIODS, Account

PROCESS = "monthly-card-charge"
_ALL = 100_000


@dataclass
class Wholesaler:
    """The engine at work for accounts that are known by their ids at Stripe."""

    runtime: Runtime
    clock: TurnedClock
    sandbox: SandboxControl
    stripe: StripeClient
    lose: Callable[[int], None]
    """Begin so many charges with a worker that is lost in their midst."""
    accounts: dict[str, Account] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = f"{self.clock.now():%Y-%m}"
        self.months = {first: PERIODS[0]}
        """Billed month -> the file's."""
        for of in PERIODS[1:]:
            first = next_period(first, "P1M")
            self.months[first] = of

    def due(self, customer: str, period: str) -> int:
        """What is due for a billed month, in pence."""
        return self.accounts[customer].amount(self.months[period])

    def enrol(self, accounts: Iterable[Account], period: str) -> None:
        """Save a card at Stripe for each, and put them on the roster from this period on."""
        rows: list[tuple[int, dict[str, Any]]] = []
        for line, account in enumerate(accounts, 2):
            card = self.stripe.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id
            default: Any = {"default_payment_method": card}
            customer = self.stripe.v1.customers.create({"payment_method": card, "invoice_settings": default}).id
            self.accounts[customer] = account
            given = {"customer_name": account.name, "email": account.email, "stripe_customer_id": customer, "currency": CURRENCY}
            rows.append((line, given))
        reports: list[RowReport] = []
        enrolling.enrol_rows(self.runtime, PROCESS, rows, "olivia", reports.append, first_period=period)
        assert [report.outcome for report in reports] == ["enrolled"] * len(rows)

    def month(self, period: str) -> None:
        """Everybody does their tasks of one month, and the worker does the rest."""
        self.approve(period)
        self.work()
        for task in self._tasks(period, "issue_credit"):
            self._complete(task.id, "sara", credit_reference=f"CR-{task.id}")
        self.work()

    def approve(self, period: str, of: Container[str] | None = None) -> None:
        """The amounts of a month are entered and approved: everybody's, or those of these customers."""
        for task in self._tasks(period, "enter_amount", of):
            pounds = str(Decimal(self.due(task.customer or "", period)).scaleb(-2))
            self._complete(task.id, "sara", billing_amount=pounds, billing_details=f"Purchases in {period}")
        for task in self._tasks(period, "approve", of):
            self._complete(task.id, "mia", approval="approve")

    def next_month(self) -> None:
        """The first of the next month."""
        now = self.clock.now()
        first = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=9, minute=0, second=0, microsecond=0)
        self.clock.advance(first - now)
        self.sandbox.advance((first - now).total_seconds())

    def _tasks(self, period: str, flow_node: str, of: Container[str] | None = None) -> list[Any]:
        found = worklist.tasks(self.runtime, {"period": period}, limit=_ALL, forms=False)
        return [task for task in found if task.flow_node == flow_node and (of is None or task.customer in of)]

    def _complete(self, task: str, by: str, **values: str) -> None:
        worklist.complete(self.runtime, task, values, by)

    def work(self) -> None:
        Worker(self.runtime, "w1", concurrency=20).run(until_idle=True)

    def coverage(self, period: str) -> dict[str, Any]:
        return {row.customer: row for row in coverage.coverage(self.runtime, PROCESS, period)}

    def reconcile(self, period: str) -> reconciling.Reconciliation:
        return reconciling.reconcile(self.runtime, PROCESS, period)

    def close(self, period: str) -> period_closing.Closing:
        return period_closing.close(
            self.runtime, PROCESS, period, "ada", lambda: reconciling.reconcile(self.runtime, PROCESS, period).unreconciled
        )


def first_periods(accounts: Iterable[Account]) -> dict[str, list[Account]]:
    """Period -> the accounts that first appear in it."""
    found: dict[str, list[Account]] = {period: [] for period in PERIODS}
    for account in accounts:
        found[min(account.months)].append(account)
    return found
