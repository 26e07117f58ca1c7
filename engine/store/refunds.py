"""The ledger of refunds: one row for each refund that was ever to be made, by the job that makes it.

The amounts of a charge's refunds are added up and a new one is stored while the charge's row is locked, so that two at once
never give back more than was charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, insert, or_, select, tuple_, update

from engine.connector import Refund, RefundRequest, RefundResult, RefundState
from engine.model.identifiers import Kind, format_id
from engine.store.groups import in_groups
from engine.store.tables import charges, refunds

_VOID = tuple(state for state in RefundState if state.is_void)
_GIVES_BACK = tuple(state for state in RefundState if state.gives_back)
_ASKED = (refunds.c.created_at, func.length(refunds.c.refund_key), refunds.c.refund_key)  # j9 before j10
_ORDER = (charges.c.period, charges.c.customer, charges.c.process, *_ASKED)
_BILLED = (charges.c.process, charges.c.customer, charges.c.period, charges.c.instance_id.label("bill_id"))
_ALL = select(refunds, *_BILLED).join(charges, charges.c.charge_key == refunds.c.charge_key)


def _record(row: RowMapping) -> Refund:
    request = RefundRequest(
        process=row["process"],
        customer=row["customer"],
        period=row["period"],
        amount=row["amount"],
        currency=row["currency"],
        reason=row["reason"]["reason"],
        comment=row["reason"]["comment"],
        requested_by=row["requested_by"],
        approved_by=row["approved_by"],
        livemode=row["livemode"],
    )
    return Refund(
        refund_key=row["refund_key"],
        request=request,
        amount=row["amount"],
        instance=format_id(Kind.INSTANCE, row["instance_id"]),
        bill=format_id(Kind.INSTANCE, row["bill_id"]),
        intent=row["intent"],
        state=RefundState(row["state"]),
        attempt=row["attempt"],
        refund=row["refund"],
        problem=row["problem"],
        refunded_at=row["refunded_at"],
        updated_at=row["updated_at"],
    )


def _found(connection: Connection, query: Select[Any]) -> list[Refund]:
    return [_record(row) for row in connection.execute(query).mappings()]


def find(connection: Connection, refund_key: str) -> Refund | None:
    """One refund."""
    return next(iter(_found(connection, _ALL.where(refunds.c.refund_key == refund_key))), None)


def reserved(connection: Connection, charge_key: str) -> int:
    """The sum of a charge's refunds that aren't void, in minor units."""
    query = select(func.coalesce(func.sum(refunds.c.amount), 0))
    query = query.where(refunds.c.charge_key == charge_key, refunds.c.state.not_in(_VOID))
    return int(connection.execute(query).scalar_one())


def add(connection: Connection, refund: Refund, charge_key: str, instance: int, at: datetime) -> None:
    """Store a refund that is to be made. Raises IntegrityError where its key has one."""
    request = refund.request
    values = {
        "refund_key": refund.refund_key,
        "charge_key": charge_key,
        "instance_id": instance,
        "amount": refund.amount,
        "currency": request.currency,
        "intent": refund.intent,
        "reason": {"reason": request.reason, "comment": request.comment},
        "requested_by": request.requested_by,
        "approved_by": request.approved_by,
        "livemode": request.livemode,
        "state": refund.state,
        "attempt": refund.attempt,
        "created_at": at,
        "updated_at": at,
    }
    connection.execute(insert(refunds).values(**values))


def begin(connection: Connection, refund_key: str, attempt: int, at: datetime) -> Refund:
    """PREPARED with `attempt - 1` requests begun -> SUBMITTING with `attempt`; the row as it is then."""
    where = (refunds.c.refund_key == refund_key, refunds.c.attempt == attempt - 1, refunds.c.state == RefundState.PREPARED)
    values = {"state": RefundState.SUBMITTING, "attempt": attempt, "problem": None, "updated_at": at}
    connection.execute(update(refunds).where(*where).values(**values))
    after = find(connection, refund_key)
    assert after is not None
    return after


def apply(connection: Connection, result: RefundResult, at: datetime) -> None:
    """Record how a refund ended. One that succeeded is overwritten only by what the service says of it later (`settle`)."""
    where = (refunds.c.refund_key == result.refund_key, refunds.c.state != RefundState.SUCCEEDED)
    values: dict[str, Any] = {"state": result.state, "problem": result.problem, "updated_at": at}
    values |= {"refund": result.refund} if result.refund is not None else {}
    values |= {"refunded_at": result.refunded_at} if result.refunded_at is not None else {}
    connection.execute(update(refunds).where(*where).values(**values))


def give_up_prepared(connection: Connection, instance: int, at: datetime, jobs: Iterable[str] | None = None) -> None:
    """Void an instance's refunds (those of `jobs`, if given) that were never sent: nobody will send them any more."""
    where = [refunds.c.instance_id == instance, refunds.c.state == RefundState.PREPARED]
    where += [] if jobs is None else [refunds.c.refund_key.in_(list(jobs))]
    connection.execute(update(refunds).where(*where).values(state=RefundState.CANCELED, updated_at=at))


