"""Stripe without a network: the sandbox's application behind the real client, with a hook at every point where a worker can die.

Between a caller's two database transactions lies a request, so the moments before and after each one are all that matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import stripe

from connectors.stripe.charge import StripeCharge
from connectors.stripe.intents import Intents
from connectors.stripe.rate import MOST
from connectors.stripe_sandbox.app import Application, Ending, Request
from connectors.stripe_sandbox.confirmation import authenticate, settle
from connectors.stripe_sandbox.faults import Fault, FaultKind
from connectors.stripe_sandbox.state import SandboxClock
from engine.clock import Clock

KEY = "sk_test_sandbox"
PLACE = "http://127.0.0.1"
INTENTS = "/v1/payment_intents"
CREATE, CONFIRM, ANY = INTENTS, f"{INTENTS}/*/confirm", f"{INTENTS}*"


class InProcess(stripe.HTTPClient):
    """Hands requests to an application. `at` plans what happens at the nth moment, counted from 0, once."""

    name = "in_process"

    def __init__(self, application: Application) -> None:
        super().__init__()
        self._application = application
        self._plan: tuple[int, Callable[[], None]] | None = None

    def at(self, moment: int, happens: Callable[[], None]) -> None:
        """Before the next request is moment 0, after it moment 1, before the one behind it moment 2, and so on."""
        self._plan = (moment, happens)

    def nothing_happens(self) -> None:
        self._plan = None

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """See HTTPClient."""
        parts = urlsplit(url)
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        self._pass()
        body = (post_data or "").encode()
        reply = self._application.answer(Request(method.upper(), parts.path, parts.query, lower, body))
        self._pass()
        if reply.ending is not Ending.WHOLE:
            raise stripe.APIConnectionError("The connection broke off.")
        return reply.body, reply.status, reply.headers

    def close(self) -> None:
        """Nothing is open."""

    def _pass(self) -> None:
        if self._plan is None:
            return
        moment, happens = self._plan
        self._plan = (moment - 1, happens) if moment else None
        if not moment:
            happens()


class InProcessCharge(StripeCharge):
    """The connector as it is, but for where its requests go."""

    def __init__(self, http: InProcess) -> None:
        super().__init__(KEY, PLACE, live=False, rate=MOST)
        self._intents = Intents(_client(http))


class StripeSide:
    """What customers, their banks and the card networks do, and what was taken."""

    def __init__(self, clock: Clock) -> None:
        self.application = Application(clock)
        self.http = InProcess(self.application)
        self._client = _client(InProcess(self.application))  # its requests are none of a worker's

    def begin_anew(self, clock: Clock) -> None:
        """Forget everything, and go by another clock. The checks that the application has built stay: they take longest."""
        self.application.reset()
        self.application.clock = SandboxClock(clock)
        self.http.nothing_happens()

    def connector(self) -> InProcessCharge:
        return InProcessCharge(self.http)

    def enrol(self, name: str) -> str:
        """A customer with a card that can be charged."""
        customer = self._client.v1.customers.create({"name": name}).id
        self.give_card(customer, "pm_card_visa")
        return customer

    def give_card(self, customer: str, behaves_as: str) -> None:
        """A new default card."""
        card = self._client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
        self._behave(card, behaves_as)
        self._client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": card}})

    def change_card(self, customer: str, behaves_as: str) -> None:
        """The default card behaves otherwise from now on."""
        self._behave(self._card(customer), behaves_as)

    def behaviour(self, customer: str) -> str:
        """How the default card behaves."""
        return str(self.tables["payment_method"][self._card(customer)]["_card"])

    def trouble(self, kind: str, path: str, times: int) -> None:
        with self.application.lock:
            self.application.faults.add(Fault(FaultKind(kind), path=path, times=times))

    def no_trouble(self) -> None:
        with self.application.lock:
            self.application.faults.clear()

    def in_state(self, status: str) -> list[str]:
        """The intents in this state, oldest first."""
        return [intent["id"] for intent in self.tables["payment_intent"].values() if intent["status"] == status]

    def settle(self, intent: str, *, succeeds: bool) -> None:
        """The card network answers at last."""
        with self.application.outside() as context:
            settle(context, context.find("payment_intent", intent), succeeds)

    def pays_in_person(self, intent: str, customer: str) -> None:
        """The customer comes on-session and confirms the payment with their bank. Trouble that was planned meets their request as
        well as ours; whether it was taken then is for us to find out.
        """
        try:
            answer = self._client.v1.payment_intents.confirm(intent, {"payment_method": self._card(customer)})
        except stripe.StripeError:
            return
        if answer.status == "requires_action":
            with self.application.outside() as context:
                authenticate(context, context.find("payment_intent", intent), succeeds=True)

    def taken(self) -> Counter[tuple[str, str, int, str]]:
        """What was taken: (the bill's key, the intent, the amount in Stripe's units, the currency) -> how often."""
        intents = self.tables["payment_intent"]
        taken = [charge for charge in self.tables["charge"].values() if charge["captured"]]
        return Counter(
            (intents[c["payment_intent"]]["metadata"]["charge_key"], c["payment_intent"], c["amount_captured"], c["currency"])
            for c in taken
        )

    @property
    def tables(self) -> Mapping[str, Any]:
        return self.application.state.tables

    def _card(self, customer: str) -> str:
        return str(self.tables["customer"][customer]["invoice_settings"]["default_payment_method"])

    def _behave(self, card: str, behaves_as: str) -> None:
        with self.application.outside() as context:
            context.find("payment_method", card)["_card"] = behaves_as


def _client(http: InProcess) -> stripe.StripeClient:
    return stripe.StripeClient(KEY, base_addresses={"api": PLACE}, max_network_retries=0, http_client=http)
