"""From what Stripe says of a refund to what the engine commits, as pure functions.

A refund that the bank has yet to take (`pending`) is done for the diagram; how it ended is looked up later. What Stripe left open
is Unknown and stays with its row until somebody knows.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from connectors.stripe.amounts import to_stripe
from connectors.stripe.answers import Failure, Trouble
from connectors.stripe.outcomes import OTHER_ACCOUNT, limited
from engine.connector import BusinessError, Completed, Fatal, RefundResult, RefundStanding, RefundState, Unknown
from engine.model.moment import format_moment
from engine.model.money import format_money

if TYPE_CHECKING:
    from connectors.stripe.refunds import StripeRefund
    from engine.connector import Outcome, Refund, Value

REFUND_REFUSED = "refund_refused"
"""The BPMN error code of a refund that can't be made."""

_BAD_REQUEST = 400
_NO_SUCH = "resource_missing"
_STATES = MappingProxyType(
    {
        "succeeded": RefundState.SUCCEEDED,
        "failed": RefundState.FAILED,
        "canceled": RefundState.CANCELED,
        "pending": RefundState.PENDING,
        "requires_action": RefundState.PENDING,
    }
)


def state_of(status: str) -> RefundState:
    """A refund's status at Stripe in the ledger's words. One of a later version is one on its way."""
    return _STATES.get(status, RefundState.PENDING)


def standing(found: StripeRefund) -> RefundStanding:
    """How a refund stands, in the ledger's words."""
    return RefundStanding(state_of(found.status), found.failure)


def results(row: Refund) -> dict[str, Value]:
    """The outputs of a refund that was made, those that its row has. The amount is in minor units."""
    at = format_moment(row.refunded_at) if row.refunded_at is not None else None
    known = {"refund_id": row.refund, "amount": row.amount, "currency": row.request.currency, "refunded_at": at}
    return {name: value for name, value in known.items() if value is not None}


def judge(row: Refund, found: StripeRefund) -> Outcome:
    """What the row's refund, as it was found at Stripe, means."""
    wanted = (to_stripe(row.amount, row.request.currency), row.request.currency, row.intent)
    if wanted != (found.amount, found.currency, found.intent):
        return Fatal(
            f"Expected {found.id} to give {_described(*wanted)} back, as the ledger says, but at Stripe it is "
            f"{_described(found.amount, found.currency, found.intent)}. Do: find out who made it, then resolve this."
        )
    now = standing(found)
    result = RefundResult(row.refund_key, now.state, found.id, now.problem, found.created_at if now.state.gives_back else None)
    if now.state.is_void:
        why = f", because of {now.problem}" if now.problem else ""
        return refused(f"Expected Stripe to give {_money(row)} back, but {found.id} is {now.state} there{why}.", result)
    return Completed(results(replace(row, refund=found.id, refunded_at=found.created_at)), refund=result)


def refused(reason: str, result: RefundResult | None = None) -> BusinessError:
    """It can't be made: nothing was given back. `reason` may be shown to anyone."""
    said = reason if " Do: " in reason else f"{reason} Do: pay it back in another way, or ask for another refund."
    return BusinessError(REFUND_REFUSED, said, refund=result)


def not_found(row: Refund) -> Outcome:
    """Stripe shows no such refund, though the ledger says how it ended."""
    if row.state.is_void:
        return refused(f"Expected Stripe to give {_money(row)} back, but it didn't: {row.problem or row.state}.")
    return Fatal(
        f"Expected Stripe to have the refund {row.refund or row.refund_key}, as the ledger says, but {row.intent} has none such. "
        "Do: look at it in Stripe's dashboard; this worker's key may be another account's."
    )


def unknown(row: Refund, why: str) -> Unknown:
    """Nobody knows yet whether money was given back."""
    return Unknown(
        f"Expected to know how the refund {row.refund_key} of {_money(row)} to {row.request.customer} for {row.request.period} "
        f"ended, but {why}. Do: nothing yet; it is looked up again, and after the last look-up a person is called.",
        refund=RefundResult(row.refund_key, RefundState.UNKNOWN, problem=why),
    )


def after_list(row: Refund, failure: Failure) -> Outcome:
    """The refunds of the intent could not be looked at: what was in doubt stays so."""
    if failure.trouble is Trouble.LIMITED:  # the row stays as it is
        return limited(failure)
    return unknown(row, failure.text + OTHER_ACCOUNT * (failure.trouble is Trouble.REFUSED))


def after_create(row: Refund, failure: Failure, *, resent: bool) -> Outcome:
    """The request that moves money failed: only a limit, and a refusal of the first sending, say that it moved none.

    A refusal of what was sent before says nothing about that sending, so it stays in doubt.
    """
    if failure.trouble is Trouble.LIMITED:  # the row stays SUBMITTING, so the next run looks before it sends
        return limited(failure)
    if failure.trouble is not Trouble.REFUSED or resent:
        return unknown(row, failure.text)
    if failure.status == _BAD_REQUEST and failure.code != _NO_SUCH:
        result = RefundResult(row.refund_key, RefundState.FAILED, problem=failure.text)
        return refused(f"Expected Stripe to give {_money(row)} back, but it says: {failure.text}.", result)
    return Fatal(
        f"Expected Stripe to accept the request, but it says: {failure.text}. Do: correct it at Stripe, or the worker's key, and "
        "retry.",
        refund=RefundResult(row.refund_key, RefundState.PREPARED, problem=failure.text),
    )


def _described(amount: int, currency: str, intent: str | None) -> str:
    return f"{amount} {currency} (in Stripe's units) of {intent or 'no payment'}"


def _money(row: Refund) -> str:
    return f"{format_money(row.amount, row.request.currency)} {row.request.currency}"
