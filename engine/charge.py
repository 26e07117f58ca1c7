"""Charges: what connectors and the engine tell each other about money that is taken. A part of `engine.connector`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from engine.connector import JobRequest, Permits
    from engine.refund import RefundStanding


class ChargeState(StrEnum):
    """Where a charge stands. Only `SUCCEEDED` is money."""

    PREPARED = "prepared"  # the request is frozen; nothing was sent
    CREATED = "created"  # an unconfirmed PaymentIntent exists and its id is stored
    CONFIRMING = "confirming"  # a confirmation may be under way
    SUCCEEDED = "succeeded"
    DECLINED = "declined"  # this attempt is final; another may be approved
    REQUIRES_ACTION = "requires_action"  # the customer must authenticate
    UNKNOWN = "unknown"  # in doubt; retrieved until it is known
    CANCELED = "canceled"  # the intent was cancelled; it can never succeed

    @property
    def in_doubt(self) -> bool:
        """Whether the last attempt may have been taken without our knowing."""
        return self in (ChargeState.CONFIRMING, ChargeState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """What is to be charged, frozen before anything is sent. `amount` is in ISO 4217 minor units of `currency`."""

    charge_key: str
    process: str
    customer: str
    period: str
    instance: str
    amount: int
    currency: str
    stripe_customer: str
    approved_by: str | None
    livemode: bool


@dataclass(frozen=True, slots=True)
class Charge:
    """The ledger's row. `generation` counts intents (1 but for replaced ones), `attempt` confirmations of all (0: none yet)."""

    request: ChargeRequest
    state: ChargeState
    generation: int = 1
    attempt: int = 0
    intent: str | None = None
    payment_method: str | None = None
    reason: str | None = None
    updated_at: datetime | None = None
    charged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChargeResult:
    """How an attempt ended, to be committed with the BPMN step.

    `reason` is for operators (a decline code, never card data). `charged_at` is Stripe's own time, aware UTC. `generation` and
    `attempt` say which attempt it was: where the ledger has moved on meanwhile, nothing but a success is stored any more. None:
    whichever the ledger holds.
    """

    charge_key: str
    state: ChargeState
    reason: str | None = None
    charged_at: datetime | None = None
    generation: int | None = None
    attempt: int | None = None


class ChargeLedger(Protocol):
    """Durable memory of charges. Each method is one committed transaction and raises LeaseLost when the job's fencing
    token is no longer the newest.
    """

    def prepare(self, request: ChargeRequest) -> Charge:
        """The row of `request.charge_key`: made PREPARED from `request` if there is none, else as it stands (its frozen
        request may differ from `request`; comparing is the caller's).
        """
        ...

    def record_intent(self, charge_key: str, generation: int, intent: str) -> Charge:
        """Compare-and-set: store the intent's id, PREPARED -> CREATED, only where none is stored for this generation.
        Returns the row as it stands afterwards, whoever won.
        """
        ...

    def begin_confirm(self, charge_key: str, attempt: int, payment_method: str) -> Charge:
        """Compare-and-set `attempt - 1` -> `attempt`, state CONFIRMING, with the payment method that will be sent.
        Returns the row as it stands afterwards, whoever won.
        """
        ...

    def replace_intent(self, request: ChargeRequest, canceled_intent: str | None) -> Charge:
        """Freeze `request` as the next generation: PREPARED, no intent. Attempts go on being counted.

        Only after `canceled_intent` is known to be cancelled at Stripe; None where no intent was stored yet.
        """
        ...


# --- charges that were given up -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Closed:
    """An intent has taken nothing and never can."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An intent has taken money: `amount` in ISO 4217 minor units of `currency`, at `charged_at`, aware UTC."""

    amount: int
    currency: str
    charged_at: datetime


@dataclass(frozen=True, slots=True)
class StillOpen:
    """An intent can still take money, and can't be closed now. `reason` is for operators."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The service gave no answer that could be used, or refused the request. `reason` is for operators."""

    reason: str


Closing: TypeAlias = Closed | Taken | StillOpen | NoAnswer


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An intent of ours that waits to be confirmed: for which bill and instance it was made, and when by the service's clock."""

    intent: str
    charge_key: str
    instance: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class IntentPage:
    """Some of the intents that were asked for; `after` asks for those behind them, None where these were the last."""

    found: tuple[OpenIntent, ...]
    after: str | None


class ChargeKeeper(Protocol):
    """How intents are found and closed that nobody will confirm any more, and refunds looked up that take their time. Each
    method is made of few requests, outside any transaction, and never raises for what the service does.
    """

    @property
    def livemode(self) -> bool:
        """Whether it keeps real money."""
        ...

    def close(self, intent: str) -> Closing:
        """Make sure that an intent can never take money, or find out what it took."""
        ...

    def open_intents(self, since: datetime, until: datetime, after: str | None = None) -> IntentPage | NoAnswer:
        """Those created from `since` to `until`, inclusive, that still wait to be confirmed; a page at a time."""
        ...

    def refund(self, refund: str) -> RefundStanding | NoAnswer:
        """How the refund with this id at the service stands now."""
        ...


@runtime_checkable
class KeepsCharges(Protocol):
    """A connector that charges can offer this as well."""

    topic: str
    intent_output: str
    """Which of its outputs names the payment, as the ledger's `intent` does."""

    def keeper(self, permits: Permits) -> ChargeKeeper | None:
        """Its requests wait for `permits`. None where it has no key. Raises ConfigurationInvalid for an unsuitable one."""
        ...


@runtime_checkable
class PaysBills(Protocol):
    """A connector after whose work a bill is paid, because it charged it or settled it otherwise, offers this as well."""

    topic: str

    def bill(self, request: JobRequest, *, livemode: bool) -> ChargeRequest:
        """The bill that a job is about, as it would be frozen. Raises DataRefused where its process has none."""
        ...


__all__ = [
    "Charge",
    "ChargeKeeper",
    "ChargeLedger",
    "ChargeRequest",
    "ChargeResult",
    "ChargeState",
    "Closed",
    "Closing",
    "IntentPage",
    "KeepsCharges",
    "NoAnswer",
    "OpenIntent",
    "PaysBills",
    "StillOpen",
    "Taken",
]
