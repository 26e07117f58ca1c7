"""Process instances, and the bills that make each customer's period exist once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from engine.errors import InstanceNotActive
from engine.model.identifiers import Kind, format_id, unknown
from engine.store import history
from engine.store.history import Head
from engine.store.prepared import Prepared
from engine.store.tables import bills, instances

ACTIVE, COMPLETED, CANCELLED = "active", "completed", "cancelled"
MANUAL, REUSE, MESSAGE, REPAIR, TIMER, CALL = "manual", "reuse", "message", "repair", "timer", "call"

# What every step asks, built once; see the package.
_ADD = Prepared(insert(instances))
_CLAIM_BILL = {
    "sqlite": Prepared(sqlite.insert(bills).on_conflict_do_nothing().returning(bills.c.instance_id)),
    "postgresql": Prepared(postgresql.insert(bills).on_conflict_do_nothing().returning(bills.c.instance_id)),
}
_ONE = select(instances).where(instances.c.id == bindparam("instance"))
# Its number never changes, so rows that refer to it may be added meanwhile: the charge ledger's, by who holds the job alone.
_GET, _LOCK = Prepared(_ONE), Prepared(_ONE.with_for_update(key_share=True))
_SAVE = Prepared(
    update(instances)
    .where(instances.c.id == bindparam("instance"), instances.c.revision == bindparam("as_read"))
    .returning(instances.c.id, *history.HEAD)
)


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One process instance as it is stored. `previous_values` are what forms show beside empty fields."""

    id: int
    process: str
    version: int
    state: str
    customer: str | None
    period: str | None
    started_by: str
    started_user: str
    previous_id: int | None
    started_at: datetime
    ended_at: datetime | None
    end_events: list[str] | None
    token_state: str
    previous_values: Mapping[str, Any]
    revision: int


@dataclass(frozen=True, slots=True)
class NewInstance:
    """An instance about to be stored."""

    process: str
    version: int
    customer: str | None
    period: str | None
    started_by: str
    started_user: str
    previous_id: int | None
    started_at: datetime
    previous_values: Mapping[str, Any]


_GIVEN = tuple(field.name for field in fields(NewInstance))


def _record(row: Row[Any]) -> InstanceRow:
    return InstanceRow(*tuple(row))


def add(connection: Connection, new: NewInstance, token_state: str, ended: Mapping[str, Any]) -> InstanceRow:
    """Store a new instance after its first transition; `ended` as in `save`."""
    values: dict[str, Any] = {name: getattr(new, name) for name in _GIVEN}
    values |= {"state": ACTIVE, "ended_at": None, "end_events": None, "token_state": token_state, "revision": 1, **ended}
    return InstanceRow(id=_ADD.insert(connection, values), **values)


def claim_bill(connection: Connection, process: str, customer: str, period: str, instance: int) -> Callable[[], int | None]:
    """Make `instance` the bill of this customer's period, with the statements that follow. What is given tells the instance that
    is it already, None on success.

    The UNIQUE key decides, also between two transactions at once; a bill that is freed at this very moment is tried again.
    """
    values = {"process": process, "customer": customer, "period": period, "instance_id": instance}
    claimed = _CLAIM_BILL[connection.dialect.name].ask(connection, values)

    def billed() -> int | None:
        done = claimed()
        while not done:
            existing = billed_by(connection, process, customer, period)
            if existing is not None:
                return existing
            done = _CLAIM_BILL[connection.dialect.name].all(connection, values)
        return None

    return billed


def billed_by(connection: Connection, process: str, customer: str, period: str) -> int | None:
    """The instance that is the bill of this customer's period."""
    where = (bills.c.process == process, bills.c.customer == customer, bills.c.period == period)
    number: int | None = connection.execute(select(bills.c.instance_id).where(*where)).scalar()
    return number


@dataclass(frozen=True, slots=True)
class BillRow:
    """A customer's bill for a period."""

    period: str
    instance: int


def newest_bill(connection: Connection, process: str, customer: str, until: str | None = None) -> BillRow | None:
    """A customer's bill for their newest period, or the newest one up to `until`."""
    query = select(bills.c.period, bills.c.instance_id).where(bills.c.process == process, bills.c.customer == customer)
    if until is not None:
        query = query.where(bills.c.period <= until)
    row = connection.execute(query.order_by(bills.c.period.desc()).limit(1)).first()
    return BillRow(*row) if row else None


def first_bill(connection: Connection, process: str, customer: str) -> BillRow | None:
    """A customer's bill for their first period."""
    where = (bills.c.process == process, bills.c.customer == customer)
    query = select(bills.c.period, bills.c.instance_id).where(*where).order_by(bills.c.period).limit(1)
    row = connection.execute(query).first()
    return BillRow(*row) if row else None


