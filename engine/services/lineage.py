"""A customer's months in a line, with what was billed in each, gaps and forks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from engine.billing.lineage import Gap, Link, forks, line_up
from engine.errors import EngineError
from engine.execution.state import load_state
from engine.model.identifiers import Kind, format_id, parse_id
from engine.services.inspecting import chain
from engine.services.runtime import Runtime
from engine.services.views import InstanceView
from engine.store import charges, customers, instances, refunds


@dataclass(frozen=True, slots=True)
class Month:
    """One place in the line. `instance` is None for a gap, and `state` says then why: missing, paused, ended. `amount` is what
    was charged, else what was entered; `refunded` what of it was given back; both in minor units. `fork` says why an instance is
    one too many.
    """

    process: str
    period: str | None
    state: str
    instance: InstanceView | None
    charge: dict[str, Any] | None = None
    amount: int | None = None
    currency: str | None = None
    refunded: int = 0
    fork: str | None = None


def lineage(runtime: Runtime, customer: str, process: str | None = None) -> list[Month]:
    """A customer's months, by process and period. `customer` may also be an instance's id. Raises NotFound."""
    found = chain(runtime, customer, process)
    with runtime.database.reading() as connection:
        processes = dict.fromkeys(view.process for view, _ in found)
        return [
            month
            for name in processes
            for month in _line(connection, runtime, name, [each for each in found if each[0].process == name])
        ]


def _line(
    connection: Connection, runtime: Runtime, process: str, found: list[tuple[InstanceView, dict[str, Any] | None]]
) -> Iterator[Month]:
    months = {view.id: _month(connection, runtime, view, charge) for view, charge in found}
    links = [_link(view) for view, _ in found if view.period is not None]
    told = forks(links)
    bill = runtime.definition(connection, process, found[-1][0].version).carry_over.bill
    if bill is None:
        yield from months.values()
        return
    customer = found[-1][0].customer or ""
    row = customers.find(connection, process, customer)
    events = customers.ask_events(connection, process, customer)()
    for each in line_up(links, bill.every, row.first_period if row is not None else None, events):
        if isinstance(each, Gap):
            yield Month(process, each.period, each.standing, None)
        else:
            month = months[format_id(Kind.INSTANCE, each.number)]
            yield replace(month, fork=told.get(each.number))


def _link(view: InstanceView) -> Link:
    previous = parse_id(Kind.INSTANCE, view.previous) if view.previous is not None else None
    return Link(parse_id(Kind.INSTANCE, view.id), view.period or "", previous, view.state != instances.CANCELLED)


def _month(connection: Connection, runtime: Runtime, view: InstanceView, charge: dict[str, Any] | None) -> Month:
    amount, currency = (charge["amount"], charge["currency"]) if charge else _entered(connection, runtime, view)
    number = parse_id(Kind.INSTANCE, view.id)
    keys = [each.request.charge_key for each in charges.touched_by(connection, number)] if charge else []
    refunded = sum(refunds.of_charge_keys(connection, keys).values()) if keys else 0
    return Month(view.process, view.period, view.state, view, charge, amount, currency, refunded)


def _entered(connection: Connection, runtime: Runtime, view: InstanceView) -> tuple[int | None, str | None]:
    """What was entered, where nothing was charged."""
    carry_over = runtime.definition(connection, view.process, view.version).carry_over
    item = carry_over.billed_item
    try:
        data = load_state(instances.get(connection, parse_id(Kind.INSTANCE, view.id)).token_state).data
    except EngineError:
        return None, None  # a state that can't be read has no amount; `show` says so
    value = data.get(item.name) if item is not None else None
    return (value, carry_over.currency_of(item, data)) if item is not None and isinstance(value, int) else (None, None)
