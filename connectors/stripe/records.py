"""Stripe's own records, to be compared with the ledger: all PaymentIntents and refunds of a window of time, page by page.

Lists are immediately consistent (https://docs.stripe.com/api/payment_intents/list, https://docs.stripe.com/api/refunds/list) and
newest first, so what comes into being meanwhile moves nothing between the pages. A page that doesn't come ends the reading with
an error: part of a list is never taken for all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from connectors.stripe.amounts import to_iso
from connectors.stripe.answers import Failure, Trouble, ask, integer_in, text_in
from connectors.stripe.protocol import key_in_metadata
from connectors.stripe.refund_outcomes import state_of
from connectors.stripe.refund_protocol import KEY_IN_METADATA
from engine.connector import PaymentRecord, RefundRecord
from engine.errors import DataRefused, RecordsUnavailable

if TYPE_CHECKING:
    from stripe import StripeClient

_PAGE = 100  # as many as Stripe gives at once
_CHARGE = "latest_charge"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class StripeRecords:
    """The `ChargeRecords` of one Stripe account. `permit` is called right before each request; `livemode` is the key's."""

    client: StripeClient
    permit: Callable[[], None]
    livemode: bool

    def payments(self, since: datetime, until: datetime) -> Iterator[PaymentRecord]:
        """See ChargeRecords."""
        intents = self.client.v1.payment_intents
        return self._all(lambda page: intents.list(page | {"expand": [f"data.{_CHARGE}"]}), _payment, since, until)

    def refunds(self, since: datetime, until: datetime) -> Iterator[RefundRecord]:
        """See ChargeRecords."""
        return self._all(self.client.v1.refunds.list, _refund, since, until)

    def customers(self) -> Iterator[str]:
        """See ChargeRecords."""
        return self._pages(self.client.v1.customers.list, lambda data: text_in(data["id"]), {})

    def payment(self, payment: str) -> PaymentRecord | None:
        """See ChargeRecords."""
        return self._one(lambda: self.client.v1.payment_intents.retrieve(payment, {"expand": [_CHARGE]}), _payment)

    def refund(self, refund: str) -> RefundRecord | None:
        """See ChargeRecords."""
        return self._one(lambda: self.client.v1.refunds.retrieve(refund), _refund)

    def key_of(self, charge_key: str) -> str:
        """See ChargeRecords."""
        return key_in_metadata(charge_key)

    def _all(self, asked: Callable[[Any], Any], read: Callable[[Any], _T], since: datetime, until: datetime) -> Iterator[_T]:
        window = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
        return self._pages(asked, read, {"created": window})

    def _pages(self, asked: Callable[[Any], Any], read: Callable[[Any], _T], chosen: Mapping[str, Any]) -> Iterator[_T]:
        page: dict[str, Any] = {**chosen, "limit": _PAGE}
        more = True
        while more:
            answer = ask(self.permit, lambda: asked(page), lambda data, _: _page(data, read))
            if isinstance(answer, Failure):
                raise _unavailable(answer)
            found, page["starting_after"], more = answer
            yield from found

    def _one(self, asked: Callable[[], Any], read: Callable[[Any], _T]) -> _T | None:
        answer = ask(self.permit, asked, lambda data, _: read(data))
        if isinstance(answer, Failure) and not answer.missing:
            raise _unavailable(answer)
        return None if isinstance(answer, Failure) else answer


def _page(data: Any, read: Callable[[Any], _T]) -> tuple[list[_T], str | None, bool]:
    """What a page holds, the id to go on behind, and whether there is more. Raises what Python raises where it isn't a page."""
    found, more = [read(each) for each in data["data"]], data["has_more"]
    if not isinstance(more, bool) or (more and not found):
        raise TypeError("a page expected")
    return found, data["data"][-1]["id"] if more else None, more


def _payment(data: Any) -> PaymentRecord:
    charge, currency = data[_CHARGE], data["currency"].upper()
    succeeded = data["status"] == "succeeded"
    charge_key, process, period = _bill(data["metadata"])
    return PaymentRecord(
        id=text_in(data["id"]),
        charge_key=charge_key,
        process=process,
        period=period,
        customer=data["customer"],
        amount=_amount(data["amount_received"] if succeeded else data["amount"], currency),
        currency=currency,
        status=text_in(data["status"]),
        succeeded=succeeded,
        created_at=_moment(data["created"]),
        charged_at=_moment(charge["created"]) if charge and succeeded else None,
        refunded=_amount(charge["amount_refunded"], currency) if charge and succeeded else 0,
        canceled=data["status"] == "canceled" and integer_in(data["amount_received"]) == 0,
    )


def _refund(data: Any) -> RefundRecord:
    currency = data["currency"].upper()
    return RefundRecord(
        id=text_in(data["id"]),
        payment=data["payment_intent"],
        refund_key=(data["metadata"] or {}).get(KEY_IN_METADATA),
        amount=_amount(data["amount"], currency),
        currency=currency,
        state=state_of(text_in(data["status"])),
        created_at=_moment(data["created"]),
    )


def _bill(metadata: Mapping[str, str]) -> tuple[str | None, str | None, str | None]:
    """Key, process and period, as `protocol` writes them. The key says all three, unless it was too long."""
    key, process, period = (metadata.get(name) for name in ("charge_key", "process", "period"))
    if key is None or key.count("|") < 2:
        return key, process, period
    return key, key.partition("|")[0], key.rpartition("|")[2]


def _amount(units: Any, currency: str) -> int:
    counted = integer_in(units)
    try:
        return to_iso(counted, currency)
    except DataRefused:  # an account can be paid in more than ISO 4217 has, though no bill of ours can
        return counted


def _moment(seconds: Any) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _unavailable(failure: Failure) -> RecordsUnavailable:
    remedy = {
        Trouble.REFUSED: "check that the key is this account's, and that it may read PaymentIntents, charges and refunds",
        Trouble.LIMITED: "wait until others send fewer requests to this account, and do it again",
    }.get(failure.trouble, "do it again when Stripe can be reached")
    return RecordsUnavailable(
        f"Expected Stripe to show all its records, but: {failure.text}. Nothing was compared. Do: {remedy}."
    )
