"""A card company for the proofs: the shipped process, the real SDK against the sandbox, and workers on a clock of theirs."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import stripe

from connectors.email.send import EmailSend
from connectors.stripe.charge import StripeCharge
from connectors.stripe.rate import MOST
from connectors.stripe_sandbox.client import SandboxControl
from engine.clock import Clock, SystemClock, TurnedClock
from engine.services.configuration import Configuration
from engine.services.runtime import Runtime
from engine.store.database import Database
from tests.builders.company import CardCompany, beside
from tests.proofs.auditing import AMOUNT

KEY = "sk_test_sandbox"


class CardOffice:
    """What all processes of one proof share: where Stripe is, the database, the connectors, and the definitions in memory."""

    def __init__(self, stripe_url: str, database: Database, mails: Path, configuration: Configuration, patience: float) -> None:
        """`patience` is how long a worker waits for Stripe's answer, in seconds."""
        self.stripe_url = stripe_url
        self.database = database
        charge = StripeCharge(KEY, stripe_url, live=False, read_timeout=patience, rate=MOST)
        mail = EmailSend(mails.as_uri(), "Billing <billing@example.com>")
        connectors = {each.topic: each for each in (charge, *beside(charge.keeper), mail)}
        self._runtime = Runtime(database, SystemClock(), connectors, lambda: configuration)

    def company(self, clock: Clock | None = None) -> CardCompany:
        """The people and the runtime of one process."""
        return CardCompany(replace(self._runtime, clock=clock or SystemClock()))

    def client(self) -> stripe.StripeClient:
        """The real SDK, as somebody beside the engine uses it."""
        return stripe.StripeClient(KEY, base_addresses={"api": self.stripe_url}, max_network_retries=0)

    def control(self) -> SandboxControl:
        """The sandbox's other side."""
        return SandboxControl(self.stripe_url)

    def clock_of_stripe(self) -> TurnedClock:
        """A clock that stands where the sandbox's is now."""
        return TurnedClock(datetime.fromisoformat(self.control().state()["now"]))

    def leave(self) -> None:
        """Give all connections back, so that this process may fork."""
        self.database.close()
        gc.collect()  # closes the sessions of threads that have ended


def approve_bill(company: CardCompany, client: stripe.StripeClient) -> str:
    """A new customer with a card, whose first month waits for its charge; the customer's id."""
    card = "pm_card_visa"
    made = client.v1.customers.create({"payment_method": card, "invoice_settings": {"default_payment_method": card}})
    instance = company.start(made.id)
    company.enter(instance, amount=f"{AMOUNT // 100}.{AMOUNT % 100:02}")
    company.approve(instance)
    return made.id
