"""The connector `stripe.settle`: a bill was paid otherwise, as by bank transfer, so its card must not be charged any more.

The payment that was begun at Stripe is cancelled first; then the ledger holds the bill as succeeded without a payment, with who
said so and how it was paid. From then on nothing can charge it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from connectors.stripe.charge import BillParameters, bill_of
from engine.connector import ChargeResult, ChargeState, Closed, Completed, Fatal, NoAnswer, Retryable, StillOpen, Taken
from engine.errors import ConfigurationInvalid, DataRefused
from engine.model.moment import format_moment
from engine.model.money import format_money

if TYPE_CHECKING:
    from engine.connector import Charge, ChargeKeeper, ChargeRequest, JobContext, JobRequest, Outcome, Permits


class SettleParameters(BillParameters):
    """The parameters of `stripe.settle`."""

    how: str = Field(
        title="How it was paid",
        description="How and when the customer paid; it stays in the ledger.",
        min_length=1,
        max_length=10_000,
    )
    settled_by: str = Field(title="Settled by", description="Who confirmed the payment, for the ledger.", min_length=1)


class StripeSettling:
    """Settles one bill per job. It does as often as it is asked what it did the first time."""

    topic: str = "stripe.settle"
    title: str = "Settle a bill that was paid otherwise"
    summary: str = "Cancels the payment that was begun at Stripe and records that the bill is paid, as by bank transfer."
    parameters: type[BaseModel] = SettleParameters
    outputs: Mapping[str, str] = MappingProxyType({"settled_at": "When it was recorded, ISO 8601 in UTC."})
    errors: Mapping[str, str] = MappingProxyType({})

    def __init__(self, keeper: Callable[[Permits], ChargeKeeper | None]) -> None:
        """`keeper` gives what cancels payments, as `StripeCharge.keeper` does."""
        self._keeper = keeper

    def run(self, request: JobRequest, context: JobContext) -> Outcome:
        """Settle the bill. LeaseLost from the ledger passes through."""
        parameters = request.parameters
        assert isinstance(parameters, SettleParameters)
        try:
            keeper = self._keeper(context.permits)
            if keeper is None:
                raise ConfigurationInvalid(
                    "Expected a secret key for Stripe, to make sure that the card isn't charged as well, but there is none. "
                    "Do: set RUN_PROCESS_STRIPE_KEY."
                )
            bill = bill_of(request, livemode=keeper.livemode)
        except (ConfigurationInvalid, DataRefused) as error:
            return Fatal(str(error))
        row = context.ledger.prepare(bill)
        stopped = _refusal(row, bill) or _made_sure(row, keeper)
        if stopped is not None:
            return stopped
        if row.intent is not None or row.request != bill:
            row = context.ledger.replace_intent(bill, row.intent)
            if (row.request, row.state, row.intent) != (bill, ChargeState.PREPARED, None):
                return _overtaken(row)
        now = context.clock.now()
        reason = f"settled by {parameters.settled_by}: {parameters.how}"
        result = ChargeResult(bill.charge_key, ChargeState.SUCCEEDED, reason, now, row.generation, row.attempt)
        return Completed({"settled_at": format_moment(now)}, result)

    def bill(self, request: JobRequest, *, livemode: bool) -> ChargeRequest:
        """See PaysBills."""
        return bill_of(request, livemode=livemode)


def _refusal(row: Charge, bill: ChargeRequest) -> Fatal | None:
    """Why a bill can't be settled otherwise; None where it can."""
    if row.request.livemode != bill.livemode:
        return Fatal(
            f"Expected a {'live' if row.request.livemode else 'test'} key, with which {bill.charge_key} was begun, "
            "but this one is of the other mode. Do: use that key, or another database."
        )
    if row.state is ChargeState.SUCCEEDED:
        return Fatal(
            f"Expected {bill.charge_key} not to be paid yet, but the ledger says that it was. Do: give one of the two payments "
            "back; then run-process resolve --done."
        )
    return None


def _made_sure(row: Charge, keeper: ChargeKeeper) -> Fatal | Retryable | None:
    """None once the payment that was begun can take nothing any more, or none was begun; else why not."""
    if row.intent is None:
        return None
    match keeper.close(row.intent):
        case Closed():
            return None
        case Taken(amount, currency, charged_at):
            return Fatal(
                f"Expected {row.request.charge_key} to be paid otherwise, but {row.intent} took {format_money(amount, currency)} "
                f"{currency} from the card as well. Do: give one of the two payments back; then run-process resolve --done.",
                ChargeResult(row.request.charge_key, ChargeState.SUCCEEDED, charged_at=charged_at),
            )
        case StillOpen(reason) | NoAnswer(reason):
            return Retryable(f"Expected to cancel {row.intent} at Stripe, but: {reason}. Do: nothing yet; it is tried again.")


def _overtaken(row: Charge) -> Retryable:
    return Retryable(
        f"Expected to be alone with the charge of {row.request.charge_key}, but it was moved on to {row.state}. "
        "Do: nothing yet; it is looked at again."
    )


__all__ = ["SettleParameters", "StripeSettling"]
