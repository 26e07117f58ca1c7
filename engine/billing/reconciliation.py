"""Reconciliation: our ledger next to the payment service's own records, and every difference between them.

A bill and a payment belong together by the payment's id in the ledger, else by the charge key that the payment itself names. What
was taken beside a bill and given back in whole needs nobody any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from engine.billing import finding
from engine.billing.finding import Finding, FindingKind
from engine.connector import Charge, ChargeState, PaymentRecord, Refund, RefundRecord

_SETTLED = "settled by "
"""What the reason of a charge begins with that a person, or a process through them, says was paid."""
_ORDER = {kind: number for number, kind in enumerate(FindingKind)}


@dataclass(frozen=True)
class Ours:
    """Our side of a period: the ledger's rows by charge key, and the refunds of these bills by refund key."""

    charges: Mapping[str, Charge] = field(default_factory=dict)
    refunds: Mapping[str, Refund] = field(default_factory=dict)


@dataclass(frozen=True)
class Theirs:
    """The service's side, by id: the payments of these bills, those by hand of our customers, and the refunds of them all."""

    payments: Mapping[str, PaymentRecord] = field(default_factory=dict)
    refunds: Mapping[str, RefundRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Total:
    """What one currency comes to on both sides, in minor units: taken for the period, and given back of it. `settled` is what
    our ledger has as paid otherwise, of which the service knows nothing.
    """

    currency: str
    charged_ours: int
    charged_theirs: int
    refunded_ours: int
    refunded_theirs: int
    settled: int


def compare(ours: Ours, theirs: Theirs, moving: Collection[str] = ()) -> list[Finding]:
    """Every difference, by customer, bill, kind and payment; the order of what is given doesn't matter.

    `moving` names charge and refund keys whose rows changed while the service was asked: that it lacks what such a row says
    proves nothing, so the row is found in doubt then.
    """
    bills, by_hand = _bills(ours, theirs)
    found = [each for bill in bills for each in _of_bill(bill, moving)]
    found += _by_hand(by_hand, bills)
    found += _of_refunds(ours, theirs, {bill.row.intent: bill for bill in bills if bill.row is not None}, moving)
    return sorted(found, key=_place)


def total(ours: Ours, theirs: Theirs) -> tuple[Total, ...]:
    """What both sides come to, by currency. A refund counts from the moment that it is on its way."""
    bills, _ = _bills(ours, theirs)
    rows = [(bill.row.request, bill.is_settled) for bill in bills if bill.row and bill.row.state is ChargeState.SUCCEEDED]
    sums = (
        _summed((each.currency, each.amount) for each, settled in rows if not settled),
        _summed((each.currency, each.amount) for each in theirs.payments.values() if each.succeeded),
        _summed((each.request.currency, each.amount) for each in ours.refunds.values() if each.state.gives_back),
        _summed((each.currency, each.amount) for each in theirs.refunds.values() if each.state.gives_back),
        _summed((each.currency, each.amount) for each, settled in rows if settled),
    )
    currencies = sorted({currency for each in sums for currency in each})
    return tuple(Total(currency, *(each.get(currency, 0) for each in sums)) for currency in currencies)


def _summed(amounts: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for currency, amount in amounts:
        sums[currency] = sums.get(currency, 0) + amount
    return sums


def _place(found: Finding) -> tuple[str | int, ...]:
    theirs, ours = (side.id or "" if side is not None else "" for side in (found.theirs, found.ours))
    return found.customer or "", found.charge_key or "", _ORDER[found.kind], theirs, ours, found.message


# --- bills and payments ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bill:
    """A bill with the ledger's row, and the payments that belong to it, oldest first."""

    key: str
    row: Charge | None
    payments: tuple[PaymentRecord, ...]

    @property
    def named(self) -> PaymentRecord | None:
        """The payment that the ledger names, whatever became of it."""
        return next((each for each in self.payments if self.row is not None and each.id == self.row.intent), None)

    @property
    def taken(self) -> list[PaymentRecord]:
        """Those that took money, the one that counts first: the ledger's, else one that wasn't given back."""
        named = self.named
        taken = [each for each in self.payments if each.succeeded]
        return sorted(taken, key=lambda each: (each is not named, each.given_back))

    @property
    def is_charged(self) -> bool:
        """Whether both sides say so, of the same payment."""
        if self.row is None or self.row.state is not ChargeState.SUCCEEDED:
            return False
        named = self.named
        return named is not None and named.succeeded

    @property
    def is_settled(self) -> bool:
        """Whether a person says that it was paid otherwise, and the payment that was begun can take nothing any more."""
        if self.row is None or not _was_settled(self.row):
            return False
        return self.row.intent is None or (self.named is not None and self.named.canceled)


def _bills(ours: Ours, theirs: Theirs) -> tuple[list[_Bill], list[PaymentRecord]]:
    """The bills, and the payments of none."""
    keys = {row.intent: key for key, row in ours.charges.items() if row.intent is not None}
    of_bill: dict[str, list[PaymentRecord]] = {key: [] for key in ours.charges}
    by_hand = []
    for payment in sorted(theirs.payments.values(), key=lambda each: (each.created_at, each.id)):
        key = keys.get(payment.id, payment.charge_key)
        if key is None:
            by_hand.append(payment)
        else:
            of_bill.setdefault(key, []).append(payment)
    bills = [_Bill(key, ours.charges.get(key), tuple(payments)) for key, payments in sorted(of_bill.items())]
    return [_with_payment_by_hand(bill, by_hand) for bill in bills], by_hand


def _with_payment_by_hand(bill: _Bill, by_hand: list[PaymentRecord]) -> _Bill:
    """A bill that a person settled because they charged the card by hand has that payment, which then is of no other."""
    row = bill.row
    if row is None or not _was_settled(row) or bill.taken:
        return bill
    paid = next((each for each in by_hand if _pays(each, row)), None)
    if paid is None:
        return bill
    by_hand.remove(paid)
    return _Bill(bill.key, replace(row, intent=paid.id), (*bill.payments, paid))


def _was_settled(row: Charge) -> bool:
    """Whether it is a person who said that it was paid: what a worker sees succeed needs no reason."""
    return row.state is ChargeState.SUCCEEDED and (row.reason or "").startswith(_SETTLED)


def _pays(payment: PaymentRecord, row: Charge) -> bool:
    billed = (row.request.stripe_customer, row.request.amount, row.request.currency)
    return payment.succeeded and not payment.given_back and (payment.customer, payment.amount, payment.currency) == billed


def _of_bill(bill: _Bill, moving: Collection[str]) -> Iterator[Finding]:
    key, row, taken = bill.key, bill.row, bill.taken
    own = taken[0] if taken else None
    for other in taken[1:]:
        if not other.given_back:
            yield finding.charged_twice(key, row, taken[0], other)
    if row is not None and bill.is_charged and own is not None:
        yield from _differences(key, row, own)
    elif row is not None and row.state.in_doubt:
        yield finding.charge_in_doubt(key, row, own or bill.named)
    else:
        if row is not None and row.state is ChargeState.SUCCEEDED and not bill.is_settled:
            says = finding.charge_in_doubt if key in moving else finding.bill_without_charge
            yield says(key, row, bill.named)
        if own is not None and not own.given_back:
            yield finding.charged_without_bill(key, row, own)


def _differences(key: str, row: Charge, payment: PaymentRecord) -> Iterator[Finding]:
    if payment.currency != row.request.currency:
        yield finding.differs(FindingKind.CURRENCY_DIFFERS, key, row, payment)
    elif payment.amount != row.request.amount:
        yield finding.differs(FindingKind.AMOUNT_DIFFERS, key, row, payment)
    if payment.customer != row.request.stripe_customer:
        yield finding.differs(FindingKind.CUSTOMER_DIFFERS, key, row, payment)


def _by_hand(payments: Collection[PaymentRecord], bills: Iterable[_Bill]) -> Iterator[Finding]:
    of_customer: dict[str | None, _Bill] = {}
    for bill in bills if payments else ():
        if bill.row is not None and (bill.is_charged or bill.row.request.stripe_customer not in of_customer):
            of_customer[bill.row.request.stripe_customer] = bill
    for payment in payments:
        beside = of_customer.get(payment.customer)
        if not payment.succeeded or payment.given_back:
            continue
        if beside is not None and beside.is_charged:
            yield finding.charged_twice(beside.key, beside.row, beside.taken[0], payment)
        else:
            yield finding.charged_by_hand(beside.key if beside else None, beside.row if beside else None, payment)


# --- refunds --------------------------------------------------------------------------------------------------------


def _of_refunds(ours: Ours, theirs: Theirs, bills: Mapping[str | None, _Bill], moving: Collection[str]) -> Iterator[Finding]:
    """`bills` by the payment that the ledger names. What gives back money that no bill holds is what should be done about it."""
    pairs = _paired(ours.refunds, theirs.refunds)
    for key, refund in sorted(ours.refunds.items()):
        bill = bills.get(refund.intent)
        yield from _of_refund(bill.row if bill else None, refund, pairs.get(key), moved=key in moving)
    known = {record.id for record in pairs.values()}
    for record in theirs.refunds.values():
        bill = bills.get(record.payment)
        if record.id not in known and not record.state.is_void and bill is not None and bill.row and bill.is_charged:
            yield finding.unknown_refund(bill.row, record)


def _paired(refunds: Mapping[str, Refund], records: Mapping[str, RefundRecord]) -> dict[str, RefundRecord]:
    """Our refund's key -> the service's record of it: the one that our ledger names, else the oldest that names ours."""
    naming: dict[tuple[str | None, str | None], RefundRecord] = {}
    for record in sorted(records.values(), key=lambda each: (each.created_at, each.id), reverse=True):
        naming[record.refund_key, record.payment] = record
    found = {key: records.get(refund.refund or "") or naming.get((key, refund.intent)) for key, refund in refunds.items()}
    return {key: record for key, record in found.items() if record is not None}


def _of_refund(row: Charge | None, refund: Refund, record: RefundRecord | None, *, moved: bool) -> Iterator[Finding]:
    gives_back = refund.state.gives_back
    if refund.state.in_doubt:
        yield finding.refund_in_doubt(row, refund, record)
    elif gives_back and (record is None or record.state.is_void):
        yield (finding.refund_in_doubt if moved else finding.refund_missing)(row, refund, record)
    elif record is not None and not (record.state.is_void and not gives_back):
        said = (refund.amount, refund.request.currency, refund.intent, True)
        if said != (record.amount, record.currency, record.payment, gives_back):
            yield finding.refund_differs(row, refund, record)


__all__ = ["Finding", "FindingKind", "Ours", "Theirs", "Total", "compare", "total"]
