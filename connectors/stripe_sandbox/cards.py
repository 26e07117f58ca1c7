"""Stripe's documented test cards, as data: what each one does when it is attached, charged and authenticated.

Follows https://docs.stripe.com/testing (cards by brand, declined payments, authentication and set-up),
https://docs.stripe.com/declines/codes (decline codes) and https://docs.stripe.com/declines/card (advice codes).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final


class Authentication(Enum):
    """When the bank asks the customer, https://docs.stripe.com/testing#regulatory-cards."""

    NEVER = "never"
    ALWAYS = "always"
    UNLESS_SET_UP = "unless_set_up"  # off-session payments pass after the card was set up; on-session ones always ask
    ON_SESSION = "on_session"  # as if set up before: off-session payments pass


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a card says no. `decline_code` is absent where Stripe sends none."""

    code: str
    message: str
    decline_code: str | None = None
    advice_code: str | None = None
    param: str | None = None
    blocked: bool = False

    def error(self) -> dict[str, Any]:
        """The fields of the error object, https://docs.stripe.com/api/errors."""
        fields = {"type": "card_error", "code": self.code, "message": self.message, "param": self.param}
        return fields | {"decline_code": self.decline_code, "advice_code": self.advice_code}


@dataclass(frozen=True, slots=True)
class TestCard:
    """One test card. `attachable` says whether a customer can keep it."""

    __test__ = False  # not a test, whatever its name begins with

    last4: str
    brand: str = "visa"
    funding: str = "credit"
    decline: Decline | None = None
    attachable: bool = True
    authentication: Authentication = Authentication.NEVER


def _declined(decline_code: str, advice: str) -> Decline:
    return Decline("card_declined", "Your card was declined.", decline_code, advice)


_RETRY, _NEVER, _CONFIRM = "try_again_later", "do_not_try_again", "confirm_card_data"
_GENERIC: Final = _declined("generic_decline", _RETRY)
_FUNDS: Final = Decline("card_declined", "Your card has insufficient funds.", "insufficient_funds", _RETRY)
AUTHENTICATION_REQUIRED: Final = Decline(
    "authentication_required", "This payment needs the customer to authenticate it.", "authentication_required"
)
AUTHENTICATION_NOT_HANDLED: Final = Decline(
    "authentication_required", "The payment was set to fail where authentication is needed.", "authentication_not_handled"
)
AUTHENTICATION_FAILED: Final = Decline("payment_intent_authentication_failure", "The customer could not be authenticated.")

_REFUSED: Final = {
    "chargeDeclined": TestCard("0002", decline=_GENERIC, attachable=False),
    "chargeDeclinedInsufficientFunds": TestCard("9995", decline=_FUNDS, attachable=False),
    "chargeDeclinedLostCard": TestCard("9987", decline=_declined("lost_card", _NEVER), attachable=False),
    "chargeDeclinedStolenCard": TestCard("9979", decline=_declined("stolen_card", _NEVER), attachable=False),
    "chargeDeclinedVelocityLimitExceeded": TestCard(
        "6975", decline=_declined("card_velocity_exceeded", _RETRY), attachable=False
    ),
    "chargeDeclinedExpiredCard": TestCard(
        "0069", decline=Decline("expired_card", "Your card has expired.", None, _CONFIRM, "exp_month"), attachable=False
    ),
    "chargeDeclinedIncorrectCvc": TestCard(
        "0127", decline=Decline("incorrect_cvc", "Your card's security code is wrong.", None, _CONFIRM, "cvc"), attachable=False
    ),
    "chargeDeclinedProcessingError": TestCard(
        "0119",
        decline=Decline("processing_error", "An error occurred while processing the card.", None, _RETRY),
        attachable=False,
    ),
    "chargeDeclinedFraudulent": TestCard(
        "0019", decline=Decline("card_declined", "Your card was declined.", "fraudulent", _NEVER, None, True), attachable=False
    ),
}
_TAKEN: Final = {
    "visa": TestCard("4242"),
    "visa_debit": TestCard("5556", funding="debit"),
    "mastercard": TestCard("4444", "mastercard"),
    "mastercard_debit": TestCard("8210", "mastercard", "debit"),
    "mastercard_prepaid": TestCard("5100", "mastercard", "prepaid"),
    "amex": TestCard("8431", "amex"),
    "discover": TestCard("9424", "discover"),
    "diners": TestCard("0004", "diners"),
    "jcb": TestCard("0505", "jcb"),
    "unionpay": TestCard("0005", "unionpay"),
    "chargeCustomerFail": TestCard("0341", decline=_GENERIC),
    "authenticationRequired": TestCard("3184", authentication=Authentication.ALWAYS),
    "authenticationRequiredOnSetup": TestCard("3155", authentication=Authentication.UNLESS_SET_UP),
    "authenticationRequiredSetupForOffSession": TestCard("0446", authentication=Authentication.ON_SESSION),
    "authenticationRequiredChargeDeclinedInsufficientFunds": TestCard(
        "3178", decline=_FUNDS, authentication=Authentication.ON_SESSION
    ),
    "threeDSecure2Required": TestCard("3220", authentication=Authentication.ALWAYS),
}


def _named() -> dict[str, TestCard]:
    cards = {f"pm_card_{name}": card for name, card in {**_TAKEN, **_REFUSED}.items()}
    # the documentation names the declines of Visa cards in both ways
    cards |= {f"pm_card_visa_{name}": card for name, card in _REFUSED.items()}
    return cards | {"pm_card_radarBlock": _REFUSED["chargeDeclinedFraudulent"]}


CARDS: Final = MappingProxyType(_named())
"""`pm_card_...` -> what that card does."""
