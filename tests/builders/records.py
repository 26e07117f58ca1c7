"""Both sides of a reconciliation: the ledger's rows and refunds, and a payment service's records of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from engine.billing.reconciliation import Ours, Theirs
from engine.connector import (
    Charge,
    ChargeRequest,
    ChargeState,
    PaymentRecord,
    Refund,
    RefundRecord,
    RefundRequest,
    RefundState,
)

PROCESS, PERIOD = "monthly-card-charge", "2026-10"
AT = datetime(2026, 10, 20, 8, tzinfo=UTC)


def key_of(name: str) -> str:
    return f"{PROCESS}|cus_{name}|{PERIOD}"


def charge(name: str = "ann", **changes: Any) -> Charge:
    """A charge of 120.50 USD that succeeded, with what a test changes in the row or its request."""
    request = {
        "charge_key": key_of(name),
        "process": PROCESS,
        "customer": f"cus_{name}",
        "period": PERIOD,
        "instance": "i17",
        "amount": 12_050,
        "currency": "USD",
        "stripe_customer": f"cus_{name}",
        "approved_by": "mia",
        "livemode": False,
    }
    request |= {part: changes.pop(part) for part in request.keys() & changes.keys()}
    row = {"state": ChargeState.SUCCEEDED, "attempt": 1, "intent": f"pi_{name}", "charged_at": AT, "updated_at": AT}
    return Charge(ChargeRequest(**request), **(row | changes))


def payment(name: str = "ann", **changes: Any) -> PaymentRecord:
    """The service's record of that charge."""
    given = {
        "id": f"pi_{name}",
        "charge_key": key_of(name),
        "process": PROCESS,
        "period": PERIOD,
        "customer": f"cus_{name}",
        "amount": 12_050,
        "currency": "USD",
        "status": "succeeded",
        "succeeded": True,
        "created_at": AT,
        "charged_at": AT,
    }
    return PaymentRecord(**(given | changes))


def by_hand(name: str = "ann", **changes: Any) -> PaymentRecord:
    """A payment of the same customer that names no bill."""
    return payment(name, **({"id": f"pi_{name}_by_hand", "charge_key": None, "process": None, "period": None} | changes))


def refund(name: str = "ann", **changes: Any) -> Refund:
    """A refund of 20.00 USD of that charge that succeeded."""
    request = RefundRequest(
        process=PROCESS,
        customer=f"cus_{name}",
        period=PERIOD,
        amount=2_000,
        currency="USD",
        reason="requested_by_customer",
        comment=None,
        requested_by="sara",
        approved_by="mia",
        livemode=False,
    )
    given = {
        "refund_key": f"refund_{name}",
        "request": request,
        "amount": 2_000,
        "instance": "i20",
        "bill": "i17",
        "intent": f"pi_{name}",
        "state": RefundState.SUCCEEDED,
        "attempt": 1,
        "refund": f"re_{name}",
        "refunded_at": AT,
        "updated_at": AT,
    }
    return Refund(**(given | changes))


def refund_record(name: str = "ann", **changes: Any) -> RefundRecord:
    """The service's record of that refund."""
    given = {
        "id": f"re_{name}",
        "payment": f"pi_{name}",
        "refund_key": f"refund_{name}",
        "amount": 2_000,
        "currency": "USD",
        "state": RefundState.SUCCEEDED,
        "created_at": AT + timedelta(days=1),
    }
    return RefundRecord(**(given | changes))


def ours(*given: Charge | Refund) -> Ours:
    """Our side of these."""
    charges = {each.request.charge_key: each for each in given if isinstance(each, Charge)}
    return Ours(charges, {each.refund_key: each for each in given if isinstance(each, Refund)})


def theirs(*given: PaymentRecord | RefundRecord) -> Theirs:
    """The service's side of these."""
    payments = {each.id: each for each in given if isinstance(each, PaymentRecord)}
    return Theirs(payments, {each.id: each for each in given if isinstance(each, RefundRecord)})
