"""Refunds: never more than was charged. Follows https://docs.stripe.com/refunds and https://docs.stripe.com/api/refunds.

    pending ──> succeeded ──> failed, canceled

A card refund can stay pending, and one that has succeeded can still come back as failed; what comes back is credited to the
balance again and can be refunded anew (https://docs.stripe.com/refunds#failed-refunds).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.stripe_sandbox import charges
from connectors.stripe_sandbox.limits import merged_metadata
from connectors.stripe_sandbox.refusals import ApiRefused, ParameterRefused
from connectors.stripe_sandbox.state import Context, Record

_VOID: Final = ("failed", "canceled")
_ENDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"pending": ("succeeded", "failed", "canceled"), "succeeded": ("failed",)}
)
_USUAL_REASONS: Final = MappingProxyType({"failed": "expired_or_canceled_card", "canceled": "merchant_request"})


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
        status="pending" if context.slow_network else "succeeded",
    )
    refund |= {"pending_reason": "processing"} if context.slow_network else {}
    entry = charges.balance_entry(context, "refund", refund["id"], -amount, 0, charge["currency"])
    refund["balance_transaction"] = entry["id"]
    _add(charge, amount)
    context.emit("refund.created", refund)
    context.emit("charge.refunded", charge)
    return refund


def retrieve(context: Context, _params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/refunds/retrieve."""
    return context.find("refund", identifier)


def end(context: Context, refund: Record, status: str, reason: str | None = None) -> Record:
    """What the customer's bank makes of a refund in the end, or a person at the dashboard.

    From pending to succeeded, failed or canceled, from succeeded to failed. `reason` is a `failure_reason` of
    https://docs.stripe.com/api/refunds/object. Raises ApiRefused for any other step.
    """
    if status not in _ENDS.get(refund["status"], ()):
        raise ApiRefused(400, f"Expected a refund that can become {status}, but {refund['id']} is {refund['status']}.")
    refund |= {"status": status}
    refund.pop("pending_reason", None)
    if status in _VOID:
        charge = context.find("charge", refund["charge"])
        entry = charges.balance_entry(context, "refund_failure", refund["id"], refund["amount"], 0, refund["currency"])
        refund |= {"failure_balance_transaction": entry["id"], "failure_reason": reason or _USUAL_REASONS[status]}
        _add(charge, -refund["amount"])
    context.emit("refund.updated", refund)
    if status == "failed":
        context.emit("refund.failed", refund)
    context.emit("charge.refund.updated", refund)
    return refund


def given_back(refunds: Iterable[Record]) -> int:
    """What refunds come to: those that failed or were cancelled gave nothing back."""
    return sum(refund["amount"] for refund in refunds if refund["status"] not in _VOID)


def _add(charge: Record, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


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
    return given_back(refund for refund in context.all("refund") if refund["charge"] == charge["id"])