def touched_by(connection: Connection, instance: int) -> list[Refund]:
    """The refunds that an instance was to make, oldest first."""
    query = _ALL.where(refunds.c.instance_id == instance)
    return _found(connection, query.order_by(*_ASKED))


# --- refunds that take their time -----------------------------------------------------------------------------------


def pending(connection: Connection, livemode: bool, most: int) -> list[Refund]:
    """Refunds that the bank has yet to take, those first that were looked at longest ago."""
    query = _ALL.where(refunds.c.state == RefundState.PENDING, refunds.c.livemode == livemode)
    return _found(connection, query.order_by(refunds.c.updated_at, *_ASKED).limit(most))


def made(connection: Connection, livemode: bool, since: datetime, looked_at: datetime, most: int) -> list[Refund]:
    """Refunds that succeeded after `since` and were looked at last before `looked_at`, those first longest ago."""
    query = _ALL.where(refunds.c.state == RefundState.SUCCEEDED, refunds.c.livemode == livemode, refunds.c.refund.is_not(None))
    query = query.where(refunds.c.refunded_at > since, refunds.c.updated_at < looked_at)
    return _found(connection, query.order_by(refunds.c.updated_at, *_ASKED).limit(most))


def settle(connection: Connection, seen: Refund, state: RefundState, problem: str | None, at: datetime) -> bool:
    """Record what became of a refund that gives back, or that it was looked at. False where it isn't as it was `seen`."""
    where = (refunds.c.refund_key == seen.refund_key, refunds.c.state == seen.state)
    values = {"state": state, "problem": problem, "updated_at": at}
    return connection.execute(update(refunds).where(*where).values(**values)).rowcount == 1


def key_of(connection: Connection, refund: str) -> str | None:
    """The key of the refund that has this id at the service."""
    found: str | None = connection.execute(select(refunds.c.refund_key).where(refunds.c.refund == refund)).scalar()
    return found


# --- what was given back --------------------------------------------------------------------------------------------


def of_charges(connection: Connection, process: str, period: str) -> dict[str, int]:
    """Customer -> what was given back of this period's charge, succeeded or pending, in minor units of its currency."""
    query = select(charges.c.customer, func.sum(refunds.c.amount)).join(charges, charges.c.charge_key == refunds.c.charge_key)
    query = query.where(charges.c.process == process, charges.c.period == period, refunds.c.state.in_(_GIVES_BACK))
    return {customer: int(total) for customer, total in connection.execute(query.group_by(charges.c.customer))}


def of_charge_keys(connection: Connection, charge_keys: Iterable[str]) -> dict[str, int]:
    """Charge -> the same, for many charges; one without refunds isn't in it."""
    query = select(refunds.c.charge_key, func.sum(refunds.c.amount)).where(refunds.c.state.in_(_GIVES_BACK))
    found: dict[str, int] = {}
    for some in in_groups(charge_keys):
        of_some = query.where(refunds.c.charge_key.in_(some)).group_by(refunds.c.charge_key)
        found |= {key: int(total) for key, total in connection.execute(of_some)}
    return found


def listing(
    connection: Connection,
    filters: Mapping[str, str] | None = None,
    states: Iterable[RefundState] = (),
    after: str | None = None,
    limit: int | None = None,
) -> list[Refund]:
    """Refunds by period and customer of their bills, then in the order in which they were asked for.

    `filters`: process, period and customer of the bill. No states: all. `after` is the key of a refund: those behind it.
    """
    query = _ALL.where(*(charges.c[name] == value for name, value in (filters or {}).items()))
    wanted = list(states)
    if wanted:
        query = query.where(or_(*(refunds.c.state == state for state in wanted)))
    if after is not None:
        place = connection.execute(_ALL.with_only_columns(*_ORDER).where(refunds.c.refund_key == after)).one()
        query = query.where(tuple_(*_ORDER) > tuple_(*place))
    return _found(connection, query.order_by(*_ORDER).limit(limit))
