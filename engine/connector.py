"""What a connector is: the contract between the engine's worker and the outside world.

A connector is called by a worker for one job, outside any database transaction, from a pool of threads. It answers with an
outcome; the worker commits that outcome together with the BPMN step it causes. A connector sees its parameters and what
stands in `JobRequest`, never an instance's whole data, and no secret but its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from engine.charge import (
    Charge,
    ChargeKeeper,
    ChargeLedger,
    ChargeRequest,
    ChargeResult,
    ChargeState,
    Closed,
    Closing,
    IntentPage,
    KeepsCharges,
    NoAnswer,
    OpenIntent,
    PaysBills,
    StillOpen,
    Taken,
)
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
    """The work ended in a state that the diagram knows by `code`. `message` may be shown to anyone.

    `general` is a wider code for the same: where the diagram catches no `code`, as one that is older than it, that is caught.
    """

    code: str
    message: str
    charge: ChargeResult | None = None
    refund: RefundResult | None = None
    general: str | None = None


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
    "KeepsCharges",
    "KeepsRecords",
    "Mail",
    "Mailer",
    "MakesRefunds",
    "NoAnswer",
    "NotRefundable",
    "OpenIntent",
    "Outcome",
    "PaymentRecord",
    "PaysBills",
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
    "StillOpen",
    "Taken",
    "Unknown",
    "Value",
]
