"""The company with the process that is shipped, charging at the Stripe sandbox over HTTP, and cleaning up behind itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import stripe

from connectors.stripe.charge import StripeCharge
from connectors.stripe_sandbox import Sandbox
from engine.connector import ChargeKeeper, Closing, IntentPage, NoAnswer, Permits
from engine.services.chores import ChoreReport, do_due_chores
from engine.services.cleaning import ABANDONED, CLEANING
from engine.services.runtime import Runtime
from tests.builders.company import CardCompany

KEY = "sk_test_sandbox"
CANCEL = "/v1/payment_intents/*/cancel"
DECLINED, AUTHENTICATES = "pm_card_chargeDeclined", "pm_card_authenticationRequired"


class Interrupted:
    """`stripe.charge`, with something happening right before or after each intent is closed."""

    topic = "stripe.charge"
    intent_output = StripeCharge.intent_output

    def __init__(self, real: StripeCharge) -> None:
        self._real = real
        self.parameters, self.outputs, self.errors, self.run = real.parameters, real.outputs, real.errors, real.run
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None

    def keeper(self, permits: Permits) -> ChargeKeeper | None:
        real = self._real.keeper(permits)
        return None if real is None else _InterruptedKeeper(real, self)


@dataclass
class _InterruptedKeeper:
    real: ChargeKeeper
    plan: Interrupted

    @property
    def livemode(self) -> bool:
        return self.real.livemode

    def close(self, intent: str) -> Closing:
        self.plan.before()
        result = self.real.close(intent)
        self.plan.after()
        return result

    def open_intents(self, since: datetime, until: datetime, after: str | None = None) -> IntentPage | NoAnswer:
        return self.real.open_intents(since, until, after)


@dataclass
class StripeCompany(CardCompany):
    """The company with the process that is shipped, at the sandbox over HTTP."""

    sandbox: Sandbox = None  # type: ignore[assignment] # a dataclass's parent has defaults
    charge: Interrupted = None  # type: ignore[assignment] # the same
    client: stripe.StripeClient = None  # type: ignore[assignment] # the same

    def customer(self, card: str = "pm_card_visa") -> str:
        made = self.client.v1.customers.create({"name": "Ann"}).id
        self.give_card(made, card)
        return made

    def give_card(self, customer: str, behaves_as: str) -> str:
        card = self.client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
        self.sandbox.control.change_card(card, behaves_as)
        self.client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": card}})
        return card

    def failed(self, card: str = DECLINED) -> str:
        """An instance whose charge did not succeed, with a task that asks what to do."""
        instance = self.approved(self.customer(card))
        self.work()
        return instance

    def given_up(self, card: str = DECLINED) -> str:
        """An instance that ended without the money, by the diagram."""
        instance = self.failed(card)
        self.do(instance, "sara", **{"contact_result" if card == DECLINED else "authentication_result": "give_up"})
        self.work()
        assert self.instance(instance).state == "completed"
        return instance

    def row(self, instance: str) -> dict[str, Any]:
        [charge] = self.details(instance)["charges"]
        return charge  # type: ignore[no-any-return] # the views are plain JSON

    def at_stripe(self, instance: str) -> str:
        return self.client.v1.payment_intents.retrieve(self.row(instance)["intent"]).status

    def later(self, **by: float) -> None:
        """Turn both clocks."""
        self.sandbox.control.advance(timedelta(**by).total_seconds())
        self.runtime.clock.advance(timedelta(**by))  # type: ignore[attr-defined] # it is a turned one

    def clean(self, name: str = ABANDONED, runtime: Runtime | None = None) -> ChoreReport | None:
        """Do the chores that are due; what came of one of them."""
        return next((done for done in do_due_chores(runtime or self.runtime, CLEANING, "worker w1") if done.name == name), None)

    def canceled(self) -> int:
        """How many requests to cancel came to Stripe."""
        return sum(each["path"].endswith("/cancel") for each in self.sandbox.control.requests())

    def lost_intent(self, instance: str, changes: Mapping[str, str] | None = None) -> str:
        """An intent at Stripe as one whose answer was lost: made like the instance's own, and unknown to the ledger."""
        row = self.row(instance)
        key = f"{self.process}|{row['customer']}|{row['period']}"
        ours = {"charge_key": key, "process": self.process, "period": row["period"], "instance": instance}
        made = self.client.v1.payment_intents.create(
            {"amount": 12050, "currency": "usd", "customer": row["customer"], "metadata": {**ours, **(changes or {})}}
        )
        return made.id

    def status(self, intent: str) -> str:
        return self.client.v1.payment_intents.retrieve(intent).status
