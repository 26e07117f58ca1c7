"""PaymentIntents: create, retrieve, update, cancel, capture. Confirming is in `confirmation`.

Follows https://docs.stripe.com/payments/paymentintents/lifecycle (states) and https://docs.stripe.com/api/payment_intents.
Cards only: at this version `allowed_payment_method_types` narrows the types, `payment_method_types` is refused by `validation`
(https://docs.stripe.com/changelog).
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from connectors.stripe_sandbox import charges, confirmation, payment_methods
from connectors.stripe_sandbox.amounts import check_amount, check_currency
from connectors.stripe_sandbox.customers import living
from connectors.stripe_sandbox.limits import check_email, complete_descriptor, merged_metadata
from connectors.stripe_sandbox.refusals import ApiRefused, ParameterRefused
from connectors.stripe_sandbox.state import Context, Record, public

_ECHOED: Final = ("description", "receipt_email", "setup_future_usage", "shipping", "statement_descriptor_suffix")
_ONLY_WITH_CONFIRM: Final = ("off_session", "return_url", "error_on_requires_action")
_CANCELABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture", "processing")
_CHANGEABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(context: Context, params: dict[str, Any]) -> Record:
    """https://docs.stripe.com/api/payment_intents/create. With `confirm` the attempt is made at once."""
    currency = check_currency(params["currency"])
    check_amount(params["amount"], currency)
    _check_texts(params)
    _check_confirm_only(params)
    metadata = merged_metadata({}, params.get("metadata"))
    customer = living(context, params["customer"])["id"] if "customer" in params else None
    card = payment_methods.usable(context, params["payment_method"], customer)["id"] if "payment_method" in params else None
    record = _new(context, params, currency, customer, card, metadata)
    if not params.get("confirm"):
        context.emit("payment_intent.created", record)
        return record
    try:
        confirmation.check(context, record, params)
    except ApiRefused:
        del context.state.tables["payment_intent"][record["id"]]  # what cannot be confirmed at once is not created
        raise
    context.emit("payment_intent.created", record)
    return confirmation.attempt(context, record, params)


def _new(
    context: Context, params: dict[str, Any], currency: str, customer: str | None, card: str | None, metadata: Record
) -> Record:
    allowed = params.get("allowed_payment_method_types")
    automatic = None if allowed else {"allow_redirects": "always", "enabled": True} | params.get("automatic_payment_methods", {})
    record = context.new(
        "payment_intent",
        **{name: params.get(name) for name in _ECHOED},
        allowed_payment_method_types=allowed,
        amount=params["amount"],
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        automatic_payment_methods=automatic,
        canceled_at=None,
        cancellation_reason=None,
        capture_method=params.get("capture_method", "automatic_async"),
        client_secret=None,
        confirmation_method="automatic",
        currency=currency,
        customer=customer,
        last_payment_error=None,
        latest_charge=None,
        metadata=metadata,
        next_action=None,
        payment_method=card,
        payment_method_options={"card": {"request_three_d_secure": "automatic"}},
        payment_method_types=["card"],
        processing=None,
        statement_descriptor=None,
        status="requires_confirmation" if card else "requires_payment_method",
    )
    record["client_secret"] = f"{record['id']}_secret_{secrets.token_hex(12)}"
    return record


