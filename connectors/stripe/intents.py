"""PaymentIntents as the charge protocol sees them: six requests, and every answer as a plain record.

No answer is an exception: what went wrong is a `Failure`, sorted by the one question that matters, whether anything may have
been taken. Facts: https://docs.stripe.com/api/payment_intents, https://docs.stripe.com/api/errors. The client secret that
Stripe sends along is never read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from stripe import APIConnectionError, IdempotencyError, StripeError

from connectors.stripe.declines import UNUSABLE, reason_of

if TYPE_CHECKING:
    from stripe import ListObject, PaymentIntent, StripeClient

_EXPAND = ["customer", "latest_charge"]
_UNEXPECTED_STATE = "payment_intent_unexpected_state"
_NO_CHARGE = "none"
_PAYMENT_REQUIRED = 402
_MISSING = 404
_LONGEST_TEXT = 300
_PAGE = 100  # as many as Stripe gives at once


class Trouble(StrEnum):
    """What a failed request leaves open."""

    DOUBT = "doubt"  # no answer, an unreadable one, or an error of Stripe's own: it may have been taken
    IN_FLIGHT = "in flight"  # the same request is under way at this moment
    LIMITED = "limited"  # too many requests: not taken
    CHANGED = "changed"  # the intent is no longer in the state that the request needs
    CARD = "card"  # the card or the bank said no, or the card can't be used any more
    REFUSED = "refused"  # the request, the key or the account is wrong: not taken


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that did not end as it should. `text` is for operators. `replayed`: a saved answer was given again. `missing`:
    there is no such object in this account.
    """

    trouble: Trouble
    text: str
    decline: str | None = None
    replayed: bool = False
    missing: bool = False


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
        return _ask_list(self._permit, lambda: self._intents.list(params))


def _unlimited() -> None:
    """Leave for requests that nobody counts."""


def _ask(permit: Callable[[], None], request: Callable[[], PaymentIntent]) -> Answer:
    permit()
    try:
        response = request().last_response
        if response is None:
            raise ValueError("no response")
        return _read(response.data, replayed=_is_replayed(response.headers))
    except StripeError as error:
        return _failure(error)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        # JSON that isn't what it should be; the SDK itself stumbles over some of it
        return Failure(Trouble.DOUBT, f"Stripe's answer could not be read ({type(error).__name__})")


def _ask_list(permit: Callable[[], None], request: Callable[[], ListObject[PaymentIntent]]) -> Page | Failure:
    permit()
    try:
        response = request().last_response
        if response is None:
            raise ValueError("no response")
        data: Any = response.data
        return Page(tuple(_listed(each) for each in data["data"]), data["has_more"] is True)
    except StripeError as error:
        return _failure(error)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        return Failure(Trouble.DOUBT, f"Stripe's answer could not be read ({type(error).__name__})")


def _listed(data: Any) -> Listed:
    created_at = datetime.fromtimestamp(data["created"], UTC)
    return Listed(_text(data["id"]), _text(data["status"]), created_at, dict(data["metadata"]))


def _read(data: Any, *, replayed: bool) -> Intent:
    """An intent from its JSON. Raises what Python raises for missing keys and wrong types."""
    customer, charge = data["customer"], data["latest_charge"]
    expanded = isinstance(customer, dict)
    charged_at = None if charge is None else datetime.fromtimestamp(charge["created"], UTC)
    if data["status"] == "succeeded" and charged_at is None:
        raise ValueError("succeeded without a charge")
    return Intent(
        id=_text(data["id"]),
        status=_text(data["status"]),
        amount=_integer(data["amount"]),
        received=_integer(data["amount_received"]),
        currency=_text(data["currency"]).upper(),
        customer=_text(customer["id"] if expanded else customer),
        livemode=data["livemode"] is True,
        card=_default_card(customer) if expanded else None,
        decline=_decline(data["last_payment_error"]),
        charge=None if charge is None else _text(charge["id"]),
        charge_before=data["metadata"].get("charge_before"),
        charged_at=charged_at,
        replayed=replayed,
    )


def _default_card(customer: Mapping[str, Any]) -> str | None:
    """None for a customer without one, and for a deleted customer, who has no settings any more."""
    card = (customer.get("invoice_settings") or {}).get("default_payment_method")
    return card["id"] if isinstance(card, dict) else card


def _decline(error: Mapping[str, Any] | None) -> str | None:
    return None if error is None else reason_of(error.get("code"), error.get("decline_code"), error.get("advice_code"))


def _failure(error: StripeError) -> Failure:
    body = error.json_body if isinstance(error.json_body, dict) else {}
    details: Mapping[str, Any] = body["error"] if isinstance(body.get("error"), dict) else {}
    trouble = _trouble(error, details)
    decline = _decline(details) if error.http_status == _PAYMENT_REQUIRED else UNUSABLE
    return Failure(
        trouble,
        _explained(error, details),
        decline=decline if trouble is Trouble.CARD else None,
        replayed=_is_replayed(error.headers or {}),
        missing=error.http_status == _MISSING,
    )


def _trouble(error: StripeError, details: Mapping[str, Any]) -> Trouble:
    if isinstance(error, APIConnectionError):
        return Trouble.DOUBT
    if isinstance(error, IdempotencyError):
        return Trouble.CHANGED  # something else was sent with this key: what is there must be looked at
    if details.get("code") == _UNEXPECTED_STATE:
        return Trouble.CHANGED
    if details.get("param") == "payment_method" and error.http_status in (400, 404):
        return Trouble.CARD
    known = {_PAYMENT_REQUIRED: Trouble.CARD, 409: Trouble.IN_FLIGHT, 429: Trouble.LIMITED}
    refused = dict.fromkeys((400, 401, 403, 404), Trouble.REFUSED)
    return (known | refused).get(error.http_status or 0, Trouble.DOUBT) if details else Trouble.DOUBT


def _explained(error: StripeError, details: Mapping[str, Any]) -> str:
    """What Stripe says about it. A text of the SDK's own can quote a whole answer, so it is not used."""
    if isinstance(error, APIConnectionError):
        return f"no answer from Stripe ({type(error.__cause__ or error).__name__})"
    said = str(details.get("message") or "an answer that could not be read")
    code = f", {details['code']}" if details.get("code") else ""
    printable = "".join(c if c.isprintable() else " " for c in said)[:_LONGEST_TEXT]
    return f"{printable} (HTTP {error.http_status}{code})"


def _is_replayed(headers: Mapping[str, str]) -> bool:
    """Whether a saved answer was given again, https://docs.stripe.com/api/idempotent_requests."""
    return any(name.lower() == "idempotent-replayed" and value.lower() == "true" for name, value in headers.items())


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("integer expected")
    return value
