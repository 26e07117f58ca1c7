"""Mend broken chains: start what coverage finds missing, from the last good instance, through the carry-over map.

Each customer is mended in a transaction of their own, and the bill's UNIQUE key decides between two who repair at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from engine.billing.coverage import CoverageRow, CoverageState
from engine.billing.roster import Standing, standing_in
from engine.definition.beginning import known_items, none_start
from engine.definition.carry_over import hand_over
from engine.errors import AlreadyBilled, DataRefused, EngineError
from engine.execution.state import load_state
from engine.model.identifiers import Kind, format_id
from engine.model.period import next_period
from engine.services.coverage import coverage
from engine.services.enrolling import billing_map
from engine.services.handing_over import deliver
from engine.services.resolving import retry
from engine.services.runtime import Runtime
from engine.services.starting import Beginning, start_instance
from engine.store import customers, incidents, instances, messages
from engine.store.customers import CustomerRow


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of one customer: `started`, `delivered` (the hand-over that waited for a person), `enrolled`, `already` (mended
    meanwhile) or `failed`; in a trial `would`. `reason` is what was wrong, or why it couldn't be mended.
    """

    customer: str
    outcome: str
    instance: str | None
    period: str
    reason: str


def to_repair(rows: Iterable[CoverageRow]) -> list[CoverageRow]:
    """Those that can be mended: what is missing, and who isn't on the roster."""
    return [row for row in rows if row.state is CoverageState.MISSING or not row.enrolled]


def broken(runtime: Runtime, process: str, period: str) -> list[CoverageRow]:
    """What is missing in a period. Raises DefinitionNotDeployed, DataRefused."""
    return to_repair(coverage(runtime, process, period))


def repair(
    runtime: Runtime, process: str, period: str, rows: Iterable[CoverageRow], by: str, report: Callable[[Repair], None]
) -> None:
    """Mend the chains of these rows up to `period`: a chain that has stood still for longer goes on at its first missing period
    and catches up by itself, one bill after the other.
    """
    for row in rows:
        report(repair_customer(runtime, process, row.customer, period, by, row.reason))


def repair_customer(runtime: Runtime, process: str, customer: str, period: str, by: str, why: str = "") -> Repair:
    """Mend one customer's chain, if it stands still before `period`."""
    try:
        with runtime.database.transaction() as connection:
            enrolled = _enrol_stranger(connection, runtime, process, customer, by)
            undelivered = _undelivered(connection, process, customer, period)
            if undelivered is None:
                number, of = _start_missing(connection, runtime, process, customer, period, by)
                if number is not None:
                    return Repair(customer, "started", format_id(Kind.INSTANCE, number), of, why)
                return Repair(customer, "enrolled" if enrolled else "already", None, of, why)
        retry(runtime, format_id(Kind.INCIDENT, undelivered[0]), by)
        message = deliver(runtime, undelivered[1], by)
    except AlreadyBilled as already:
        return Repair(customer, "already", already.instance, already.period, why)
    except EngineError as refused:
        return Repair(customer, "failed", None, period, str(refused))
    if message.delivered_to is None:
        return Repair(customer, "failed", None, period, message.last_error or why)
    return Repair(customer, "delivered", format_id(Kind.INSTANCE, message.delivered_to), period, why)


def _enrol_stranger(connection: Connection, runtime: Runtime, process: str, customer: str, by: str) -> bool:
    """Put a customer who has bills on the roster, from their first bill on."""
    if customers.find(connection, process, customer) is not None:
        return False
    first = instances.first_bill(connection, process, customer)
    if first is None:
        raise DataRefused(f"Expected {customer!r} to have a bill or to be enrolled, but they aren't known. Do: customers enrol.")
    customers.enrol(connection, CustomerRow(process, customer, first.period, {}, runtime.now(), by))
    return True


def _undelivered(connection: Connection, process: str, customer: str, until: str) -> tuple[int, int] | None:
    """The open incident about their last hand-over before `until`, and the message."""
    newest = instances.newest_bill(connection, process, customer, until)
    if newest is None or newest.period == until:
        return None
    for incident in incidents.listing(connection, instance=newest.instance):
        if incident.message is not None:
            return incident.id, incident.message
    return None


def _start_missing(
    connection: Connection, runtime: Runtime, process: str, customer: str, until: str, by: str
) -> tuple[int | None, str]:
    """Start the first period that is missing behind their last bill up to `until`; its instance and the period, None where none
    is missing. Later bills don't count: a month can be missing in the midst of a chain.
    """
    newest = instances.newest_bill(connection, process, customer, until)
    row = customers.find(connection, process, customer)
    assert row is not None
    if newest is None:
        return _start_first(connection, runtime, row, until, by)
    last = instances.lock(connection, newest.instance, ended_too=True)
    waiting = [message for message in messages.of_instance(connection, last.id) if message.state == messages.WAITING]
    if newest.period == until or last.state == instances.ACTIVE or waiting:
        return None, newest.period
    carry_over = runtime.definition(connection, process, last.version).carry_over
    handed = hand_over(carry_over, load_state(last.token_state).data)
    period = _first_billed(connection, runtime, row, str(carry_over.period_of(handed.data)), until)
    if period is None:
        return None, until
    assert carry_over.bill is not None
    deployment = runtime.deployment(connection, process)
    definition = runtime.definitions.definition(connection, deployment.digest)
    start = definition.message_start_event()
    data = known_items(definition, {**handed.data, carry_over.bill.period: period})
    begins = start.id if start is not None else none_start(definition)
    beginning = Beginning(begins, data, instances.REPAIR, by, last.id, known_items(definition, handed.previous))
    return start_instance(connection, runtime, deployment, beginning), period


def _first_billed(connection: Connection, runtime: Runtime, row: CustomerRow, period: str, until: str) -> str | None:
    """The first period from this one on, up to `until`, that they are to be billed for: none is billed while they paused."""
    bill = billing_map(connection, runtime, row.process).bill
    assert bill is not None
    events = customers.ask_events(connection, row.process, row.customer)()
    while period <= until:
        if standing_in(period, row.first_period, events)[0] is Standing.BILLED:
            return period
        period = next_period(period, bill.every)
    return None


def _start_first(connection: Connection, runtime: Runtime, row: CustomerRow, until: str, by: str) -> tuple[int | None, str]:
    if not row.data:
        raise DataRefused(
            f"Expected the data that {row.customer}'s first instance starts with, but the roster has none. "
            f"Do: run-process start {row.process} --set ITEM=VALUE ..."
        )
    period = _first_billed(connection, runtime, row, row.first_period, until)
    if period is None:
        return None, until
    deployment = runtime.deployment(connection, row.process)
    definition = runtime.definitions.definition(connection, deployment.digest)
    bill = definition.carry_over.bill
    assert bill is not None
    data = known_items(definition, {**row.data, bill.period: period})
    return start_instance(connection, runtime, deployment, Beginning(none_start(definition), data, instances.REPAIR, by)), period
