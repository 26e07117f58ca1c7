"""From what Stripe says to what the engine commits: the outcomes of a charge, as pure functions.

Only `succeeded` is money. What Stripe left open is Unknown and stays with its row until somebody knows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connectors.stripe.amounts import to_stripe
from connectors.stripe.declines import (
    ATTEMPTS_EXHAUSTED,
    AUTHENTICATION_REQUIRED,
    CANCELED,
    CARD_DECLINED,
    CARD_DECLINED_FOR_NOW,
    MOST_ATTEMPTS,
    UNEXPLAINED,
    may_pass,
    message_for,
)
from connectors.stripe.intents import Failure, Intent, Trouble
from engine.connector import BusinessError, ChargeResult, ChargeState, Completed, Fatal, Retryable, Unknown
from engine.model.moment import format_moment
from engine.model.money import format_money

if TYPE_CHECKING:
    from engine.connector import Charge, ChargeRequest, Outcome

_SHORTLY = timedelta(seconds=3)
OTHER_ACCOUNT = " (this worker's key may be another account's)"


def judge(row: Charge, intent: Intent) -> Outcome | None:
    """What an intent's state means for its row; None where it waits to be confirmed.

    One that is over is over whatever else it says: so a person can end a mismatch by cancelling it at Stripe.
    """
    different = None if intent.over else mismatch(row.request, intent)
    if different is not None:
        return different
    if row.state is ChargeState.SUCCEEDED and intent.status != "succeeded":
        return Fatal(
            f"Expected {intent.id} to be succeeded, as the ledger says, but Stripe says {intent.status}. "
            "Do: look at it in Stripe's dashboard before anything else is charged."
        )
    match intent.status:
        case "succeeded":
            return completed(row, intent)
        case "requires_action":
            return needs_customer(row)
        case "canceled" if intent.over:
            return declined(row, CANCELED, ChargeState.CANCELED)
        case "requires_payment_method" | "requires_confirmation":
            return None
        case status:  # processing, requires_capture, and what later versions may add
            return unknown(row, f"{intent.id} is {status} at Stripe")


def mismatch(request: ChargeRequest, intent: Intent) -> Fatal | None:
    """Fatal where an intent isn't the one that the ledger's row describes."""
    wanted = (to_stripe(request.amount, request.currency), request.currency, request.stripe_customer, request.livemode)
    found = (intent.amount, intent.currency, intent.customer, intent.livemode)
    if intent.status == "succeeded" and intent.received != intent.amount:
        found = (intent.received, *found[1:])
    if wanted == found:
        return None
    return Fatal(
        f"Expected {intent.id} to be {_described(*wanted)}, as the ledger says, but at Stripe it is {_described(*found)}. "
        "Do: find out who changed it before anything else is charged; to begin anew, cancel it at Stripe and retry."
    )


def completed(row: Charge, intent: Intent) -> Completed:
    """The money was taken. `charged_at` is Stripe's time."""
    assert intent.charged_at is not None
    return Completed(
        {
            "payment_intent": intent.id,
            "amount": row.request.amount,
            "currency": row.request.currency,
            "charged_at": format_moment(intent.charged_at),
        },
        _result(row, ChargeState.SUCCEEDED, charged_at=intent.charged_at),
    )


def attempted(row: Charge, reason: str | None) -> BusinessError:
    """The attempt failed for `reason`: the customer has to be there, the card may be tried again later, or a person is needed."""
    reason = reason or UNEXPLAINED
    if AUTHENTICATION_REQUIRED in reason.split("/"):
        return needs_customer(row)
    result = _result(row, ChargeState.DECLINED, reason)
    if row.attempt >= MOST_ATTEMPTS:
        return BusinessError(CARD_DECLINED, message_for(ATTEMPTS_EXHAUSTED), result)
    if may_pass(reason):
        return BusinessError(CARD_DECLINED_FOR_NOW, message_for(reason), result, general=CARD_DECLINED)
    return BusinessError(CARD_DECLINED, message_for(reason), result)


def declined(row: Charge, reason: str, state: ChargeState = ChargeState.DECLINED) -> BusinessError:
    """No attempt can be made. The ledger keeps why; the message says only what anyone may know."""
    return BusinessError(CARD_DECLINED, message_for(reason), _result(row, state, reason))


