"""The charge ledger: one row for each (process, customer, period) that was ever to be charged.

Written before and after each call to Stripe; the compare-and-sets decide when two workers hold the same charge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from engine.connector import Charge, ChargeRequest, ChargeResult, ChargeState
from engine.store import instances, jobs
from engine.store.groups import in_groups
from engine.store.prepared import Prepared
from engine.store.tables import bills, charges, incidents
from engine.store.tables import instances as instances_table
from engine.store.tables import jobs as jobs_table

# What every step asks, built once; see the package.
_ADD = {
    "sqlite": Prepared(sqlite.insert(charges).on_conflict_do_nothing()),
    "postgresql": Prepared(postgresql.insert(charges).on_conflict_do_nothing()),
}
_FIND = Prepared(select(charges).where(charges.c.charge_key == bindparam("key")))
_OPEN = update(charges).where(charges.c.charge_key == bindparam("key"), charges.c.state != ChargeState.SUCCEEDED)
_APPLY = Prepared(_OPEN)
_APPLY_TO_ATTEMPT = Prepared(
    _OPEN.where(charges.c.generation == bindparam("of_generation"), charges.c.attempt == bindparam("of_attempt"))
)
_NEXT_GENERATION = charges.c.generation + 1


@cache
def _changing(expected: tuple[tuple[str, bool], ...], next_generation: bool) -> Prepared:
    """A compare-and-set. `expected`: the columns compared, each with whether it is to be empty."""
    statement = _OPEN.values(generation=_NEXT_GENERATION) if next_generation else _OPEN
    for column, empty in expected:
        statement = statement.where(charges.c[column].is_(None) if empty else charges.c[column] == bindparam(f"of_{column}"))
    return Prepared(statement.returning(*charges.c))


_NAMES = tuple(column.name for column in charges.c)


def _record(given: Sequence[Any]) -> Charge:
    row = SimpleNamespace(**dict(zip(_NAMES, given, strict=True)))
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
        charged_at=row.charged_at,
    )


def _frozen(request: ChargeRequest, instance: int) -> dict[str, Any]:
    values = asdict(request)
    del values["instance"]
    return {**values, "instance_id": instance, "state": ChargeState.PREPARED, "attempt": 0, "intent": None}


def find(connection: Connection, charge_key: str) -> Charge | None:
    """One charge."""
    row = _FIND.first(connection, {"key": charge_key})
    return _record(row) if row else None


def lock_bill(connection: Connection, process: str, customer: str, period: str) -> Charge | None:
    """A bill's charge, kept from changing until this transaction ends."""
    where = (charges.c.process == process, charges.c.customer == customer, charges.c.period == period)
    row = connection.execute(select(charges).where(*where).with_for_update(key_share=True)).first()
    return _record(row) if row else None


def prepare(connection: Connection, request: ChargeRequest, instance: int, at: datetime) -> Charge:
    """The charge's row, made from `request` when there is none."""
    values = {**_frozen(request, instance), "generation": 1, "created_at": at, "updated_at": at}
    _ADD[connection.dialect.name].post(connection, values)  # where there is one, it stays as it is
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
    """Freeze `request` anew as the next generation, where `canceled` is the intent that is stored (None: no intent is).

    Attempts go on being counted: they are the bill's, not the intent's.
    """
    frozen = {name: value for name, value in _frozen(request, instance).items() if name != "attempt"}
    values = {**frozen, "generation": _NEXT_GENERATION, "payment_method": None, "reason": None}
    return _change(connection, request.charge_key, {"intent": canceled}, values, at)


def take_over(connection: Connection, request: ChargeRequest, instance: int, at: datetime) -> Charge:
    """The charge's row, frozen for `request` from now on, unless it succeeded; what was begun at the service stays named. For a
    bill that is paid otherwise.
    """
    existing = prepare(connection, request, instance, at)
    if existing.request == request or existing.state is ChargeState.SUCCEEDED:
        return existing
    began = ("charge_key", "state", "attempt", "intent")
    values = {name: value for name, value in _frozen(request, instance).items() if name not in began}
    connection.execute(update(charges).where(charges.c.charge_key == request.charge_key).values(**values, updated_at=at))
    return find(connection, request.charge_key) or existing