def retrieve(context: Context, _params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/payment_intents/retrieve."""
    return context.find("payment_intent", identifier)


def update(context: Context, params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/payment_intents/update. After an attempt succeeded only texts may change."""
    record = context.find("payment_intent", identifier)
    _check_texts(params)
    wanted = record | params
    currency = check_currency(wanted["currency"])
    check_amount(wanted["amount"], currency)
    metadata = merged_metadata(record["metadata"], params.get("metadata"))
    if {"amount", "currency", "customer", "payment_method"} & params.keys() and record["status"] not in _CHANGEABLE:
        raise unexpected(record, "update", _CHANGEABLE)
    customer = living(context, params["customer"])["id"] if "customer" in params else record["customer"]
    changes: Record = {name: params[name] or None for name in _ECHOED if name in params}
    if "payment_method" in params:
        card = payment_methods.usable(context, params["payment_method"], customer)
        changes |= {"payment_method": card["id"], "status": "requires_confirmation", "next_action": None}
    record |= changes | {"amount": wanted["amount"], "currency": currency, "customer": customer, "metadata": metadata}
    return record


def confirm(context: Context, params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/payment_intents/confirm."""
    record = context.find("payment_intent", identifier)
    _check_texts(params)
    if record["status"] not in _CHANGEABLE:
        raise unexpected(record, "confirm", _CHANGEABLE)
    if params.get("amount_to_confirm", record["amount"]) != record["amount"]:
        raise ParameterRefused("Expected the intent's amount, but found another. Do: update it first.", "amount_to_confirm")
    chosen = params.get("payment_method")
    card = payment_methods.usable(context, chosen, record["customer"])["id"] if chosen else record["payment_method"]
    changes = {name: params[name] or None for name in _ECHOED if name in params} | {"payment_method": card}
    if "allowed_payment_method_types" in params:
        _check_types(params)
        changes |= {"allowed_payment_method_types": params["allowed_payment_method_types"], "automatic_payment_methods": None}
    confirmation.check(context, record | changes, params)
    record |= changes
    return confirmation.attempt(context, record, params)


def cancel(context: Context, params: dict[str, Any], identifier: str) -> Record:
    """For ever; what was authorized is released, https://docs.stripe.com/api/payment_intents/cancel."""
    record = context.find("payment_intent", identifier)
    if record["status"] not in _CANCELABLE:
        raise unexpected(record, "cancel", _CANCELABLE)
    if record["status"] == "requires_capture":
        charge = context.find("charge", record["latest_charge"])
        charge |= {"amount_refunded": charge["amount"], "refunded": True}
    reason = params.get("cancellation_reason")
    record |= {"status": "canceled", "canceled_at": context.timestamp, "cancellation_reason": reason}
    record |= {"amount_capturable": 0, "next_action": None}
    context.emit("payment_intent.canceled", record)
    return record


def capture(context: Context, params: dict[str, Any], identifier: str) -> Record:
    """Take what was authorized, once; the rest is released, https://docs.stripe.com/api/payment_intents/capture."""
    record = context.find("payment_intent", identifier)
    if record["status"] != "requires_capture":
        raise unexpected(record, "capture", ("requires_capture",))
    amount = ({"amount_to_capture": record["amount_capturable"]} | params)["amount_to_capture"]
    if not 1 <= amount <= record["amount_capturable"]:
        raise ParameterRefused(
            f"Expected 1 to {record['amount_capturable']}, but found {amount}. Do: capture no more than was authorized.",
            "amount_to_capture",
            "amount_too_large" if amount > 0 else "parameter_invalid_integer",
        )
    record["metadata"] = merged_metadata(record["metadata"], params.get("metadata"))
    charge = context.find("charge", record["latest_charge"])
    charges.book(context, charge, amount)
    charge["amount_refunded"] = charge["amount"] - amount
    context.emit("charge.captured", charge)
    record |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
    context.emit("payment_intent.succeeded", record)
    return record


def unexpected(record: Record, verb: str, allowed: tuple[str, ...]) -> ApiRefused:
    """https://docs.stripe.com/error-codes#payment-intent-unexpected-state."""
    return ApiRefused(
        400,
        f"Expected {record['id']} to be {' or '.join(allowed)}, but it is {record['status']}. Do: not {verb} it.",
        code="payment_intent_unexpected_state",
        payment_intent=public(record),
    )


def _check_texts(params: dict[str, Any]) -> None:
    complete_descriptor(params.get("statement_descriptor_suffix"))
    check_email(params.get("receipt_email"), "receipt_email")
    if "statement_descriptor" in params:
        # https://docs.stripe.com/get-started/account/statement-descriptors: cards take a suffix only
        raise ParameterRefused(
            "Expected no statement_descriptor for cards, but one was sent. Do: send statement_descriptor_suffix.",
            "statement_descriptor",
        )


def _check_confirm_only(params: dict[str, Any]) -> None:
    """https://docs.stripe.com/api/payment_intents/create: these describe an attempt, so they need `confirm`."""
    early = [name for name in _ONLY_WITH_CONFIRM if name in params]
    if early and not params.get("confirm"):
        raise ParameterRefused(f"Expected confirm=true beside {early[0]}. Do: send both.", early[0])
    _check_types(params)


def _check_types(params: dict[str, Any]) -> None:
    """https://docs.stripe.com/payments/payment-methods/integration-options: name the types, or let them be automatic."""
    if "allowed_payment_method_types" not in params:
        return
    if "card" not in params["allowed_payment_method_types"]:
        raise ParameterRefused(
            "Expected card among the allowed types, the only one that this sandbox plays. Do: allow it.",
            "allowed_payment_method_types",
        )
    if params.get("automatic_payment_methods", {}).get("enabled"):
        raise ParameterRefused(
            "Expected either allowed_payment_method_types or automatic_payment_methods, but found both. Do: send one.",
            "automatic_payment_methods",
        )
