"""The charge ledger: one row for each (process, customer, period) that was ever to be charged.

Written before and after each call to Stripe; the compare-and-sets decide when two workers hold the same charge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from engine.connector import Charge, ChargeRequest, ChargeResult, ChargeState
from engine.store.tables import charges

# What every step asks, built once; see the package.
_ADD = insert(charges)
_FIND = select(charges).where(charges.c.charge_key == bindparam("key"))
_APPLY = update(charges).where(charges.c.charge_key == bindparam("key"), charges.c.state != ChargeState.SUCCEEDED)


def _record(row: Row[Any]) -> Charge:
    request = ChargeRequest(
        charge_key=row.charge_key,
        process=row.process,
        customer=row.customer,
        period=row.period,
        instance=f"i{row.instance_id}",
        amount=row.amount,
        currency=row.currency,
        stripe_customer=row.stripe_customer,
        approved_by=row.approved_by,
        livemode=row.livemode,
    )
    return Charge(
        request=request,
        state=ChargeState(row.state),
        generation=row.generation,
        attempt=row.attempt,
        intent=row.intent,
        payment_method=row.payment_method,
        reason=row.reason,
        updated_at=row.updated_at,
    )


def _frozen(request: ChargeRequest, instance: int) -> dict[str, Any]:
    values = asdict(request)
    del values["instance"]
    return {**values, "instance_id": instance, "state": ChargeState.PREPARED, "attempt": 0, "intent": None}


def find(connection: Connection, charge_key: str) -> Charge | None:
    """One charge."""
    row = connection.execute(_FIND, {"key": charge_key}).first()
    return _record(row) if row else None


def prepare(connection: Connection, request: ChargeRequest, instance: int, at: datetime) -> Charge:
    """The charge's row, made from `request` when there is none."""
    existing = find(connection, request.charge_key)
    if existing is None:
        try:
            with connection.begin_nested():
                values = _frozen(request, instance)
                connection.execute(_ADD, {**values, "generation": 1, "created_at": at, "updated_at": at})
        except IntegrityError:
            pass  # another worker was first; its row is the one
        existing = find(connection, request.charge_key)
    assert existing is not None
    return existing


def record_intent(connection: Connection, charge_key: str, generation: int, intent: str, at: datetime) -> Charge:
    """PREPARED -> CREATED with the intent's id, where none is stored; the row as it is then."""
    expected = {"generation": generation, "state": ChargeState.PREPARED, "intent": None}
    return _change(connection, charge_key, expected, {"state": ChargeState.CREATED, "intent": intent}, at)


def begin_confirm(connection: Connection, charge_key: str, attempt: int, payment_method: str, at: datetime) -> Charge:
    """Attempt `attempt - 1` -> `attempt`, CONFIRMING; the row as it is then."""
    values = {"attempt": attempt, "state": ChargeState.CONFIRMING, "payment_method": payment_method, "reason": None}
    return _change(connection, charge_key, {"attempt": attempt - 1}, values, at)


def replace_intent(connection: Connection, request: ChargeRequest, canceled: str | None, instance: int, at: datetime) -> Charge:
    """Freeze `request` anew as the next generation, where `canceled` is the intent that is stored (None: no intent is)."""
    values = {**_frozen(request, instance), "generation": charges.c.generation + 1, "payment_method": None, "reason": None}
    return _change(connection, request.charge_key, {"intent": canceled}, values, at)


def apply(connection: Connection, result: ChargeResult, at: datetime) -> None:
    """Record how an attempt ended. A success is never overwritten."""
    values = {"state": result.state, "reason": result.reason, "charged_at": result.charged_at, "updated_at": at}
    connection.execute(_APPLY, {"key": result.charge_key, **values})


def _change(
    connection: Connection, charge_key: str, expected: Mapping[str, Any], values: Mapping[str, Any], at: datetime
) -> Charge:
    statement = update(charges).where(charges.c.charge_key == charge_key, charges.c.state != ChargeState.SUCCEEDED)
    for column, value in expected.items():
        statement = statement.where(charges.c[column].is_(None) if value is None else charges.c[column] == value)
    connection.execute(statement.values(**values, updated_at=at))
    after = find(connection, charge_key)
    assert after is not None
    return after


def of_instances(connection: Connection, instances: Iterable[int]) -> dict[int, Charge]:
    """Instance -> the charge that was frozen for it, for many at once."""
    query = select(charges).where(charges.c.instance_id.in_(list(instances)))
    return {row.instance_id: _record(row) for row in connection.execute(query)}


def touched_by(connection: Connection, instance: int) -> list[Charge]:
    """The charges that were frozen for an instance."""
    query = select(charges).where(charges.c.instance_id == instance)
    return [_record(row) for row in connection.execute(query)]


def of_process(connection: Connection, process: str) -> list[Charge]:
    """A process's ledger, by period and customer."""
    query = select(charges).where(charges.c.process == process)
    return [_record(row) for row in connection.execute(query.order_by(charges.c.period, charges.c.customer))]
