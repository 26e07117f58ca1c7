"""Charges: the attempts of a PaymentIntent, and the balance transactions they leave.

Follows https://docs.stripe.com/api/charges and https://docs.stripe.com/api/balance_transactions.
"""

from __future__ import annotations

from typing import Any

from connectors.stripe_sandbox.cards import Decline
from connectors.stripe_sandbox.limits import complete_descriptor
from connectors.stripe_sandbox.state import Context, Record


def retrieve(context: Context, _params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/charges/retrieve."""
    return context.find("charge", identifier)


def attempt(context: Context, intent: Record, card: Record, decline: Decline | None, pending: bool = False) -> Record:
    """The new latest charge of `intent`: succeeded, failed, or pending where the card network answers later."""
    captured = decline is None and not pending and intent["capture_method"] != "manual"
    charge = context.new(
        "charge",
        amount=intent["amount"],
        amount_captured=0,
        amount_refunded=0,
        balance_transaction=None,
        billing_details=card["billing_details"],
        calculated_statement_descriptor=complete_descriptor(intent["statement_descriptor_suffix"]).upper(),
        captured=False,
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        disputed=False,
        failure_code=decline.code if decline else None,
        failure_message=decline.message if decline else None,
        metadata=dict(intent["metadata"]),
        outcome=_outcome(decline),
        paid=decline is None and not pending,
        payment_intent=intent["id"],
        payment_method=card["id"],
        payment_method_details={"card": dict(card["card"]), "type": "card"},
        receipt_email=intent["receipt_email"],
        receipt_url=None,
        refunded=False,
        shipping=intent["shipping"],
        statement_descriptor=None,
        statement_descriptor_suffix=intent["statement_descriptor_suffix"],
        status="failed" if decline else "pending" if pending else "succeeded",
    )
    intent["latest_charge"] = charge["id"]
    if captured:
        book(context, charge, charge["amount"])
    context.emit(f"charge.{charge['status']}", charge)
    return charge


def settle(context: Context, charge: Record, decline: Decline | None) -> None:
    """A pending charge ends."""
    charge |= {"status": "failed" if decline else "succeeded", "paid": decline is None, "outcome": _outcome(decline)}
    if decline is not None:
        charge |= {"failure_code": decline.code, "failure_message": decline.message}
    context.emit(f"charge.{charge['status']}", charge)


def book(context: Context, charge: Record, amount: int) -> None:
    """Capture `amount` of the charge into the balance; the fee is this sandbox's own price."""
    fee = amount * 29 // 1000 + 30
    entry = balance_entry(context, "charge", charge["id"], amount, fee, charge["currency"])
    charge |= {"captured": True, "amount_captured": amount, "balance_transaction": entry["id"]}


def balance_entry(context: Context, type_: str, source: str, amount: int, fee: int, currency: str) -> Record:
    """Money in (positive) or out (negative), https://docs.stripe.com/api/balance_transactions/object."""
    return context.new(
        "balance_transaction",
        amount=amount,
        available_on=context.timestamp,
        currency=currency,
        description=None,
        fee=fee,
        net=amount - fee,
        reporting_category=type_,
        source=source,
        status="available",
        type=type_,
    )


def retrieve_balance_transaction(context: Context, _params: dict[str, Any], identifier: str) -> Record:
    """https://docs.stripe.com/api/balance_transactions/retrieve."""
    return context.find("balance_transaction", identifier)


def _outcome(decline: Decline | None) -> Record:
    """https://docs.stripe.com/declines: what the network and the risk check made of it."""
    if decline is None:
        return {"network_status": "approved_by_network", "reason": None, "risk_level": "normal", "type": "authorized"}
    return {
        "advice_code": decline.advice_code,
        "network_status": "not_sent_to_network" if decline.blocked else "declined_by_network",
        "reason": decline.decline_code or decline.code,
        "risk_level": "highest" if decline.blocked else "normal",
        "type": "blocked" if decline.blocked else "issuer_declined",
    }
