"""Confirming a PaymentIntent: the attempt that takes the money, or not.

    requires_confirmation ──> succeeded | requires_capture | requires_action | processing
                          └─> requires_payment_method, answered with 402: the card said no

Follows https://docs.stripe.com/payments/paymentintents/lifecycle,
https://docs.stripe.com/api/payment_intents/confirm (off_session, error_on_requires_action, return_url),
https://docs.stripe.com/payments/save-and-reuse (off-session payments) and https://docs.stripe.com/declines.
"""

from __future__ import annotations

from typing import Any

from connectors.stripe_sandbox import charges, payment_methods
from connectors.stripe_sandbox.cards import (
    AUTHENTICATION_FAILED,
    AUTHENTICATION_NOT_HANDLED,
    AUTHENTICATION_REQUIRED,
    Authentication,
    Decline,
)
from connectors.stripe_sandbox.refusals import ApiRefused, CardRefused, ParameterRefused
from connectors.stripe_sandbox.state import Context, Record, public


def check(context: Context, intent: Record, params: dict[str, Any]) -> None:
    """Refuses an attempt that cannot be made at all; changes nothing."""
    if intent["payment_method"] is None:
        raise ApiRefused(
            400,
            f"Expected a payment method, but {intent['id']} has none. Do: confirm with payment_method.",
            code="payment_intent_unexpected_state",
            payment_intent=public(intent),
        )
    # the card may have been detached or used since it was put on the intent
    payment_methods.usable(context, intent["payment_method"], intent["customer"])
    usage = params.get("setup_future_usage") or intent["setup_future_usage"]
    if usage and params.get("off_session"):
        raise ParameterRefused("Expected no setup_future_usage off-session. Do: leave it out.", "setup_future_usage")
    if usage and intent["customer"] is None:
        raise ParameterRefused("Expected a customer to keep the card for, but there is none. Do: send customer.", "customer")
    redirects = (intent["automatic_payment_methods"] or {}).get("allow_redirects") == "always"
    if redirects and not params.get("off_session") and not params.get("return_url"):
        raise ParameterRefused(
            "Expected a return_url, because the customer may be redirected. Do: send it, or allow cards only.",
            "return_url",
        )


def attempt(context: Context, intent: Record, params: dict[str, Any]) -> Record:
    """Try to take the money. Raises CardRefused when the card says no; the intent then needs another payment method."""
    card = context.find("payment_method", intent["payment_method"])
    off_session = bool(params.get("off_session"))
    if _bank_asks(card, off_session):
        if off_session:
            _fail(context, intent, card, AUTHENTICATION_REQUIRED)
        if params.get("error_on_requires_action"):
            _fail(context, intent, card, AUTHENTICATION_NOT_HANDLED)
        return _ask(context, intent, params.get("return_url"))
    return _take(context, intent, card)


def authenticate(context: Context, intent: Record, succeeds: bool) -> Record:
    """The customer comes back from the bank, https://docs.stripe.com/payments/3d-secure. Never raises CardRefused: the
    answer went to the customer's browser, the seller learns it from the intent or from events.
    """
    if intent["status"] != "requires_action":
        raise ApiRefused(400, f"Expected an intent that is requires_action, but {intent['id']} is {intent['status']}.")
    card = context.find("payment_method", intent["payment_method"])
    intent["next_action"] = None
    try:
        if not succeeds:
            _fail(context, intent, card, AUTHENTICATION_FAILED)
        return _take(context, intent, card)
    except CardRefused:
        return intent


def settle(context: Context, intent: Record, succeeds: bool) -> Record:
    """The card network's late answer to an intent that is `processing`."""
    if intent["status"] != "processing":
        raise ApiRefused(400, f"Expected an intent that is processing, but {intent['id']} is {intent['status']}.")
    charge = context.find("charge", intent["latest_charge"])
    card = context.find("payment_method", intent["payment_method"])
    decline = None if succeeds else Decline("card_declined", "Your card was declined.", "generic_decline", "try_again_later")
    charges.settle(context, charge, decline)
    if decline is not None:
        _refuse(context, intent, card, decline, charge)
        return intent
    return _succeed(context, intent, charge)


def _bank_asks(card: Record, off_session: bool) -> bool:
    """https://docs.stripe.com/testing#regulatory-cards."""
    rule = payment_methods.behaviour(card).authentication
    if rule is Authentication.NEVER:
        return False
    if not off_session or rule is Authentication.ALWAYS:
        return True
    return rule is Authentication.UNLESS_SET_UP and not card.get("_set_up")


def _ask(context: Context, intent: Record, return_url: str | None) -> Record:
    """https://docs.stripe.com/payments/paymentintents/lifecycle: requires_action tells what the customer must do."""
    action: Record = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    if return_url:
        page = f"https://bank.invalid/authenticate/{intent['id']}"
        action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": page}}
    intent |= {"status": "requires_action", "next_action": action, "last_payment_error": None}
    context.emit("payment_intent.requires_action", intent)
    return intent


def _take(context: Context, intent: Record, card: Record) -> Record:
    decline = payment_methods.behaviour(card).decline
    if decline is not None:
        _fail(context, intent, card, decline)
    if card["customer"] is None and not intent["setup_future_usage"]:
        card["_used"] = True
    charge = charges.attempt(context, intent, card, None, pending=context.slow_network)
    intent |= {"last_payment_error": None, "next_action": None}
    if context.slow_network:
        intent["status"] = "processing"
        context.emit("payment_intent.processing", intent)
        return intent
    return _succeed(context, intent, charge)


def _succeed(context: Context, intent: Record, charge: Record) -> Record:
    _set_up(context, intent)
    if intent["capture_method"] == "manual":
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        context.emit("payment_intent.amount_capturable_updated", intent)
        return intent
    if not charge["captured"]:
        charges.book(context, charge, charge["amount"])
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    context.emit("payment_intent.succeeded", intent)
    return intent


def _set_up(context: Context, intent: Record) -> None:
    """Keep the card for later payments, https://docs.stripe.com/payments/save-during-payment."""
    if not intent["setup_future_usage"]:
        return
    card = context.find("payment_method", intent["payment_method"])
    payment_methods.keep(context, card, intent["customer"])
    card["_set_up"] = intent["setup_future_usage"] == "off_session"


def _fail(context: Context, intent: Record, card: Record, decline: Decline) -> None:
    charge = charges.attempt(context, intent, card, decline)
    error = _refuse(context, intent, card, decline, charge)
    raise CardRefused(error, payment_intent=public(intent))


def _refuse(context: Context, intent: Record, card: Record, decline: Decline, charge: Record) -> Record:
    """The intent waits for another payment method; why stands in `last_payment_error`."""
    error = {name: value for name, value in decline.error().items() if value is not None}
    error |= {"charge": charge["id"], "payment_method": public(card), "payment_method_type": "card"}
    intent |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": error, "next_action": None}
    context.emit("payment_intent.payment_failed", intent)
    return error
