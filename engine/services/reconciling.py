"""Compare a period's ledger with the payment service's own records, both ways; see `engine.billing.reconciliation`.

It is exact while workers go on charging. The ledger is read before the service is asked and again after it: money that was taken
in between stands in the second reading, and what that one says beyond the first is asked for again, payment by payment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from engine.billing.reconciliation import Finding, Ours, Theirs, Total, compare, total
from engine.connector import ChargeRecords, ChargeState, KeepsRecords, PaymentRecord
from engine.errors import ConfigurationInvalid
from engine.model.period import next_period
from engine.services.enrolling import billing_map, check_period
from engine.services.runtime import Runtime
from engine.store import reconciliation as facts

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MARGIN = timedelta(days=1)
"""So much earlier than the ledger's first row payments are asked for."""
_CLOCKS_APART = timedelta(hours=1)
"""So much later than now: the service's clock says when a payment was made."""
_LOOKS = 3
"""How often a row that goes on changing is asked for again; a charge takes about a second."""


@dataclass(frozen=True)
class Reconciliation:
    """What came of it: the `findings`, and what they were found in.

    The service's payments and refunds were asked for that were created from `since` to `until` in the key's mode, `livemode`.
    How many were compared: `charges` are rows of the ledger, `payments` took money, `refunds` are those of them. `other_mode` are
    charged or doubtful rows of the other mode, which only another key can compare.
    """

    process: str
    period: str
    livemode: bool
    since: datetime
    until: datetime
    charges: int
    payments: int
    refunds: int
    other_mode: int
    totals: tuple[Total, ...]
    findings: tuple[Finding, ...]

    @property
    def unreconciled(self) -> list[str]:
        """What keeps both sides from being the same, a sentence each."""
        return [*(finding.message for finding in self.findings), *self._other_mode()]

    def _other_mode(self) -> Iterator[str]:
        ours, theirs = ("test", "live") if self.livemode else ("live", "test")
        if self.other_mode:
            yield (
                f"Expected all charges of {self.period} in {theirs} mode, which is the key's, but the ledger has "
                f"{self.other_mode} in {ours} mode, which were not compared. Do: reconcile with the {ours} key as well."
            )


def reconcile(runtime: Runtime, process: str, period: str) -> Reconciliation:
    """Compare one period of a process. Asks the service for as many pages as it has, within its limit on requests.

    Raises DefinitionNotDeployed, DataRefused for a process without bills or no period of it, ConfigurationInvalid without a
    suitable key, and RecordsUnavailable where the service didn't show everything: nothing was compared then.
    """
    records = records_of(runtime)
    with runtime.database.reading() as connection:
        scope = _scope(connection, runtime, process, period)
        before = _in_mode(facts.ledgers(connection, process, scope.period), records.livemode)
    theirs = _listed(runtime, records, scope, before)
    everything = _ledgers(runtime, scope)
    ours = _in_mode(everything, records.livemode)
    ours, theirs, moving = _asked_again(runtime, records, scope, before, ours, theirs)
    return Reconciliation(
        process=process,
        period=scope.period,
        livemode=records.livemode,
        since=scope.since,
        until=scope.until,
        charges=len(ours.charges),
        payments=sum(payment.succeeded for payment in theirs.payments.values()),
        refunds=len(theirs.refunds),
        other_mode=sum(_counts(row.state) for row in everything.charges.values() if row.request.livemode != records.livemode),
        totals=total(ours, theirs),
        findings=tuple(compare(ours, theirs, moving)),
    )


def records_of(runtime: Runtime) -> ChargeRecords:
    """The records of the service that charges. Raises ConfigurationInvalid where no connector has a key for them."""
    for connector in runtime.connectors.values():
        records = connector.records(runtime.permits) if isinstance(connector, KeepsRecords) else None
        if records is not None:
            return records
    raise ConfigurationInvalid(
        "Expected a secret key for Stripe, whose records the ledger is compared with, but there is none. "
        "Do: set RUN_PROCESS_STRIPE_KEY."
    )


def _counts(state: ChargeState) -> bool:
    return state is ChargeState.SUCCEEDED or state.in_doubt


# --- what is compared -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scope:
    """A period: from when to when the calendar has it, and of which time payments are asked for."""

    process: str
    period: str
    begins_at: datetime
    ends_at: datetime
    since: datetime
    until: datetime


