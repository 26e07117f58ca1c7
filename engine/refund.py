"""Refunds: what connectors and the engine tell each other about money that is given back. A part of `engine.connector`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.connector import Value


class RefundState(StrEnum):
    """Where a refund stands. `SUCCEEDED` is money given back, `PENDING` is money on its way."""

    PREPARED = "prepared"  # the request is frozen and its amount reserved; nothing was sent
    SUBMITTING = "submitting"  # a request may be under way
    PENDING = "pending"  # accepted; the bank has yet to take it
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # refused, or sent back by the bank: nothing was given back
    CANCELED = "canceled"  # given up before anything was sent, or cancelled at the service
    UNKNOWN = "unknown"  # in doubt; looked up until it is known

    @property
    def in_doubt(self) -> bool:
        """Whether the request may have been taken without our knowing."""
        return self in (RefundState.SUBMITTING, RefundState.UNKNOWN)

    @property
    def gives_back(self) -> bool:
        """Whether the customer has the money, or is about to."""
        return self in (RefundState.PENDING, RefundState.SUCCEEDED)

    @property
    def is_void(self) -> bool:
        """Whether it gives nothing back and never will: only then its amount can be refunded otherwise."""
        return self in (RefundState.FAILED, RefundState.CANCELED)


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """What is to be given back of the bill that `process`, `customer` and `period` name.

    `amount` is in ISO 4217 minor units of `currency`, None for all that is left. `reason` is one that the service knows,
    `comment` is kept by us alone.
    """

    process: str
    customer: str
    period: str
    amount: int | None
    currency: str
    reason: str
    comment: str | None
    requested_by: str | None
    approved_by: str | None
    livemode: bool


@dataclass(frozen=True, slots=True)
class Refund:
    """The row of one refund. In `request` the amount is settled; `intent` is the payment that gives it back.

    `refund_key` names the job that makes it, in its idempotency key too. `instance` has that job, `bill` was charged. `attempt`
    counts requests that were begun (0: none yet), `refund` is the id at the service, `problem` is for operators. `refunded_at` is
    the service's own time, aware UTC.
    """

    refund_key: str
    request: RefundRequest
    amount: int
    instance: str
    bill: str
    intent: str
    state: RefundState
    attempt: int = 0
    refund: str | None = None
    problem: str | None = None
    refunded_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefundResult:
    """How a refund ended, to be committed with the BPMN step. One that succeeded stays so, whatever a later run says; only the
    service knows when the bank sends it back (`ChargeKeeper.refund`).
    """

    refund_key: str
    state: RefundState
    refund: str | None = None
    problem: str | None = None
    refunded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefundStanding:
    """How a refund stands at the service; `problem` says why it failed, for operators."""

    state: RefundState
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class NotRefundable:
    """The ledger says that this can't be given back. `reason` may be shown to anyone."""

    reason: str


class RefundLedger(Protocol):
    """Durable memory of one job's refund. Each method is one committed transaction and raises LeaseLost when the job's fencing
    token is no longer the newest.
    """

    def prepare(self, request: RefundRequest) -> Refund | NotRefundable:
        """The job's refund as it stands; where there is none, made PREPARED from `request`, whose amount is reserved from then
        on: together with all others of the charge that aren't void it is never more than was charged, whoever asks at once.

        Raises ConfigurationInvalid where the charge was made in the other mode.
        """
        ...

    def begin(self, refund_key: str, attempt: int) -> Refund:
        """Compare-and-set `attempt - 1` -> `attempt`, PREPARED -> SUBMITTING. The row as it stands afterwards."""
        ...


@runtime_checkable
class MakesRefunds(Protocol):
    """A connector that gives money back offers this as well."""

    topic: str
    refund_output: str
    """Which of its outputs names the refund, as the ledger's `refund` does."""

    def results(self, refund: Refund) -> Mapping[str, Value]:
        """Its outputs for a refund that was made, as far as the ledger's row knows them."""
        ...
