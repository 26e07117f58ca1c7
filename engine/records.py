"""A payment service's own records, to be compared with ours: what a connector tells of them. A part of `engine.connector`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from engine.connector import Permits
    from engine.refund import RefundState


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """A payment as the service has it.

    `charge_key`, `process` and `period` are the bill that it says it is for; all None for one that was made by hand. `customer`
    is the service's own id of whoever pays. `amount` is what was taken where it `succeeded`, else what was to be taken, and
    `refunded` what of it was given back, in ISO 4217 minor units of `currency` (in the service's units for a currency that
    ISO 4217 doesn't have). `status` is the service's word; `canceled` says that it has taken nothing and never can. Times are
    the service's, aware UTC.
    """

    id: str
    charge_key: str | None
    process: str | None
    period: str | None
    customer: str | None
    amount: int
    currency: str
    status: str
    succeeded: bool
    created_at: datetime
    charged_at: datetime | None = None
    refunded: int = 0
    canceled: bool = False

    @property
    def by_hand(self) -> bool:
        """Whether it names no process that it was made by."""
        return self.process is None and self.charge_key is None

    @property
    def given_back(self) -> bool:
        """Whether nothing is left of what was taken."""
        return self.refunded >= self.amount


@dataclass(frozen=True, slots=True)
class RefundRecord:
    """A refund as the service has it, of the payment `payment`. `refund_key` is the one of ours that it says it is, None for one
    made by hand. Amounts and times as with `PaymentRecord`.
    """

    id: str
    payment: str | None
    refund_key: str | None
    amount: int
    currency: str
    state: RefundState
    created_at: datetime


class ChargeRecords(Protocol):
    """How a service's records are read. Each method raises RecordsUnavailable, while it is read too, when the service can't be
    asked or its answer can't be read: so what ends without an error is whole.
    """

    @property
    def livemode(self) -> bool:
        """Whether they are of real money."""
        ...

    def payments(self, since: datetime, until: datetime) -> Iterator[PaymentRecord]:
        """All payments that were created from `since` to `until`, inclusive, in whole seconds, newest first."""
        ...

    def refunds(self, since: datetime, until: datetime) -> Iterator[RefundRecord]:
        """All refunds that were created from `since` to `until`, likewise."""
        ...

    def customers(self) -> Iterator[str]:
        """The ids of all customers that the service has."""
        ...

    def payment(self, payment: str) -> PaymentRecord | None:
        """One payment as it stands; None where the service has none with this id."""
        ...

    def refund(self, refund: str) -> RefundRecord | None:
        """One refund, likewise."""
        ...

    def key_of(self, charge_key: str) -> str:
        """What the payments of a bill have as their `charge_key`: a long one is shortened."""
        ...


@runtime_checkable
class KeepsRecords(Protocol):
    """A connector that charges can offer this as well."""

    topic: str

    def records(self, permits: Permits) -> ChargeRecords | None:
        """Its requests wait for `permits`. None where it has no key. Raises ConfigurationInvalid for an unsuitable one."""
        ...


__all__ = ["ChargeRecords", "KeepsRecords", "PaymentRecord", "RefundRecord"]
