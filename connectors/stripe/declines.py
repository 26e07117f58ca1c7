"""Declined cards: what operators and customers are told, and which cards are not worth another attempt.

Codes follow https://docs.stripe.com/declines/codes.
"""

from __future__ import annotations

CARD_DECLINED = "card_declined"
"""The BPMN error code of a charge that the card refused."""
AUTHENTICATION_REQUIRED = "authentication_required"
"""Both Stripe's code and the BPMN error code: the customer must confirm the payment in person."""

NO_PAYMENT_METHOD = "no_payment_method"
ATTEMPTS_EXHAUSTED = "attempts_exhausted"
CANCELED = "canceled"
UNUSABLE = "payment_method_unusable"
"""The card was detached from the customer, or is somebody else's."""
UNEXPLAINED = "unexplained"

_HARD = frozenset(
    {
        *("lost_card", "stolen_card", "pickup_card", "fraudulent", "expired_card", "incorrect_number", "invalid_account"),
        *("restricted_card", "revocation_of_authorization", "stop_payment_order", "card_not_supported"),
        *("currency_not_supported", "do_not_try_again", UNUSABLE),
    }
)
"""Decline codes, one advice code and one reason of ours, after which the same card is not asked again."""


def reason_of(code: str | None, decline_code: str | None, advice_code: str | None) -> str:
    """What operators and the ledger keep of a decline: the most telling code, with the issuer's advice where there is some."""
    told = decline_code or code or UNEXPLAINED
    return f"{told}/{advice_code}" if advice_code else told


def is_final(reason: str | None) -> bool:
    """Whether a reason from `reason_of` rules out another attempt with the same card."""
    return reason is not None and not _HARD.isdisjoint(reason.split("/"))


def message_for(reason: str) -> str:
    """What anyone may be told. Why a bank declines is between the bank and its customer: never lost, stolen or fraudulent."""
    return {
        NO_PAYMENT_METHOD: "There is no card on file. Do: ask the customer for one, then retry.",
        ATTEMPTS_EXHAUSTED: "The card was declined at every attempt, and card networks allow no more for one charge.",
        CANCELED: "The charge was cancelled at Stripe before it was taken.",
        AUTHENTICATION_REQUIRED: "The bank wants the customer to confirm this payment in person.",
    }.get(reason, "The card was declined.")
