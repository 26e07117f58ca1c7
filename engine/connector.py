"""What a connector is: the contract between the engine's worker and the outside world.

A connector is called by a worker for one job, outside any database transaction, from a pool of threads. It answers with an
outcome; the worker commits that outcome together with the BPMN step it causes. A connector sees its parameters and what
stands in `JobRequest`, never an instance's whole data, and no secret but its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from engine.records import ChargeRecords, KeepsRecords, PaymentRecord, RefundRecord
from engine.refund import (
    MakesRefunds,
    NotRefundable,
    Refund,
    RefundLedger,
    RefundRequest,
    RefundResult,
    RefundStanding,
    RefundState,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

    from engine.clock import Clock

Value: TypeAlias = "bool | int | str | list[Value] | dict[str, Value] | None"
"""What a data item can hold. Money is an integer in minor units of its currency's ISO 4217 exponent."""


# --- what a connector is handed -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One job, as a connector sees it.

    `parameters` are validated against the connector's own schema. `attempt` counts from 1. `customer` and `period` are those
    of the bill, None where the process has none. `resources` are the files deployed with the definition
    (`mail/charged.txt` -> bytes): the version that the instance runs on, not what lies on disk today.
    """

    id: str
    topic: str
    parameters: BaseModel
    attempt: int
    process: str
    version: int
    instance: str
    flow_node: str
    customer: str | None = None
    period: str | None = None
    resources: Mapping[str, bytes] = field(default_factory=dict)


class JobContext(Protocol):
    """What a connector may use beside its parameters."""

    @property
    def clock(self) -> Clock:
        """The injected clock."""
        ...

    @property
    def ledger(self) -> ChargeLedger:
        """The charge ledger, bound to this job's fencing token."""
        ...

    @property
    def refunds(self) -> RefundLedger:
        """The ledger of refunds, bound to this job and its fencing token."""
        ...

    @property
    def permits(self) -> Permits:
        """Leave to send requests to a service that limits them."""
        ...


class Permits(Protocol):
    """Keeps everybody who works on one database, on however many machines, within a service's limit on requests."""

    def take(self, service: str, per_second: int) -> None:
        """Wait until one request may be sent to `service`, to which at most `per_second` go in any second; then send it at once.

        Everybody must name the same figure for a service. Raises what the database raises; nothing was sent then.
        """
        ...


class Connector(Protocol):
    """One operation that a service task can name as its topic."""

    topic: str
    """What `camunda:topic` says, e.g. `stripe.charge`."""
    parameters: type[BaseModel]
    """Schema of the input parameters. A model that allows extra fields takes free parameters as well."""
    outputs: Mapping[str, str]
    """Result name -> what it is, for output mappings."""
    errors: Mapping[str, str]
    """BPMN error code -> when it is thrown, for error boundary events."""

    def run(self, request: JobRequest, context: JobContext) -> Outcome:
        """Do the job. Never raises for what the outside world does: that is an outcome."""
        ...


Connectors: TypeAlias = Mapping[str, Connector]
"""The connectors by topic, as the one place that joins them builds them."""


# --- what it answers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Completed:
    """The work is done. `outputs` feed the output mappings; `charge` and `refund` are committed with the BPMN step."""

    outputs: Mapping[str, Value] = field(default_factory=dict)
    charge: ChargeResult | None = None
    refund: RefundResult | None = None


@dataclass(frozen=True, slots=True)
class BusinessError:
    """The work ended in a state that the diagram knows by `code`. `message` may be shown to anyone."""

    code: str
    message: str
    charge: ChargeResult | None = None
    refund: RefundResult | None = None


@dataclass(frozen=True, slots=True)
class Retryable:
    """Nothing happened outside; the same call may be made again, not before `after` (None: by the retry policy).

    `counts` is false where the call was only put off, as by a rate limit: that uses up none of the attempts.
    """

    reason: str
    after: timedelta | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Fatal:
    """No retry can help; a person is needed at once. `charge` and `refund` say where that is known that no money moved."""

    reason: str
    charge: ChargeResult | None = None
    refund: RefundResult | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whether it happened is not known. The job runs again only to find out; it is never resent blindly."""

    reason: str
    charge: ChargeResult | None = None
    refund: RefundResult | None = None


Outcome: TypeAlias = Completed | BusinessError | Retryable | Fatal | Unknown


# --- the charge ledger ----------------------------------------------------------------------------------------------


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


# --- mail to the company's own people --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mail:
    """A plain text to one address. `id` names it for mail programs and files; `at` is aware, for its date."""

    id: str
    to: str
    subject: str
    text: str
    at: datetime


class Mailer(Protocol):
    """Sends mails, outside any transaction."""

    def send(self, mail: Mail) -> Completed | Retryable | Fatal | Unknown:
        """Send one mail. Retryable and Fatal: it was not sent. Never raises for what the outside world does."""
        ...


@runtime_checkable
class SendsMail(Protocol):
    """A connector that sends mail can offer this as well."""

    topic: str

    def mailer(self) -> Mailer:
        """Raises ConfigurationInvalid for settings with which nothing can be sent."""
        ...


__all__ = [
    "BusinessError",
    "Charge",
    "ChargeKeeper",
    "ChargeLedger",
    "ChargeRecords",
    "ChargeRequest",
    "ChargeResult",
    "ChargeState",
    "Closed",
    "Closing",
    "Completed",
    "Connector",
    "Connectors",
    "Fatal",
    "IntentPage",
    "JobContext",
    "JobRequest",
    "KeepsRecords",
    "Mail",
    "Mailer",
    "MakesRefunds",
    "NotRefundable",
    "Outcome",
    "PaymentRecord",
    "Permits",
    "Refund",
    "RefundLedger",
    "RefundRecord",
    "RefundRequest",
    "RefundResult",
    "RefundStanding",
    "RefundState",
    "Retryable",
    "SendsMail",
    "Unknown",
    "Value",
]