def free_bill(connection: Connection, instance: int) -> None:
    """Give a cancelled instance's period free."""
    connection.execute(delete(bills).where(bills.c.instance_id == instance))


def get(connection: Connection, number: int) -> InstanceRow:
    """One instance. Raises NotFound."""
    row = _GET.first(connection, {"instance": number})
    if row is None:
        raise unknown(Kind.INSTANCE, number)
    return InstanceRow(*row)


def get_many(connection: Connection, numbers: Iterable[int]) -> dict[int, InstanceRow]:
    """Several instances by number."""
    rows = connection.execute(select(instances).where(instances.c.id.in_(set(numbers))))
    return {row.id: _record(row) for row in rows}


def lock(connection: Connection, number: int, *, ended_too: bool = False) -> InstanceRow:
    """One instance, kept from changing until this transaction ends. Raises NotFound, InstanceNotActive.

    Who also locks a job or message of it, locks the instance first: two who wait for each other would wait for ever.
    """
    row = _LOCK.first(connection, {"instance": number})
    if row is None:
        raise unknown(Kind.INSTANCE, number)
    instance = InstanceRow(*row)
    if not ended_too:
        check_active(instance)
    return instance


def check_active(instance: InstanceRow) -> None:
    """Raise InstanceNotActive for one that has ended."""
    if instance.state != ACTIVE:
        named = format_id(Kind.INSTANCE, instance.id)
        raise InstanceNotActive(f"Expected {named} to be active, but it is {instance.state}. Do: run-process show {named}.")


def adopt(connection: Connection, number: int, previous: int) -> bool:
    """Link an instance that was started by hand, from nothing, behind its predecessor. False when it has one already."""
    where = (instances.c.id == number, instances.c.previous_id.is_(None))
    return connection.execute(update(instances).where(*where).values(previous_id=previous)).rowcount == 1


def save(connection: Connection, instance: InstanceRow, token_state: str, ended: Mapping[str, Any]) -> Head:
    """Store the state after a transition; `ended` holds state, ended_at and end_events when no token is left. Gives where the
    instance's history stands.

    A compare-and-set on the revision: nothing that another transaction wrote meanwhile is overwritten.
    """
    return begin_saving(connection, instance, token_state, ended)()


def begin_saving(connection: Connection, instance: InstanceRow, token_state: str, ended: Mapping[str, Any]) -> Callable[[], Head]:
    """The same, sent with the statements that follow. What gives where the history stands has to be called: it compares."""
    values = {"token_state": token_state, "revision": instance.revision + 1, **ended}
    which = {"instance": instance.id, "as_read": instance.revision, "of_history": instance.id}
    saved = _SAVE.ask(connection, {**values, **which})

    def head() -> Head:
        rows = saved()
        if not rows:
            raise InstanceNotActive(
                f"Expected {format_id(Kind.INSTANCE, instance.id)} to be as it was read, but it has moved on. Do: try again."
            )
        return history.head_in(rows[0])

    return head


def successor(connection: Connection, number: int) -> int | None:
    """The instance that was started from this one. A cancelled one counts only where there is no other."""
    return successors(connection, [number]).get(number)


def successors(connection: Connection, numbers: Iterable[int]) -> dict[int, int]:
    """Instance -> the instance that was started from it, for many at once."""
    query = select(instances.c.previous_id, instances.c.id).where(instances.c.previous_id.in_(list(numbers)))
    found: dict[int, int] = {}
    for row in connection.execute(query.order_by(instances.c.state == CANCELLED, instances.c.id)):
        found.setdefault(row.previous_id, row.id)
    return found


def listing(connection: Connection, filters: Mapping[str, Any], after: int, limit: int) -> list[InstanceRow]:
    """A page of instances by number, those behind `after`, where each column in `filters` has its value."""
    query: Select[Any] = select(instances).where(instances.c.id > after)
    for column, value in filters.items():
        query = query.where(instances.c[column] == value)
    return [_record(row) for row in connection.execute(query.order_by(instances.c.id).limit(limit))]


def of_customer(connection: Connection, customer: str, process: str | None) -> list[InstanceRow]:
    """Every instance of a customer, by period and number."""
    query = select(instances).where(instances.c.customer == customer)
    if process is not None:
        query = query.where(instances.c.process == process)
    order = (instances.c.process, instances.c.period, instances.c.id)
    return [_record(row) for row in connection.execute(query.order_by(*order))]
