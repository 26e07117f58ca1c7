"""Payment methods: cards only. A documented name such as `pm_card_visa` makes a new card each time it is used.

Follows https://docs.stripe.com/api/payment_methods and https://docs.stripe.com/testing (test payment methods).
"""

from __future__ import annotations

from typing import Any, Final

from connectors.stripe_sandbox.cards import CARDS, TestCard
from connectors.stripe_sandbox.limits import merged_metadata
from connectors.stripe_sandbox.refusals import ApiRefused, CardRefused, ParameterRefused, no_such
from connectors.stripe_sandbox.state import Context, Record, public

_NO_BILLING: Final = {"address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))}


def create(context: Context, params: dict[str, Any]) -> Record:
    """A card from a test token, https://docs.stripe.com/api/payment_methods/create."""
    if params.get("type") != "card":
        raise ParameterRefused("Expected type=card, the only one that this sandbox plays. Do: send type=card.", "type")
    token = params.get("card", {}).get("token", "")
    name = f"pm_card_{token.removeprefix('tok_')}"
    if name not in CARDS:
        raise ParameterRefused(
            "Expected a test token such as tok_visa; card numbers must not be sent to a server. Do: send card[token].", "card"
        )
    return _new(context, name, params.get("metadata"), params.get("billing_details"))


def retrieve(context: Context, _params: dict[str, Any], identifier: str) -> Record:
    """One payment method, https://docs.stripe.com/api/payment_methods/retrieve."""
    return context.find("payment_method", identifier)


def update(context: Context, params: dict[str, Any], identifier: str) -> Record:
    """Change metadata or billing details, https://docs.stripe.com/api/payment_methods/update."""
    record = context.find("payment_method", identifier)
    metadata = merged_metadata(record["metadata"], params.get("metadata"))
    record["billing_details"] |= params.get("billing_details", {})
    record["metadata"] = metadata
    context.emit("payment_method.updated", record)
    return record


def attach(context: Context, params: dict[str, Any], identifier: str) -> Record:
    """Keep a card for a customer, https://docs.stripe.com/api/payment_methods/attach.

    A card that declines is declined here already, https://docs.stripe.com/testing#declined-payments.
    """
    if "customer" not in params:
        raise ParameterRefused("Missing required param: customer. Do: send it.", "customer", "parameter_missing")
    return keep(context, resolve(context, identifier, "id", 404), params["customer"])


def keep(context: Context, record: Record, customer: str) -> Record:
    """Attach `record` to the customer; refuses a used, foreign or declined card."""
    owner = context.find("customer", customer, "customer", 400)
    if record["customer"] not in (None, owner["id"]):
        raise ApiRefused(400, "Expected a card of no customer, but another one has it. Do: detach it first.")
    _refuse_used(record)
    card = behaviour(record)
    if card.decline is not None and not card.attachable:
        raise CardRefused(card.decline.error(), payment_method=public(record))
    if record["customer"] is None:
        record["customer"] = owner["id"]
        context.emit("payment_method.attached", record)
    return record


def detach(context: Context, _params: dict[str, Any], identifier: str) -> Record:
    """Part from the customer, for ever, https://docs.stripe.com/api/payment_methods/detach."""
    record = context.find("payment_method", identifier)
    if record["customer"] is None:
        raise ApiRefused(400, "Expected a card of a customer, but this one is not attached. Do: nothing.", param="payment_method")
    owner = context.find("customer", record["customer"])
    if owner["invoice_settings"]["default_payment_method"] == record["id"]:
        owner["invoice_settings"]["default_payment_method"] = None
    record |= {"customer": None, "_used": True}
    context.emit("payment_method.detached", record)
    return record


def resolve(context: Context, name: str, param: str = "payment_method", status: int = 400) -> Record:
    """The payment method of this id, or a new one for the name of a test card. Test cards do not exist in live mode."""
    if name not in CARDS:
        return context.find("payment_method", name, param, status)
    if context.livemode:
        raise no_such("payment_method", name, param, status)
    return _new(context, name, None, None)


def usable(context: Context, name: str, customer: str | None) -> Record:
    """The payment method for a payment by `customer`; refuses one that is used up or belongs to somebody else.

    Follows https://docs.stripe.com/api/payment_intents/create#create_payment_intent-payment_method.
    """
    record = resolve(context, name)
    if record["customer"] is not None and record["customer"] != customer:
        raise ParameterRefused(
            f"Expected {name} to belong to the payment's customer, but it is attached to another. Do: send that customer.",
            "payment_method",
            "resource_missing" if customer else None,
        )
    _refuse_used(record)
    return record


def behaviour(record: Record) -> TestCard:
    """What the card does now."""
    return CARDS[record["_card"]]


def _refuse_used(record: Record) -> None:
    """https://docs.stripe.com/payments/payment-methods#transactional-limits: used unattached, or detached, is used up."""
    if record.get("_used"):
        raise ApiRefused(
            400,
            f"Expected a reusable card, but {record['id']} was used without a customer or was detached. Do: use another card.",
            param="payment_method",
        )


def _new(context: Context, name: str, metadata: Any, billing: Any) -> Record:
    card = CARDS[name]
    details = {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": context.now.year + 4,
        "fingerprint": f"sandbox{card.last4}{card.brand}",
        "funding": card.funding,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return context.new(
        "payment_method",
        type="card",
        allow_redisplay="unspecified",
        billing_details=_NO_BILLING | {"email": None, "name": None, "phone": None} | (billing or {}),
        card=details,
        customer=None,
        metadata=merged_metadata({}, metadata),
        _card=name,
    )
