"""Refunds: never more than was charged. Follows https://docs.stripe.com/refunds and https://docs.stripe.com/api/refunds."""

from __future__ import annotations

from typing import Any

from connectors.stripe_sandbox import charges
from connectors.stripe_sandbox.limits import merged_metadata
from connectors.stripe_sandbox.refusals import ApiRefused, ParameterRefused
from connectors.stripe_sandbox.state import Context, Record


def create(context: Context, params: dict[str, Any]) -> Record:
    """https://docs.stripe.com/api/refunds/create; all that is left when no amount is given."""
    charge = _charge(context, params)
    metadata = merged_metadata({}, params.get("metadata"))
    left = charge["amount_captured"] - _refunded(context, charge)
    if left == 0:
        raise ApiRefused(400, f"Nothing of {charge['id']} is left to refund. Do: nothing.", code="charge_already_refunded")
    amount = params.get("amount", left)
    if not 1 <= amount <= left:
        code = "parameter_invalid_integer" if amount < 1 else "amount_too_large"
        raise ParameterRefused(f"Expected 1 to {left}, but found {amount}. Do: refund no more than was charged.", "amount", code)
    refund = context.new(
        "refund",
        amount=amount,
        balance_transaction=None,
        charge=charge["id"],
        currency=charge["currency"],
        metadata=metadata,
        payment_intent=charge["payment_intent"],
        reason=params.get("reason"),
        receipt_number=None,
        status="succeeded",
    )
    entry = charges.balance_entry(context, "refund", refund["id"], -amount, 0, charge["currency"])
    refund["balance_transaction"] = entry["id"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    context.emit("refund.created", refund)
    context.emit("charge.refunded", charge)
    return refund


def retrieve(context: Context, _params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/refunds/retrieve."""
    return context.find("refund", identifier)


def _charge(context: Context, params: dict[str, Any]) -> Record:
    if ("charge" in params) == ("payment_intent" in params):
        raise ParameterRefused("Expected one of charge and payment_intent. Do: send one.", "charge", "parameter_missing")
    identifier = params.get("charge")
    if identifier is None:
        identifier = context.find("payment_intent", params["payment_intent"], "payment_intent", 400)["latest_charge"]
    charge = context.find("charge", identifier, "charge", 400) if identifier else None
    if charge is None or not charge["captured"]:
        raise ApiRefused(400, "Expected a charge that took money, but there is none. Do: nothing.", param="charge")
    return charge


def _refunded(context: Context, charge: Record) -> int:
    return sum(refund["amount"] for refund in context.all("refund") if refund["charge"] == charge["id"])
