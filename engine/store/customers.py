"""The roster of each process: its customers, and what was decided about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from engine.billing.roster import RosterEvent
from engine.store.prepared import Prepared
from engine.store.tables import customer_events, customers

# What every start by hand and every end asks, built once; see the package.
_ADD = {
    "sqlite": Prepared(sqlite.insert(customers).on_conflict_do_nothing()),
    "postgresql": Prepared(postgresql.insert(customers).on_conflict_do_nothing()),
}
_EVENTS = Prepared(
    select(*(column for column in customer_events.c if column.name not in ("process", "customer", "number")))
    .where(customer_events.c.process == bindparam("process"), customer_events.c.customer == bindparam("customer"))
    .order_by(customer_events.c.number)
)


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer on a process's roster. `data` is what their first instance started with, or is to start with."""

    process: str
    customer: str
    first_period: str
    data: Mapping[str, Any]
    enrolled_at: datetime
    enrolled_by: str


def enrol(connection: Connection, row: CustomerRow) -> None:
    """Put a customer on the roster, with the statements that follow; who stands on it already stays as they are."""
    values = {name: getattr(row, name) for name in CustomerRow.__slots__}
    _ADD[connection.dialect.name].post(connection, values)


def find(connection: Connection, process: str, customer: str) -> CustomerRow | None:
    """One customer; None where they aren't on the roster."""
    query = select(customers).where(customers.c.process == process, customers.c.customer == customer)
    row = connection.execute(query).first()
    return CustomerRow(*row) if row else None


def find_many(connection: Connection, process: str, names: Iterable[str]) -> dict[str, CustomerRow]:
    """Those of some customers that are on the roster, by customer."""
    query = select(customers).where(customers.c.process == process, customers.c.customer.in_(list(names)))
    return {row.customer: CustomerRow(*row) for row in connection.execute(query).all()}


def listing(connection: Connection, process: str, after: str, limit: int) -> list[CustomerRow]:
    """A page of the roster by customer, those behind `after`."""
    query = select(customers).where(customers.c.process == process, customers.c.customer > after)
    return [CustomerRow(*row) for row in connection.execute(query.order_by(customers.c.customer).limit(limit))]


def first_periods(connection: Connection, process: str) -> dict[str, str]:
    """Customer -> the period from which they are enrolled, for the whole roster."""
    query = select(customers.c.customer, customers.c.first_period).where(customers.c.process == process)
    return {row.customer: row.first_period for row in connection.execute(query).all()}


def record(connection: Connection, process: str, customer: str, event: RosterEvent) -> None:
    """Add what was decided. Two decisions at once: the UNIQUE number lets one of them fail."""
    where = (customer_events.c.process == process, customer_events.c.customer == customer)
    number = select(func.coalesce(func.max(customer_events.c.number), 0) + 1).where(*where).scalar_subquery()
    values = {
        "process": process,
        "customer": customer,
        "number": number,
        "event": event.event,
        "from_period": event.from_period,
        "reason": event.reason,
        "at": event.at,
        "by": event.by,
        "instance_id": event.instance,
    }
    connection.execute(insert(customer_events).values(**values))


def ask_events(connection: Connection, process: str, customer: str) -> Callable[[], list[RosterEvent]]:
    """What was decided about a customer, in the order in which it was; asked with the statements that follow."""
    rows = _EVENTS.ask(connection, {"process": process, "customer": customer})
    return lambda: [RosterEvent(*row) for row in rows()]


def events(connection: Connection, process: str) -> dict[str, list[RosterEvent]]:
    """Customer -> what was decided about them, for the whole roster: few have any."""
    query = select(customer_events).where(customer_events.c.process == process)
    found: dict[str, list[RosterEvent]] = {}
    for row in connection.execute(query.order_by(customer_events.c.customer, customer_events.c.number)):
        event = RosterEvent(row.event, row.from_period, row.reason, row.at, row.by, row.instance_id)
        found.setdefault(row.customer, []).append(event)
    return found
