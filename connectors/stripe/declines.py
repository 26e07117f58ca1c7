"""Declined cards: what operators and customers are told, which attempts may be repeated, and how often.

Codes follow https://docs.stripe.com/declines/codes, advice https://docs.stripe.com/declines/card.
"""

from __future__ import annotations

CARD_DECLINED = "card_declined"
"""The BPMN error code of a charge that takes a person: the card was refused for good, there is none, or no attempt is left."""
CARD_DECLINED_FOR_NOW = "card_declined_for_now"
"""The BPMN error code of a soft decline after which the same card may be tried again some days later."""
AUTHENTICATION_REQUIRED = "authentication_required"
"""Both Stripe's code and the BPMN error code: the customer must confirm the payment in person."""

NO_PAYMENT_METHOD = "no_payment_method"
ATTEMPTS_EXHAUSTED = "attempts_exhausted"
CANCELED = "canceled"
UNUSABLE = "payment_method_unusable"
"""The card was detached from the customer, or is somebody else's."""
UNEXPLAINED = "unexplained"

MOST_ATTEMPTS = 4
"""How often one bill's card is asked: card networks cap the attempts at one payment."""

_HARD = frozenset(
    {
        *("lost_card", "stolen_card", "pickup_card", "fraudulent", "expired_card", "incorrect_number", "invalid_account"),
        *("restricted_card", "revocation_of_authorization", "stop_payment_order", "card_not_supported"),
        *("currency_not_supported", "do_not_try_again", UNUSABLE),
    }
)
"""Decline codes, one advice code and one reason of ours, after which the same card is not asked again."""

_SOFT = frozenset(
    {
        *("insufficient_funds", "processing_error", "issuer_not_available", "try_again_later", "reenter_transaction"),
        *("card_velocity_exceeded", "generic_decline", "do_not_honor"),
    }
)
"""Decline codes, and one advice code, that may pass by themselves."""
_ASK_THE_CUSTOMER = "confirm_card_data"
"""The advice that the card's data are wrong: time doesn't mend them."""


def reason_of(code: str | None, decline_code: str | None, advice_code: str | None) -> str:
    """What operators and the ledger keep of a decline: the most telling code, with the issuer's advice where there is some."""
    told = decline_code or code or UNEXPLAINED
    return f"{told}/{advice_code}" if advice_code else told


def is_final(reason: str | None) -> bool:
    """Whether a reason from `reason_of` rules out another attempt with the same card."""
    return reason is not None and not _HARD.isdisjoint(reason.split("/"))


def may_pass(reason: str) -> bool:
    """Whether a reason from `reason_of` is a soft decline, so that the card may be tried again without anybody's doing.

    Only what is known to pass: a code that isn't known here takes a person, who may try the same card all the same.
    """
    parts = set(reason.split("/"))
    return bool(parts & _SOFT) and not parts & _HARD and _ASK_THE_CUSTOMER not in parts


def message_for(reason: str) -> str:
    """What anyone may be told. Why a bank declines is between the bank and its customer: never lost, stolen or fraudulent."""
    return {
        NO_PAYMENT_METHOD: "There is no card on file. Do: ask the customer for one, then retry.",
        ATTEMPTS_EXHAUSTED: "The card was declined at every attempt, and card networks allow no more for one charge. "
        "Do: agree with the customer on another way to pay.",
        CANCELED: "The charge was cancelled at Stripe before it was taken.",
        AUTHENTICATION_REQUIRED: "The bank wants the customer to confirm this payment in person.",
    }.get(reason, "The card was declined.")