def apply(connection: Connection, result: ChargeResult, at: datetime) -> bool:
    """Record how an attempt ended; whether that was stored.

    A success is never overwritten. Two jobs of one instance can hold the same charge at once, so what is no success is stored
    only where the ledger still holds the attempt that it is about; a success is money, and stored in any case.
    """
    values = {"state": result.state, "reason": result.reason, "charged_at": result.charged_at, "updated_at": at}
    if result.generation is None or result.attempt is None or result.state is ChargeState.SUCCEEDED:
        return _APPLY.change(connection, {"key": result.charge_key, **values}) == 1
    attempt = {"of_generation": result.generation, "of_attempt": result.attempt}
    return _APPLY_TO_ATTEMPT.change(connection, {"key": result.charge_key, **attempt, **values}) == 1


def close(connection: Connection, seen: Charge, state: ChargeState, charged_at: datetime | None, at: datetime) -> bool:
    """Record what became of a charge that was given up. False where it isn't as it was `seen` any more."""
    where = (
        charges.c.charge_key == seen.request.charge_key,
        charges.c.generation == seen.generation,
        charges.c.attempt == seen.attempt,
        charges.c.intent == seen.intent,
        charges.c.state == seen.state,
    )
    values = {"state": state, "charged_at": charged_at, "updated_at": at}
    return connection.execute(update(charges).where(*where).values(**values)).rowcount == 1


def _change(
    connection: Connection, charge_key: str, expected: Mapping[str, Any], values: Mapping[str, Any], at: datetime
) -> Charge:
    compared = {f"of_{column}": value for column, value in expected.items() if value is not None}
    given = {column: value for column, value in values.items() if value is not _NEXT_GENERATION}
    statement = _changing(tuple((column, value is None) for column, value in expected.items()), len(given) < len(values))
    changed = statement.first(connection, {"key": charge_key, **compared, **given, "updated_at": at})
    after = _record(changed) if changed else find(connection, charge_key)
    assert after is not None
    return after


def of_instances(connection: Connection, instances: Iterable[int]) -> dict[int, Charge]:
    """Instance -> the charge that was frozen for it, for many at once."""
    query = select(charges)
    return {
        row.instance_id: _record(row)
        for some in in_groups(instances)
        for row in connection.execute(query.where(charges.c.instance_id.in_(some)))
    }


def touched_by(connection: Connection, instance: int) -> list[Charge]:
    """The charges that were frozen for an instance."""
    query = select(charges).where(charges.c.instance_id == instance)
    return [_record(row) for row in connection.execute(query)]


def of_process(connection: Connection, process: str) -> list[Charge]:
    """A process's ledger, by period and customer."""
    query = select(charges).where(charges.c.process == process)
    return [_record(row) for row in connection.execute(query.order_by(charges.c.period, charges.c.customer))]


def of_period(connection: Connection, process: str, period: str) -> list[Charge]:
    """A process's ledger of one period."""
    query = select(charges).where(charges.c.process == process, charges.c.period == period)
    return [_record(row) for row in connection.execute(query)]


# --- charges that were given up -------------------------------------------------------------------------------------

_NOT_OVER = tuple(state for state in ChargeState if state not in (ChargeState.SUCCEEDED, ChargeState.CANCELED))


def _abandoned(livemode: bool) -> Select[Any]:
    """The bill may belong to a new instance by now. While that one has a job, the job may be about to replace the intent."""
    in_use = (
        exists()
        .where(jobs_table.c.instance_id == bills.c.instance_id, jobs_table.c.state.in_(jobs.OPEN))
        .where(*(bills.c[name] == charges.c[name] for name in ("process", "customer", "period")))
    )
    return (
        select(charges)
        .join(instances_table, instances_table.c.id == charges.c.instance_id)
        .where(charges.c.state.in_(_NOT_OVER), charges.c.intent.is_not(None), charges.c.livemode == livemode)
        .where(instances_table.c.state != instances.ACTIVE, ~in_use)
    )


