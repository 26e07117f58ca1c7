"""Findings of a reconciliation: what our ledger has, what the payment service has, and a sentence with what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.connector import Charge, PaymentRecord, Refund, RefundRecord
from engine.errors import DataRefused
from engine.model.money import format_money


class FindingKind(StrEnum):
    """What is wrong."""

    CHARGED_WITHOUT_BILL = "charged_without_bill"  # money was taken for a bill that our ledger doesn't take for charged
    BILL_WITHOUT_CHARGE = "bill_without_charge"  # our ledger says charged, and no money was taken
    CHARGED_TWICE = "charged_twice"  # more than one payment for a bill, or one by hand beside it
    CHARGED_BY_HAND = "charged_by_hand"  # a payment of one of our customers that no process made
    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    CUSTOMER_DIFFERS = "customer_differs"
    UNKNOWN_REFUND = "unknown_refund"  # money of a bill was given back, and our ledger doesn't know
    REFUND_MISSING = "refund_missing"  # our ledger says given back, and it wasn't
    REFUND_DIFFERS = "refund_differs"
    IN_DOUBT = "in_doubt"  # how a charge or refund ended isn't known yet


@dataclass(frozen=True, slots=True)
class Side:
    """What one side has: a payment or refund by its id at the service, and its state in that side's words.

    `amount` is in minor units of `currency`; `customer` is whoever pays, by the service's id. `at` is when the money moved, where
    that is known, else when it was last written down, aware UTC.
    """

    id: str | None
    state: str
    amount: int
    currency: str
    customer: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `customer` is the bill's (the service's id where no bill is known), `instance` the bill's. `ours` and
    `theirs` are what each side has of it, None for nothing. `message` says what was expected, what was found, what to do.
    """

    kind: FindingKind
    customer: str | None
    charge_key: str | None
    instance: str | None
    ours: Side | None
    theirs: Side | None
    message: str


def of_bill(kind: FindingKind, key: str | None, row: Charge | None, payment: PaymentRecord | None, message: str) -> Finding:
    """A finding about a bill and a payment, one of which may be missing."""
    ours = None if row is None else _of_charge(row)
    theirs = None if payment is None else _of_payment(payment)
    customer = row.request.customer if row is not None else _customer_in(key) or (payment.customer if payment else None)
    return Finding(kind, customer, key, row.request.instance if row is not None else None, ours, theirs, message)


def of_refund(kind: FindingKind, row: Charge | None, refund: Refund | None, record: RefundRecord | None, message: str) -> Finding:
    """A finding about a refund, which one side may not have. `row` is the charge that it is of."""
    paid_by = row.request.stripe_customer if row is not None else None
    ours = theirs = None
    if refund is not None:
        at = refund.refunded_at or refund.updated_at
        ours = Side(refund.refund, str(refund.state), refund.amount, refund.request.currency, paid_by, at)
    if record is not None:
        theirs = Side(record.id, str(record.state), record.amount, record.currency, paid_by, record.created_at)
    request = row.request if row is not None else None
    customer = request.customer if request is not None else refund.request.customer if refund is not None else None
    instance = request.instance if request is not None else refund.bill if refund is not None else None
    return Finding(kind, customer, request.charge_key if request is not None else None, instance, ours, theirs, message)


def _of_charge(row: Charge) -> Side:
    request = row.request
    at = row.charged_at or row.updated_at
    return Side(row.intent, str(row.state), request.amount, request.currency, request.stripe_customer, at)


def _of_payment(payment: PaymentRecord) -> Side:
    at = payment.charged_at or payment.created_at
    return Side(payment.id, payment.status, payment.amount, payment.currency, payment.customer, at)


def _customer_in(key: str | None) -> str | None:
    """The customer that a charge key names: `process|customer|period`."""
    if key is None or key.count("|") < 2:
        return None
    return key.partition("|")[2].rpartition("|")[0]


# --- sentences -------------------------------------------------------------------------------------------------------


