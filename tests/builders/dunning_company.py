"""The company with the process that is shipped, charging at Stripe's sandbox without a network; both go by one clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engine.clock import TurnedClock
from engine.services import worklist
from engine.services.views import TaskView
from tests.builders.company import CardCompany
from tests.builders.timers import timers_of
from tests.doubles.connectors import RecordingConnector
from tests.doubles.stripe_in_process import StripeSide

SOFT, HARD, GOOD = "pm_card_chargeDeclinedInsufficientFunds", "pm_card_chargeDeclinedLostCard", "pm_card_visa"
ALMOST = timedelta(seconds=1)


@dataclass
class DunningCompany(CardCompany):
    """People, a worker, one customer at Stripe, and the mails that were sent."""

    stripe: StripeSide = None  # type: ignore[assignment] # a dataclass's parent has defaults
    clock: TurnedClock = None  # type: ignore[assignment] # the same
    mail: RecordingConnector = None  # type: ignore[assignment] # the same
    customer: str = ""

    def declined(self, card: str = SOFT) -> str:
        """An instance whose first attempt was declined."""
        self.customer = self.stripe.enrol("Ann")
        self.stripe.change_card(self.customer, card)
        instance = self.approved(self.customer)
        self.work()
        return instance

    def after(self, **time: float) -> None:
        """A worker works after this time."""
        self.clock.advance(timedelta(**time))
        self.work()

    def days_pass(self, days: float) -> None:
        """A worker works right before these days have passed, and then when they have."""
        self.clock.advance(timedelta(days=days) - ALMOST)
        self.work()
        self.clock.advance(ALMOST)

    def at(self, instance: str) -> str:
        """The one task that waits."""
        return self.task(instance).flow_node

    def claim(self, instance: str, by: str = "sara") -> TaskView:
        return worklist.claim(self.runtime, self.task(instance).id, by)

    def row(self, instance: str) -> dict[str, Any]:
        """The ledger's row of the bill."""
        [charge] = self.details(instance)["charges"]
        return charge  # type: ignore[no-any-return] # the views are plain JSON

    def attempts(self) -> int:
        """How often the card was asked, by Stripe's own records."""
        return len(self.stripe.tables["charge"])

    def taken(self) -> int:
        """How often money was taken."""
        return self.stripe.taken().total()

    def mails(self) -> list[str]:
        return [request.parameters.template for request in self.mail.requests]  # type: ignore[attr-defined] # email.send's

    def timer(self, instance: str) -> str | None:
        return timers_of(self, instance).get("retry_due")
