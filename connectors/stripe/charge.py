"""The connector `stripe.charge`: takes one bill's amount from the customer's card, at most once.

The Stripe SDK is imported by the first job: checking diagrams needs only the schemas below.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from connectors.stripe.amounts import check_limits
from connectors.stripe.client import build_client, check_key, is_live
from connectors.stripe.rate import permit
from engine.connector import ChargeRequest, Fatal
from engine.errors import ConfigurationInvalid, DataRefused

if TYPE_CHECKING:
    from connectors.stripe.intents import Intents
    from engine.connector import ChargeKeeper, ChargeRecords, JobContext, JobRequest, Outcome, Permits

_READ_TIMEOUT = 30.0  # seconds without an answer


def _whole(value: object) -> object:
    if isinstance(value, bool | float):
        raise ValueError("Expected whole minor units, but found something else. Do: pass a data item of the type money.")
    return value


class BillParameters(BaseModel):
    """What a bill comes to, and who pays it: the same for whatever is done about one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: Annotated[int, BeforeValidator(_whole)] = Field(
        title="Amount", description="What to charge, in minor units of the currency; above zero."
    )
    currency: str = Field(title="Currency", description="The currency by ISO 4217, as in USD.", pattern=r"^[A-Z]{3}$")
    stripe_customer: str = Field(
        title="Stripe customer", description="The customer's id at Stripe.", pattern=r"^cus_[A-Za-z0-9_]{1,250}$"
    )
    approved_by: str | None = Field(
        default=None, title="Approved by", description="Who approved the amount, for the charge ledger."
    )


class ChargeParameters(BillParameters):
    """The parameters of `stripe.charge`."""

    description: str = Field(title="Description", description="What Stripe's dashboard shows.", min_length=1, max_length=500)


class StripeCharge:
    """Charges one bill per job, by the protocol in `protocol.py`. One client serves all threads."""

    topic: str = "stripe.charge"
    title: str = "Charge a card"
    summary: str = (
        "Takes one bill's amount from the customer's saved card through Stripe, at most once for each customer and period."
    )
    intent_output: str = "payment_intent"
    parameters: type[BaseModel] = ChargeParameters
    outputs: Mapping[str, str] = MappingProxyType(
        {
            "payment_intent": "The PaymentIntent's id at Stripe.",
            "amount": "What was charged, in minor units of the currency.",
            "currency": "The currency by ISO 4217.",
            "charged_at": "When Stripe charged it, ISO 8601 in UTC.",
        }
    )
    errors: Mapping[str, str] = MappingProxyType(
        {
            "card_declined": "The card was declined for good, there is no card, or all attempts are used up. Nothing was taken.",
            "card_declined_for_now": "The card was declined, and may be tried again some days later. Nothing was taken.",
            "authentication_required": "The bank wants the customer to confirm the payment in person. Nothing was taken.",
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
        """`api_base` is Stripe's own address if None. `live` says that real money is meant. `read_timeout` is in seconds.
        `rate` is how many requests a second may be sent; None: as many as Stripe allows.

        Nothing is checked here: a missing or unsuitable key is reported by the first job.
        """
        self._api_key = api_key
        self._api_base = api_base
        self._live = live
        self._read_timeout = read_timeout
        self._rate = rate
        self._lock = threading.Lock()
        self._intents: Intents | None = None

    def run(self, request: JobRequest, context: JobContext) -> Outcome:
        """Charge, or find out what became of an earlier run. LeaseLost from the ledger passes through."""
        parameters = request.parameters
        assert isinstance(parameters, ChargeParameters)
        try:
            key = check_key(self._api_key, self._api_base, live=self._live)
            charge = bill_of(request, livemode=is_live(key))
            check_limits(parameters.amount, parameters.currency)
        except (ConfigurationInvalid, DataRefused) as error:
            return Fatal(str(error))
        from connectors.stripe.protocol import ChargeRun

        intents = self._shared_intents(key).paced(permit(context.permits, key, self._rate))
        return ChargeRun(intents, context.ledger, charge, parameters.description).run()

    def bill(self, request: JobRequest, *, livemode: bool) -> ChargeRequest:
        """See PaysBills."""
        return bill_of(request, livemode=livemode)

    def keeper(self, permits: Permits) -> ChargeKeeper | None:
        """What closes intents that were given up; None without a key. Raises ConfigurationInvalid for an unsuitable one."""
        if not self._api_key:
            return None
        key = check_key(self._api_key, self._api_base, live=self._live)
        from connectors.stripe.keeper import StripeKeeper
        from connectors.stripe.refunds import Refunds

        intents, paced = self._shared_intents(key), permit(permits, key, self._rate)
        return StripeKeeper(intents.paced(paced), Refunds(intents.client).paced(paced), livemode=is_live(key))

    def records(self, permits: Permits) -> ChargeRecords | None:
        """What the ledger is compared with; None without a key. Raises ConfigurationInvalid for an unsuitable one."""
        if not self._api_key:
            return None
        key = check_key(self._api_key, self._api_base, live=self._live)
        from connectors.stripe.records import StripeRecords

        return StripeRecords(self._shared_intents(key).client, permit(permits, key, self._rate), livemode=is_live(key))

    def _shared_intents(self, key: str) -> Intents:
        from connectors.stripe.intents import Intents

        with self._lock:
            if self._intents is None:
                self._intents = Intents(build_client(key, self._api_base, read_timeout=self._read_timeout))
            return self._intents


def bill_of(request: JobRequest, *, livemode: bool) -> ChargeRequest:
    """The bill that a job is about, as the ledger keeps it. Raises DataRefused where its process has none."""
    parameters = request.parameters
    assert isinstance(parameters, BillParameters)
    if request.customer is None or request.period is None:
        raise DataRefused(
            f"Expected a bill to charge for, but {request.process} names no customer and period. "
            "Do: add bill: to its carry-over map, so that nobody is charged twice for one period."
        )
    return ChargeRequest(
        charge_key=f"{request.process}|{request.customer}|{request.period}",
        process=request.process,
        customer=request.customer,
        period=request.period,
        instance=request.instance,
        amount=parameters.amount,
        currency=parameters.currency,
        stripe_customer=parameters.stripe_customer,
        approved_by=parameters.approved_by,
        livemode=livemode,
    )


__all__ = ["BillParameters", "ChargeParameters", "StripeCharge", "bill_of"]
