"""Refunds as the refund protocol sees them: three requests, and every answer as a plain record or a `Failure`.

Facts: https://docs.stripe.com/api/refunds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from connectors.stripe.answers import Failure, ask, integer_in, text_in

if TYPE_CHECKING:
    from stripe import StripeClient

_PAGE = 100  # as many as Stripe gives at once


@dataclass(frozen=True, slots=True)
class StripeRefund:
    """A refund. The amount is in Stripe's units, `currency` in upper case. `failure` is why it failed or takes its time,
    `created_at` Stripe's time.
    """

    id: str
    intent: str | None
    amount: int
    currency: str
    status: str
    metadata: Mapping[str, str]
    failure: str | None
    created_at: datetime


Answer: TypeAlias = "StripeRefund | Failure"


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What to give back of an intent. `amount` is in Stripe's units."""

    intent: str
    amount: int
    reason: str
    metadata: Mapping[str, str]


class Refunds:
    """The three requests. Safe to share between threads, as the client is. What a permit raises passes through."""

    def __init__(self, client: StripeClient) -> None:
        """`client` must not retry by itself."""
        self._refunds = client.v1.refunds
        self._permit: Callable[[], None] = lambda: None

    def paced(self, permit: Callable[[], None]) -> Refunds:
        """The same requests, each of which calls `permit` right before it is sent, to wait until it may be."""
        paced = copy(self)
        paced._permit = permit
        return paced

    def create(self, order: RefundOrder, key: str) -> Answer:
        """Give money back: the one request that moves any."""
        params: Any = {
            "payment_intent": order.intent,
            "amount": order.amount,
            "reason": order.reason,
            "metadata": dict(order.metadata),
        }
        return ask(self._permit, lambda: self._refunds.create(params, {"idempotency_key": key}), _read)

    def retrieve(self, refund: str) -> Answer:
        """The refund as it stands."""
        return ask(self._permit, lambda: self._refunds.retrieve(refund), _read)

    def of_intent(self, intent: str) -> tuple[StripeRefund, ...] | Failure:
        """All refunds of an intent, newest first, by whomever they were made. A new one is in it at once."""
        found: list[StripeRefund] = []
        while True:
            behind = {"starting_after": found[-1].id} if found else {}
            params: Any = {"payment_intent": intent, "limit": _PAGE, **behind}
            page = ask(self._permit, lambda given=params: self._refunds.list(given), _page)  # type: ignore[misc] # given's type
            if isinstance(page, Failure):
                return page
            some, more = page
            found += some
            if not more or not some:
                return tuple(found)


def _page(data: Any, _replayed: bool) -> tuple[list[StripeRefund], bool]:
    return [_read(each, False) for each in data["data"]], data["has_more"] is True


def _read(data: Any, _replayed: bool) -> StripeRefund:
    intent, failure = data["payment_intent"], data.get("failure_reason") or data.get("pending_reason")
    return StripeRefund(
        id=text_in(data["id"]),
        intent=None if intent is None else text_in(intent),
        amount=integer_in(data["amount"]),
        currency=text_in(data["currency"]).upper(),
        status=text_in(data["status"]),
        metadata=dict(data["metadata"] or {}),
        failure=None if failure is None else text_in(failure),
        created_at=datetime.fromtimestamp(data["created"], UTC),
    )