def charged_without_bill(key: str, row: Charge | None, payment: PaymentRecord) -> Finding:
    """Money was taken for a bill that our ledger doesn't know, or not as charged."""
    if row is None:
        message = (
            f"Expected the ledger to have every bill that was charged, but it doesn't have {key}, for which {_taken(payment)}. "
            "Do: find out what removed it (an older copy of the database?), then put it back from a copy, or refund "
            f"{payment.id} at Stripe."
        )
    else:
        message = (
            f"Expected the ledger to have {payment.id} as the charge of {key}, but it says {_said(row)}, and {_taken(payment)}. "
            f"Do: run-process show {row.request.instance}; if its charge waits for somebody, retry or resolve that, else refund "
            f"{payment.id} at Stripe."
        )
    return of_bill(FindingKind.CHARGED_WITHOUT_BILL, key, row, payment, message)


def bill_without_charge(key: str, row: Charge, payment: PaymentRecord | None) -> Finding:
    """Our ledger says charged; `payment` is what became of the payment that it names."""
    named = row.intent or "a payment"
    there = f"there {payment.id} is {payment.status}" if payment is not None else f"{named} isn't among its payments"
    message = (
        f"Expected Stripe to have taken {_money(row.request.amount, row.request.currency)} for {key}, because the ledger says "
        f"{_said(row)}, but {there}. Do: run-process history {row.request.instance} says who recorded it. If it was paid "
        f"otherwise, cancel {named} at Stripe, so that it can't be paid as well; else let the customer pay by another bill."
    )
    return of_bill(FindingKind.BILL_WITHOUT_CHARGE, key, row, payment, message)


def charged_twice(key: str, row: Charge | None, own: PaymentRecord, payment: PaymentRecord) -> Finding:
    """`payment` took money although `own` had."""
    by_hand = " without naming a bill, as one made by hand does" if payment.by_hand else ""
    message = (
        f"Expected one payment for {key}, {own.id}, but besides it {_taken(payment)}{by_hand}. Do: if it is for the same, refund "
        f"{payment.id} at Stripe; {_OTHERWISE}."
    )
    return of_bill(FindingKind.CHARGED_TWICE, key, row, payment, message)


def charged_by_hand(key: str | None, row: Charge | None, payment: PaymentRecord) -> Finding:
    """A payment that no process made; `row` is its customer's bill, where there is one."""
    beside = f"; the ledger says {_said(row)} for {key}" if row is not None else ""
    message = (
        f"Expected every charge of this process's customers to be made by it, but {_taken(payment)} and names no bill{beside}. "
        f"Do: ask who made it; refund {payment.id} at Stripe, or let it stand for the bill (run-process resolve --done, while "
        f"the charge waits for a person); {_OTHERWISE}."
    )
    return of_bill(FindingKind.CHARGED_BY_HAND, key, row, payment, message)


_OTHERWISE = "if it is for something else, say so in its metadata there, with the key process"


def differs(kind: FindingKind, key: str, row: Charge, payment: PaymentRecord) -> Finding:
    """Both sides say charged, but not the same."""
    request = row.request
    ours = f"{_money(request.amount, request.currency)} of {request.stripe_customer}"
    theirs = f"{_money(payment.amount, payment.currency)} of {payment.customer}"
    message = (
        f"Expected {payment.id} to be {ours}, as the ledger says for {key}, but at Stripe it is {theirs}. Do: "
        f"run-process history {request.instance} shows what was approved and charged; settle the difference with the customer."
    )
    return of_bill(kind, key, row, payment, message)


def charge_in_doubt(key: str, row: Charge, payment: PaymentRecord | None) -> Finding:
    """Our ledger doesn't know yet; `payment` is what the service has."""
    there = f"{payment.id} is {payment.status}" if payment is not None else "there is no payment yet"
    message = (
        f"Expected to know how the charge of {key} ended, but the ledger says {_said(row)} (at Stripe {there}). Do: "
        "run-process charges says when a worker looks it up, or which incident waits for a person."
    )
    return of_bill(FindingKind.IN_DOUBT, key, row, payment, message)


