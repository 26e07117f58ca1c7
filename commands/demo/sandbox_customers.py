"""What the demo's customers do at Stripe: save a card, replace it, confirm a payment; and what Stripe says was charged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.stripe.amounts import to_iso
from connectors.stripe.client import build_client

if TYPE_CHECKING:
    from stripe import StripeClient

    from connectors.stripe_sandbox.client import SandboxControl

KEY = "sk_test_demo"


class StripeSide:
    """The sandbox, as customers and auditors see it."""

    def __init__(self, url: str, control: SandboxControl) -> None:
        self._client: StripeClient = build_client(KEY, url)
        self._control = control

    def enrol(self, name: str, email: str, card: str) -> str:
        """A new customer with a saved card; their id at Stripe."""
        customer = self._client.v1.customers.create({"name": name, "email": email})
        self.save_card(customer.id, card)
        return customer.id

    def save_card(self, customer: str, card: str) -> None:
        """From now on this card is the one to charge."""
        method = self._client.v1.payment_methods.attach(card, {"customer": customer})
        self._client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})

    def fill_account(self, customer: str) -> None:
        """There is money again: the card that was declined can be charged."""
        card = next(iter(self._client.v1.customers.payment_methods.list(customer)))
        self._control.change_card(card.id, "pm_card_visa")

    def authenticate(self, customer: str, intent: str) -> None:
        """The customer comes back on-session and confirms the same payment with their bank."""
        card = next(iter(self._client.v1.customers.payment_methods.list(customer)))
        self._client.v1.payment_intents.confirm(intent, {"payment_method": card.id})
        self._control.authenticate(intent)

    def charged(self) -> dict[str, int]:
        """What was charged, from Stripe's own list of payments: currency -> minor units."""
        totals: dict[str, int] = {}
        for intent in self._client.v1.payment_intents.list({"limit": 100}).auto_paging_iter():
            if intent.status == "succeeded":
                currency = intent.currency.upper()
                totals[currency] = totals.get(currency, 0) + to_iso(intent.amount_received, currency)
        return totals
