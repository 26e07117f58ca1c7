"""A shop with one customer at the Stripe sandbox, and a worker that charges them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import stripe

from connectors.stripe.charge import ChargeParameters, StripeCharge
from connectors.stripe_sandbox import Sandbox
from engine.connector import ChargeState, Outcome, Retryable, Unknown
from tests.doubles.context import Context, CountedPermits, job_request
from tests.doubles.ledger import MemoryLedger, ProcessKilled

KEY = "sk_test_sandbox"
CHARGE_KEY = "monthly-card-charge|ann@example.com|2026-10"
MINUTE, DAY_AND_HOUR, MONTH = 60, 25 * 3600, 31 * 86400
CREATE, CONFIRM = "/v1/payment_intents", "/v1/payment_intents/*/confirm"
LONGEST_SERIES = 6
FAULTS = ("drop_before", "drop_after", "hang", "hang_before", "truncated", "garbled", "409", "429", "500_before", "500_after")


@dataclass
class Shop:
    """One customer at the sandbox, and a worker that charges them."""

    sandbox: Sandbox
    connector: StripeCharge
    client: stripe.StripeClient
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    permits: CountedPermits = field(default_factory=CountedPermits)
    customer: str = ""
    period: str = "2026-10"

    def give_card(self, behaves_as: str) -> str:
        """A new default card."""
        card = self.client.v1.payment_methods.attach("pm_card_visa", {"customer": self.customer}).id
        self.sandbox.control.change_card(card, behaves_as)
        self.client.v1.customers.update(self.customer, {"invoice_settings": {"default_payment_method": card}})
        return card

    def work(self, commit: bool = True, **changes: Any) -> Outcome:
        """One run of the job, and what the worker does with its outcome."""
        names = {"amount", "currency", "stripe_customer", "description", "approved_by"}
        given = {
            "amount": 12050,
            "currency": "USD",
            "stripe_customer": self.customer,
            "description": "Bill",
            "approved_by": "kim",
        }
        parameters = ChargeParameters.model_validate(given | {name: changes.pop(name) for name in names & changes.keys()})
        request = job_request("stripe.charge", parameters, **({"customer": "ann@example.com", "period": self.period} | changes))
        outcome = self.connector.run(request, Context(ledger=self.ledger, permits=self.permits))
        charge = getattr(outcome, "charge", None)
        if commit and charge is not None:
            self.ledger.commit(charge)
        return outcome

    def work_until_known(self, **changes: Any) -> Outcome:
        """Run again, as the worker does, while the outcome asks for it."""
        for _ in range(LONGEST_SERIES):
            outcome = self.work(**changes)
            if not isinstance(outcome, Retryable | Unknown):
                return outcome
        return outcome

    def work_and_survive(self) -> Outcome | None:
        """One run; None where the process was killed in it."""
        try:
            return self.work()
        except ProcessKilled:
            return None

    @property
    def row(self) -> Any:
        return next(iter(self.ledger.rows.values()))

    @property
    def succeeded(self) -> bool:
        return bool(self.ledger.rows) and self.row.state is ChargeState.SUCCEEDED

    @property
    def taken(self) -> tuple[int, dict[str, int]]:
        """How many charges succeeded, and the sums by currency."""
        state = self.sandbox.control.state()
        return state["charges_taken"], state["charged"]

    @property
    def tried(self) -> int:
        """How many charges were tried, declined ones among them."""
        return self.sandbox.control.state()["counts"].get("charge", 0)

    def requests(self) -> list[str]:
        return [f"{each['method']} {each['path'].removeprefix('/v1/')}" for each in self.sandbox.control.requests()]


def open_shop(running: Sandbox, read_timeout: float = 20) -> Shop:
    running.control.reset()
    running.control.set_latency(0)
    client = stripe.StripeClient(KEY, base_addresses={"api": running.url})
    made = Shop(running, StripeCharge(KEY, running.url, live=False, read_timeout=read_timeout), client)
    made.customer = client.v1.customers.create({"name": "Ann"}).id
    made.give_card("pm_card_visa")
    return made


def plan(shop: Shop, kind: str, path: str) -> None:
    taken = {"taken": False} if kind == "hang_before" else {}
    seconds = {"seconds": 1.5} if kind.startswith("hang") else {}
    if seconds:
        shop.connector = StripeCharge(KEY, shop.sandbox.url, live=False, read_timeout=0.5)
    shop.sandbox.control.add_fault(kind.removesuffix("_before") if taken else kind, method="POST", path=path, **taken, **seconds)