def unknown_refund(row: Charge, record: RefundRecord) -> Finding:
    """Money of a bill was given back, and our ledger doesn't know."""
    amount = _money(record.amount, record.currency)
    message = (
        f"Expected the ledger to have every refund of {row.request.charge_key}, but at Stripe {record.id} gave back {amount} "
        f"of {record.payment} on {_at(record.created_at)}, and it isn't there. Do: ask who made it in Stripe's dashboard, and "
        "let refunds be made by a process, where they are approved; run-process close --unreconciled says why it may stand."
    )
    return of_refund(FindingKind.UNKNOWN_REFUND, row, None, record, message)


def refund_missing(row: Charge | None, refund: Refund, record: RefundRecord | None) -> Finding:
    """Our ledger says given back; `record` is what became of it at the service."""
    amount = _money(refund.amount, refund.request.currency)
    told = f" ({refund.problem})" if refund.problem else ""
    if record is not None:
        there = f"{record.id} is {record.state}, so the customer doesn't have the money"
        remedy = (
            f"run-process refunds --look-up {refund.refund_key} records that and calls a person; then refund it anew, or pay it "
            "back in another way"
        )
    else:
        there = "there is no such refund"
        remedy = (
            f"look {refund.intent} up in Stripe's dashboard; if it was paid back in another way, run-process close "
            "--unreconciled says so"
        )
    message = (
        f"Expected Stripe to have given back {amount} of {refund.intent} ({refund.instance}), because the ledger says "
        f"{refund.state}{told}, but there {there}. Do: {remedy}."
    )
    return of_refund(FindingKind.REFUND_MISSING, row, refund, record, message)


def refund_differs(row: Charge | None, refund: Refund, record: RefundRecord) -> Finding:
    """Both sides have a refund, but not the same."""
    ours = f"{_money(refund.amount, refund.request.currency)} of {refund.intent}, {refund.state}"
    theirs = f"{_money(record.amount, record.currency)} of {record.payment}, {record.state}"
    message = (
        f"Expected {record.id} to be {ours}, as the ledger says ({refund.instance}), but at Stripe it is {theirs}. Do: "
        f"run-process history {refund.instance} shows what was approved; settle the difference with the customer."
    )
    return of_refund(FindingKind.REFUND_DIFFERS, row, refund, record, message)


def refund_in_doubt(row: Charge | None, refund: Refund, record: RefundRecord | None) -> Finding:
    """Our ledger doesn't know yet how a refund ended; `record` is what the service has."""
    there = f"{record.id} is {record.state}" if record is not None else "there is none yet"
    message = (
        f"Expected to know how the refund of {_money(refund.amount, refund.request.currency)} of {refund.intent} ended, but the "
        f"ledger says {refund.state} (at Stripe {there}). Do: run-process show {refund.instance} says when a worker looks it "
        "up, or which incident waits for a person."
    )
    return of_refund(FindingKind.IN_DOUBT, row, refund, record, message)


def _said(row: Charge) -> str:
    """What our ledger says of a charge, with what was noted about it."""
    why = f" ({row.reason})" if row.reason else ""
    return f"{row.state}{why}"


def _taken(payment: PaymentRecord) -> str:
    took = f"{payment.id} took {_money(payment.amount, payment.currency)} of {payment.customer}"
    back = f" and gave back {_money(payment.refunded, payment.currency)}" if payment.refunded else ""
    return f"at Stripe {took} on {_at(payment.charged_at or payment.created_at)}{back}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%MZ}"


def _money(amount: int, currency: str) -> str:
    try:
        return f"{format_money(amount, currency)} {currency}"
    except DataRefused:  # a payment by hand can be in a currency that no bill can have
        return f"{amount} {currency} (in Stripe's units)"
