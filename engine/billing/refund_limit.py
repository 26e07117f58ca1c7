"""How much of a charge can be given back: never more than was charged, whatever was given back before."""

from __future__ import annotations

from engine.connector import Charge, ChargeState, NotRefundable, RefundRequest
from engine.model.money import format_money


def amount_to_refund(charge: Charge | None, reserved: int, request: RefundRequest) -> int | NotRefundable:
    """The amount to give back in minor units, or why nothing can be.

    `charge` is the bill's row in the ledger, None where there is none. `reserved` is the sum of its refunds that aren't void:
    made, on their way, or in doubt.
    """
    bill = f"{request.customer} in {request.period}"
    if charge is None or charge.intent is None or charge.state is not ChargeState.SUCCEEDED:
        return NotRefundable(f"Expected a charge of {bill} to give back, but {_state_of(charge)}. Do: run-process charges.")
    if request.currency != charge.request.currency:
        return NotRefundable(
            f"Expected a refund in {charge.request.currency}, as {bill} was charged, but it is to be in {request.currency}. "
            "Do: correct the currency and the amount."
        )
    left = charge.request.amount - reserved
    if left <= 0:
        return NotRefundable(
            f"Expected something of {_money(charge.request.amount, charge)}, charged for {bill}, to be left, but all of it was "
            "given back or is being. Do: nothing; run-process refunds lists it."
        )
    wanted = left if request.amount is None else request.amount
    if not 0 < wanted <= left:
        return NotRefundable(
            f"Expected an amount above zero of at most {_money(left, charge)}, which is left of "
            f"{_money(charge.request.amount, charge)} charged for {bill}, but it is {_money(wanted, charge)}. "
            "Do: correct the amount."
        )
    return wanted


def _state_of(charge: Charge | None) -> str:
    if charge is None:
        return "nothing was ever charged for it"
    if charge.state is ChargeState.SUCCEEDED:
        return "no payment at the service is known for it"
    return "its outcome isn't known yet" if charge.state.in_doubt else f"it is {charge.state}"


def _money(amount: int, charge: Charge) -> str:
    return f"{format_money(amount, charge.request.currency)} {charge.request.currency}"
