"""The connector `stripe.refund`: gives back what a bill was charged, in part or whole, never more than was charged.

The bill is named as in the charge ledger, by process, customer and period: data items that an analyst has, and that people can
read before they approve. The Stripe SDK is imported by the first job.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from connectors.stripe.amounts import to_stripe
from connectors.stripe.client import build_client, check_key, is_live
from connectors.stripe.rate import permit
from engine.connector import Fatal, RefundRequest
from engine.errors import ConfigurationInvalid, DataRefused

if TYPE_CHECKING:
    from connectors.stripe.refunds import Refunds
    from engine.connector import JobContext, JobRequest, Outcome, Refund, Value

_READ_TIMEOUT = 30.0  # seconds without an answer


def _whole(value: object) -> object:
    if isinstance(value, bool | float):
        raise ValueError("Expected whole minor units, but found something else. Do: pass a data item of the type money.")
    return None if isinstance(value, str) and not value.strip() else value


def _text(value: object) -> object:
    """A customer can be numbered."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class RefundParameters(BaseModel):
    """The parameters of `stripe.refund`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    process: str = Field(
        title="Process",
        description="The id of the process that charged: monthly-card-charge.",
        min_length=1,
        max_length=255,
    )
    customer: Annotated[str, BeforeValidator(_text)] = Field(
        title="Customer", description="The bill's customer, as run-process charges lists it.", min_length=1, max_length=255
    )
    period: str = Field(title="Period", description="The bill's period, as in 2026-10.", min_length=1, max_length=10)
    amount: Annotated[int | None, BeforeValidator(_whole)] = Field(
        default=None, title="Amount", description="What to give back, in minor units; empty: all that is left."
    )
    currency: str = Field(
        title="Currency", description="The currency by ISO 4217; it must be the charge's own.", pattern=r"^[A-Z]{3}$"
    )
    reason: Literal["requested_by_customer", "duplicate", "fraudulent"] = Field(
        title="Reason", description="As Stripe knows it: requested_by_customer, duplicate or fraudulent."
    )
    comment: str | None = Field(
        default=None, title="Comment", description="Why, in your own words; it stays in the ledger.", max_length=10_000
    )
    requested_by: str | None = Field(default=None, title="Requested by", description="Who asked for it, for the ledger.")
    approved_by: str | None = Field(default=None, title="Approved by", description="Who approved it, for the ledger.")


class StripeRefunding:
    """Makes one refund per job, by the protocol in `refund_protocol.py`. One client serves all threads."""

    topic: str = "stripe.refund"
    title: str = "Give money back"
    summary: str = "Gives back what a bill was charged, in part or whole, and never more than was charged."
    refund_output: str = "refund_id"
    parameters: type[BaseModel] = RefundParameters
    outputs: Mapping[str, str] = MappingProxyType(
        {
            "refund_id": "The refund's id at Stripe.",
            "amount": "What is given back, in minor units of the currency.",
            "currency": "The currency by ISO 4217.",
            "refunded_at": "When Stripe took it, ISO 8601 in UTC. The bank may take days more.",
        }
    )
    errors: Mapping[str, str] = MappingProxyType(
        {
            "refund_refused": "It can't be made: nothing was charged, less is left than was asked for, or Stripe refuses it. "
            "Nothing was given back."
        }
    )

    def __init__(
        self,
        api_key: str | None,
        api_base: str | None,
        *,
        live: bool,
        read_timeout: float = _READ_TIMEOUT,
        rate: int | None = None,
    ) -> None:
        """As StripeCharge is made."""
        self._api_key = api_key
        self._api_base = api_base
        self._live = live
        self._read_timeout = read_timeout
        self._rate = rate
        self._lock = threading.Lock()
        self._refunds: Refunds | None = None

    def run(self, request: JobRequest, context: JobContext) -> Outcome:
        """Give back, or find out what became of an earlier run. LeaseLost from the ledger passes through."""
        parameters = request.parameters
        assert isinstance(parameters, RefundParameters)
        from connectors.stripe.refund_outcomes import refused
        from connectors.stripe.refund_protocol import RefundRun

        try:
            key = check_key(self._api_key, self._api_base, live=self._live)
        except ConfigurationInvalid as error:
            return Fatal(str(error))
        if parameters.amount is not None and parameters.amount > 0:  # the ledger says what else is no amount to give back
            try:
                to_stripe(parameters.amount, parameters.currency)
            except DataRefused as error:
                return refused(str(error))
        refunds = self._shared_refunds(key).paced(permit(context.permits, key, self._rate))
        asked = RefundRequest(**parameters.model_dump(), livemode=is_live(key))
        return RefundRun(refunds, context.refunds, asked).run()

    def results(self, refund: Refund) -> Mapping[str, Value]:
        """See MakesRefunds."""
        from connectors.stripe.refund_outcomes import results

        return results(refund)

    def _shared_refunds(self, key: str) -> Refunds:
        from connectors.stripe.refunds import Refunds

        with self._lock:
            if self._refunds is None:
                self._refunds = Refunds(build_client(key, self._api_base, read_timeout=self._read_timeout))
            return self._refunds


__all__ = ["RefundParameters", "StripeRefunding"]