def _scope(connection: Connection, runtime: Runtime, process: str, period: str) -> _Scope:
    """Bills can be charged before their period begins and long after it has ended."""
    carry_over = billing_map(connection, runtime, process)
    assert carry_over.bill is not None
    period = check_period(carry_over, period)
    begins_at, ends_at = _begin(period), _begin(next_period(period, carry_over.bill.every))
    first = facts.first_created_at(connection, process, period)
    since = begins_at if first is None else min(begins_at, first - _MARGIN)
    return _Scope(process, period, begins_at, ends_at, since, runtime.now())


def _begin(period: str) -> datetime:
    day = date.fromisoformat(period if period.count("-") > 1 else f"{period}-01")
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _ledgers(runtime: Runtime, scope: _Scope) -> Ours:
    with runtime.database.reading() as connection:
        return facts.ledgers(connection, scope.process, scope.period)


def _in_mode(ours: Ours, livemode: bool) -> Ours:
    charges = {key: row for key, row in ours.charges.items() if row.request.livemode == livemode}
    refunds = {key: refund for key, refund in ours.refunds.items() if refund.request.livemode == livemode}
    return Ours(charges, refunds)


def _listed(runtime: Runtime, records: ChargeRecords, scope: _Scope, before: Ours) -> Theirs:
    """The service's payments that belong to the period, and the refunds of these and of ours."""
    if scope.since > scope.until:
        return Theirs()  # a period to come, of which nothing was charged
    until = scope.until + _CLOCKS_APART
    keys = {records.key_of(key): key for key in before.charges}
    named = {row.intent for row in before.charges.values()}
    payments: dict[str, PaymentRecord] = {}
    by_hand: list[PaymentRecord] = []
    for payment in records.payments(scope.since, until):
        key = keys.get(payment.charge_key or "")
        if key is not None or payment.id in named or (payment.process, payment.period) == (scope.process, scope.period):
            payments[payment.id] = replace(payment, charge_key=key or payment.charge_key)
        elif payment.by_hand and payment.succeeded and scope.begins_at <= payment.created_at < scope.ends_at:
            by_hand.append(payment)
    payments |= {payment.id: payment for payment in _of_our_customers(runtime, scope, by_hand)}
    ids = payments.keys() | {refund.intent for refund in before.refunds.values()}
    return Theirs(payments, {each.id: each for each in records.refunds(scope.since, until) if each.payment in ids})


def _of_our_customers(runtime: Runtime, scope: _Scope, payments: Collection[PaymentRecord]) -> list[PaymentRecord]:
    """Those of the process's customers; one that another bill has, though it doesn't say so, is left to that."""
    with runtime.database.reading() as connection:
        ours = facts.known_customers(connection, scope.process, {each.customer for each in payments if each.customer is not None})
        of_bills = facts.known_payments(connection, {each.id for each in payments if each.customer in ours})
    return [each for each in payments if each.customer in ours and each.id not in of_bills]


# --- what changed meanwhile -----------------------------------------------------------------------------------------


def _asked_again(
    runtime: Runtime, records: ChargeRecords, scope: _Scope, before: Ours, after: Ours, theirs: Theirs
) -> tuple[Ours, Theirs, set[str]]:
    """Both sides once nothing that is compared changes while it is asked for, and what went on changing all the same."""
    moving = _changed(before, after)
    for _ in range(_LOOKS):
        if not moving:
            break
        before, theirs = after, _with(theirs, records, after, moving)
        now = _in_mode(_ledgers(runtime, scope), records.livemode)
        after = Ours(
            {**after.charges, **{key: row for key, row in now.charges.items() if key in moving}},
            {**after.refunds, **{key: row for key, row in now.refunds.items() if key in moving}},
        )
        moving = _changed(before, after)
    return after, theirs, moving


def _changed(before: Ours, after: Ours) -> set[str]:
    charges = {key for key, row in after.charges.items() if before.charges.get(key) != row}
    return charges | {key for key, refund in after.refunds.items() if before.refunds.get(key) != refund}


def _with(theirs: Theirs, records: ChargeRecords, ours: Ours, keys: Collection[str]) -> Theirs:
    """What the service has by now of some charges and refunds."""
    payments, refunds = dict(theirs.payments), dict(theirs.refunds)
    for key in sorted(keys):
        charge, refund = ours.charges.get(key), ours.refunds.get(key)
        payment = records.payment(charge.intent) if charge is not None and charge.intent is not None else None
        record = records.refund(refund.refund) if refund is not None and refund.refund is not None else None
        payments |= {payment.id: payment} if payment is not None else {}
        refunds |= {record.id: record} if record is not None else {}
    return Theirs(payments, refunds)


__all__ = ["Reconciliation", "reconcile"]
