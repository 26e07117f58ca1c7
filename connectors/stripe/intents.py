"""PaymentIntents as the charge protocol sees them: six requests, and every answer as a plain record.

No answer is an exception: what went wrong is a `Failure`, see `answers`. Facts: https://docs.stripe.com/api/payment_intents. The
client secret that Stripe sends along is never read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from connectors.stripe.answers import Failure as Failure
from connectors.stripe.answers import Trouble as Trouble
from connectors.stripe.answers import ask, decline_in, integer_in, text_in
from connectors.stripe.answers import failure_of as failure_of

if TYPE_CHECKING:
    from stripe import PaymentIntent, StripeClient

_EXPAND = ["customer", "latest_charge"]
_NO_CHARGE = "none"
_PAGE = 100  # as many as Stripe gives at once


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent. Amounts are in Stripe's units, `currency` in upper case.

    `card` is the customer's current default payment method, known where the customer was expanded. `decline` is why the last
    attempt failed, `charge` its charge, and `charge_before` what `note_attempt` noted. `charged_at` is Stripe's time of the last
    charge, aware UTC.
    """

    id: str
    status: str
    amount: int
    received: int
    currency: str
    customer: str
    livemode: bool
    card: str | None
    decline: str | None
    charge: str | None
    charge_before: str | None
    charged_at: datetime | None
    replayed: bool

    @property
    def over(self) -> bool:
        """Whether it has taken nothing and never can."""
        return self.status == "canceled" and self.received == 0

    @property
    def new_decline(self) -> str | None:
        """Why an attempt failed that was made after the one noted last: each attempt that is made has a charge of its own."""
        return None if (self.charge or _NO_CHARGE) == self.charge_before else self.decline


Answer: TypeAlias = "Intent | Failure"


@dataclass(frozen=True, slots=True)
class Order:
    """What to create an intent for. `amount` is in Stripe's units."""

    amount: int
    currency: str
    customer: str
    description: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Listed:
    """A PaymentIntent as a list shows it."""

    id: str
    status: str
    created_at: datetime
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a list, newest first; `more` says that there are others behind them."""

    found: tuple[Listed, ...]
    more: bool


class Intents:
    """The six requests. Safe to share between threads, as the client is. What a permit raises passes through."""

    def __init__(self, client: StripeClient) -> None:
        """`client` must not retry by itself."""
        self.client = client
        self._intents = client.v1.payment_intents
        self._permit: Callable[[], None] = _unlimited

    def paced(self, permit: Callable[[], None]) -> Intents:
        """The same requests, each of which calls `permit` right before it is sent, to wait until it may be."""
        paced = copy(self)
        paced._permit = permit
        return paced

    def create(self, order: Order, key: str) -> Answer:
        """Create an unconfirmed intent for cards; no money moves. The answer names the customer's current card."""
        return _ask(
            self._permit,
            lambda: self._intents.create(
                {
                    "amount": order.amount,
                    "currency": order.currency.lower(),
                    "customer": order.customer,
                    "description": order.description,
                    "metadata": dict(order.metadata),
                    "allowed_payment_method_types": ["card"],
                    "expand": _EXPAND,
                },
                {"idempotency_key": key},
            ),
        )

    def retrieve(self, intent: str) -> Answer:
        """The intent as it stands, with the customer's current card."""
        return _ask(self._permit, lambda: self._intents.retrieve(intent, {"expand": _EXPAND}))

    def confirm(self, intent: str, payment_method: str, key: str) -> Answer:
        """Take the money: the one request that moves any."""
        params: Any = {"payment_method": payment_method, "off_session": True, "expand": _EXPAND}
        return _ask(self._permit, lambda: self._intents.confirm(intent, params, {"idempotency_key": key}))

    def note_attempt(self, intent: Intent) -> Answer:
        """Note at the intent which charge was its last before the attempt that follows, so that a decline which is found later
        can be told from an older one.
        """
        note = {"charge_before": intent.charge or _NO_CHARGE}
        return _ask(self._permit, lambda: self._intents.update(intent.id, {"metadata": note, "expand": _EXPAND}))

    def cancel(self, intent: str) -> Answer:
        """Make sure that the intent can never succeed."""
        return _ask(self._permit, lambda: self._intents.cancel(intent, {"cancellation_reason": "abandoned", "expand": _EXPAND}))

    def created(self, since: datetime, until: datetime, after: str | None) -> Page | Failure:
        """Whatever was created from `since` to `until`, inclusive, in whole seconds; behind the intent `after`."""
        created = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
        params: Any = {"created": created, "limit": _PAGE} | ({"starting_after": after} if after else {})
        return ask(self._permit, lambda: self._intents.list(params), _page)


def _unlimited() -> None:
    """Leave for requests that nobody counts."""


def _ask(permit: Callable[[], None], request: Callable[[], PaymentIntent]) -> Answer:
    return ask(permit, request, lambda data, replayed: _read(data, replayed=replayed))


def _page(data: Any, _replayed: bool) -> Page:
    return Page(tuple(_listed(each) for each in data["data"]), data["has_more"] is True)


def _listed(data: Any) -> Listed:
    created_at = datetime.fromtimestamp(data["created"], UTC)
    return Listed(text_in(data["id"]), text_in(data["status"]), created_at, dict(data["metadata"]))


def _read(data: Any, *, replayed: bool) -> Intent:
    """An intent from its JSON. Raises what Python raises for missing keys and wrong types."""
    customer, charge = data["customer"], data["latest_charge"]
    expanded = isinstance(customer, dict)
    charged_at = None if charge is None else datetime.fromtimestamp(charge["created"], UTC)
    if data["status"] == "succeeded" and charged_at is None:
        raise ValueError("succeeded without a charge")
    return Intent(
        id=text_in(data["id"]),
        status=text_in(data["status"]),
        amount=integer_in(data["amount"]),
        received=integer_in(data["amount_received"]),
        currency=text_in(data["currency"]).upper(),
        customer=text_in(customer["id"] if expanded else customer),
        livemode=data["livemode"] is True,
        card=_default_card(customer) if expanded else None,
        decline=decline_in(data["last_payment_error"]),
        charge=None if charge is None else text_in(charge["id"]),
        charge_before=data["metadata"].get("charge_before"),
        charged_at=charged_at,
        replayed=replayed,
    )


def _default_card(customer: Mapping[str, Any]) -> str | None:
    """None for a customer without one, and for a deleted customer, who has no settings any more."""
    card = (customer.get("invoice_settings") or {}).get("default_payment_method")
    return card["id"] if isinstance(card, dict) else card
