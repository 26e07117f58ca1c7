"""A charge that was made at the Stripe sandbox, and a worker that gives it back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from connectors.stripe.refund import RefundParameters, StripeRefunding
from engine.connector import Completed, Outcome, Refund, RefundRequest, Retryable, Unknown
from tests.builders.stripe_shop import KEY, LONGEST_SERIES, Shop
from tests.doubles.context import Context, CountedPermits, job_request
from tests.doubles.ledger import ProcessKilled
from tests.doubles.refund_ledger import MemoryRefunds

REFUNDS = "/v1/refunds"


@dataclass
class RefundDesk:
    """120.50 USD were charged; `refund` gives some of it back."""

    shop: Shop
    ledger: MemoryRefunds
    connector: StripeRefunding
    permits: CountedPermits = field(default_factory=CountedPermits)

    def refund(self, job: str = "j17", commit: bool = True, **changes: Any) -> Outcome:
        """One run of a job, and what the worker does with its outcome."""
        given = {
            "process": "monthly-card-charge",
            "customer": "ann@example.com",
            "period": "2026-10",
            "currency": "USD",
            "reason": "requested_by_customer",
        }
        parameters = RefundParameters.model_validate(given | changes)
        self.ledger.job = job
        request = job_request("stripe.refund", parameters, id=job, process="refund", customer=None, period=None)
        outcome = self.connector.run(request, Context(refunds=self.ledger, permits=self.permits))
        result = getattr(outcome, "refund", None)
        if commit and result is not None:
            self.ledger.commit(result)
        return outcome

    def refund_and_survive(self, **changes: Any) -> Outcome | None:
        """One run; None where the process was killed in it."""
        try:
            return self.refund(**changes)
        except ProcessKilled:
            return None

    def refund_until_known(self, **changes: Any) -> Outcome:
        """Run again, as the worker does, while the outcome asks for it."""
        for _ in range(LONGEST_SERIES):
            outcome = self.refund(**changes)
            if not isinstance(outcome, Retryable | Unknown):
                return outcome
        return outcome

    def row(self, job: str = "j17") -> Refund:
        return self.ledger.rows[job]

    @property
    def given_back(self) -> int:
        """What the sandbox says was given back, in cents."""
        return int(self.shop.sandbox.control.state()["refunded"].get("usd", 0))

    @property
    def made(self) -> int:
        """How many refunds the sandbox has."""
        return len(self.shop.client.v1.refunds.list({"limit": 100}).data)

    def requests(self) -> list[str]:
        return [line for line in self.shop.requests() if "refunds" in line]

    def plan(self, kind: str) -> None:
        """Trouble for the next request that gives money back."""
        taken = {"taken": False} if kind == "hang_before" else {}
        seconds = {"seconds": 1.5} if kind.startswith("hang") else {}
        if seconds:
            self.connector = StripeRefunding(KEY, self.shop.sandbox.url, live=False, read_timeout=0.5)
        named = kind.removesuffix("_before") if taken else kind
        self.shop.sandbox.control.add_fault(named, method="POST", path=REFUNDS, **taken, **seconds)


def open_desk(shop: Shop) -> RefundDesk:
    assert isinstance(shop.work(), Completed)
    return RefundDesk(shop, MemoryRefunds(replace(shop.row)), StripeRefunding(KEY, shop.sandbox.url, live=False))


def request_of(amount: int | None = None, **changes: Any) -> RefundRequest:
    """A request to give back some of a charge."""
    given: dict[str, Any] = {
        "process": "billing",
        "customer": "acme",
        "period": "2026-10",
        "amount": amount,
        "currency": "USD",
        "reason": "requested_by_customer",
        "comment": None,
        "requested_by": "sara",
        "approved_by": "mia",
        "livemode": False,
    }
    return RefundRequest(**(given | changes))