def abandoned_keys(connection: Connection, livemode: bool) -> list[str]:
    """The keys of the charges that have an intent which can still take money although the instance has ended and nobody will
    confirm it any more. Mostly none: these are closed soon.
    """
    return list(connection.execute(_abandoned(livemode).with_only_columns(charges.c.charge_key)).scalars())


def find_abandoned(connection: Connection, livemode: bool, charge_key: str) -> Charge | None:
    """One of them; None where it isn't any more."""
    row = connection.execute(_abandoned(livemode).where(charges.c.charge_key == charge_key)).first()
    return _record(row) if row else None


def livemode_of(connection: Connection, process: str) -> bool | None:
    """The mode of a process's newest row; None where it has none."""
    query = select(charges.c.livemode).where(charges.c.process == process).order_by(charges.c.created_at.desc()).limit(1)
    found: bool | None = connection.execute(query).scalar()
    return found


def first_created_at(connection: Connection) -> datetime | None:
    """When the ledger's first row was made."""
    found: datetime | None = connection.execute(select(func.min(charges.c.created_at))).scalar()
    return found


# --- the whole ledger -----------------------------------------------------------------------------------------------

_ORDER = (charges.c.period, charges.c.customer, charges.c.process)


def listing(
    connection: Connection, filters: Mapping[str, str], states: Iterable[str], after: Charge | None, limit: int
) -> list[Charge]:
    """A page of the ledger by period, customer and process, those behind `after`. `filters`: process, period, customer.

    Each state is asked for on its own, in the order of an index: so a page takes as long in a large ledger as in a small one.
    """
    query = select(charges).where(*(_chosen(name) == value for name, value in filters.items()))
    if after is not None:
        query = query.where(tuple_(*_ORDER) > tuple_(*_place(after)))
    ordered = [page.order_by(*_ORDER).limit(limit) for page in _by_state(query, states)]
    if len(ordered) == 1:
        return [_record(row) for row in connection.execute(ordered[0])]
    merged = union_all(*(page.subquery().select() for page in ordered)).subquery()
    place = (merged.c.period, merged.c.customer, merged.c.process)
    return [_record(row) for row in connection.execute(select(merged).order_by(*place).limit(limit))]


def _chosen(name: str) -> ColumnElement[str]:
    """A column to choose by. One process can have the whole ledger: its rows are picked out in order, not found and sorted."""
    return charges.c.process.concat("") if name == "process" else charges.c[name]


def _by_state(query: Select[Any], states: Iterable[str]) -> list[Select[Any]]:
    return [query.where(charges.c.state == state) for state in dict.fromkeys(states)] or [query]


def _place(charge: Charge) -> tuple[str, str, str]:
    return charge.request.period, charge.request.customer, charge.request.process


@dataclass(frozen=True, slots=True)
class LookUp:
    """When the job of a charge in doubt runs next; None, and the incident's number, where that takes a person."""

    next_at: datetime | None
    incident: int | None


def look_ups(connection: Connection, numbers: Iterable[int]) -> dict[int, LookUp]:
    """Instance -> when its charge in doubt is looked up next. An instance without an open job isn't in it."""
    open_incident = and_(incidents.c.job_id == jobs_table.c.id, incidents.c.resolved_at.is_(None))
    query = (
        select(jobs_table.c.instance_id, jobs_table.c.state, jobs_table.c.run_at, jobs_table.c.lease_until, incidents.c.id)
        .join(incidents, open_incident, isouter=True)
        .where(jobs_table.c.instance_id.in_(bindparam("numbers", expanding=True)), jobs_table.c.state.in_(jobs.OPEN))
        .order_by(jobs_table.c.look_ups, jobs_table.c.id)  # beside the charge's own job there can be others; the last one counts
    )
    found: dict[int, LookUp] = {}
    for some in in_groups(numbers):
        for instance, state, run_at, lease_until, incident in connection.execute(query, {"numbers": some}):
            found[instance] = LookUp(None if state == jobs.FAILED else lease_until or run_at, incident)
    return found