def needs_customer(row: Charge) -> BusinessError:
    """The customer must come back and confirm the payment in person."""
    result = _result(row, ChargeState.REQUIRES_ACTION, AUTHENTICATION_REQUIRED)
    return BusinessError(AUTHENTICATION_REQUIRED, message_for(AUTHENTICATION_REQUIRED), result)


def unknown(row: Charge, why: str) -> Unknown:
    """Nobody knows yet whether money was taken."""
    return Unknown(
        f"Expected to know how the charge of {row.request.charge_key} ended, but {why}. "
        "Do: nothing yet; it is looked up again, and after the last look-up a person is called.",
        _result(row, ChargeState.UNKNOWN, why),
    )


def already_charged(row: Charge, request: ChargeRequest, found: Intent | None = None) -> Fatal:
    """The bill was charged for another instance or amount: charging again is never right. `found` is the intent that shows it,
    where the ledger doesn't know yet.
    """
    return Fatal(
        f"Expected nothing charged yet for {request.charge_key}, but instance {row.request.instance} was charged "
        f"{_money(row.request)} for it. Do: not charge {_money(request)} again; settle the difference by a refund or next month.",
        None if found is None else _result(row, ChargeState.SUCCEEDED, charged_at=found.charged_at),
    )


def after_create(failure: Failure) -> Outcome:
    """A request that can't move money failed (create, cancel, update): it may be made again, unless it is wrong in itself."""
    if failure.trouble in (Trouble.REFUSED, Trouble.CARD):
        return _refused(failure)
    if failure.trouble is Trouble.LIMITED:
        return limited(failure)
    return Retryable(f"Expected Stripe to accept the request, but: {failure.text}. Do: nothing yet; it is tried again.")


def after_retrieve(row: Charge, failure: Failure) -> Outcome:
    """The intent could not be looked at: what was in doubt stays so."""
    if failure.trouble is Trouble.LIMITED:  # the row stays as it is, in doubt or not
        return limited(failure)
    if row.state.in_doubt:
        return unknown(row, failure.text + OTHER_ACCOUNT * (failure.trouble is Trouble.REFUSED))
    if failure.trouble is Trouble.REFUSED:
        return _refused(failure)
    return Retryable(f"Expected Stripe to show {row.intent}, but: {failure.text}. Do: nothing yet; it is tried again.")


def after_confirm(row: Charge, failure: Failure, *, resent: bool) -> Outcome:
    """The request that moves money failed: only a decline, a limit and a refusal say that this request took nothing.

    A refusal of the first sending ends the attempt. One of an attempt that was sent before says nothing about that sending, so
    it stays in doubt.
    """
    match failure.trouble:
        case Trouble.CARD:
            return attempted(row, failure.decline)
        case Trouble.LIMITED:  # the row stays CONFIRMING, so the next run looks before it sends
            return limited(failure)
        case Trouble.REFUSED if not resent:
            return _refused(failure, _result(row, ChargeState.CREATED, failure.text))
        case _:
            return unknown(row, failure.text)


def _result(row: Charge, state: ChargeState, reason: str | None = None, charged_at: datetime | None = None) -> ChargeResult:
    """How the attempt that `row` holds ended."""
    return ChargeResult(row.request.charge_key, state, reason, charged_at, row.generation, row.attempt)


def limited(failure: Failure) -> Retryable:
    """Stripe had too many requests, or the object was busy (https://docs.stripe.com/rate-limits): it didn't take this one."""
    said = f"Expected Stripe to have time for the request, but: {failure.text}. Do: nothing yet; it is tried again."
    return Retryable(said, _SHORTLY, counts=False)


def _refused(failure: Failure, charge: ChargeResult | None = None) -> Fatal:
    return Fatal(
        f"Expected Stripe to accept the request, but it says: {failure.text}. Do: correct it at Stripe and retry; what this "
        "instance was started with stays, so else cancel it and start the period anew.",
        charge,
    )


def _described(amount: int, currency: str, customer: str, livemode: bool) -> str:
    return f"{amount} {currency} (in Stripe's units) of {customer} in {'live' if livemode else 'test'} mode"


def _money(request: ChargeRequest) -> str:
    return f"{format_money(request.amount, request.currency)} {request.currency}"
