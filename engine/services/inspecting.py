"""Questions about instances: which there are, one in full, its history, and a customer's chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from engine.connector import ChargeState
from engine.definition.data_item import format_value
from engine.errors import NotFound
from engine.execution.state import load_state
from engine.model.identifiers import Kind, format_id, parse_id
from engine.services.row_forms import (
    call_json,
    charge_json,
    history_json,
    incident_json,
    job_json,
    message_json,
    refund_json,
    sent_message_json,
    subscription_json,
    timer_json,
)
from engine.services.runtime import Runtime
from engine.services.views import InstanceView, instance_view, task_view
from engine.store import (
    calls,
    charges,
    history,
    incidents,
    instances,
    jobs,
    messages,
    refunds,
    sent_messages,
    subscriptions,
    timers,
    user_tasks,
)
from engine.store.instances import InstanceRow

PAGE = 1_000


def list_instances(
    runtime: Runtime, filters: Mapping[str, Any], after: str | None = None, limit: int = PAGE
) -> list[InstanceView]:
    """A page of instances, oldest first. `filters`: process, state, customer, period, version."""
    behind = parse_id(Kind.INSTANCE, after) if after else 0
    with runtime.database.reading() as connection:
        rows = instances.listing(connection, filters, behind, limit)
        following = instances.successors(connection, (row.id for row in rows))
        calling = calls.callers(connection, (row.id for row in rows if row.started_by == instances.CALL))
        return [instance_view(row, following.get(row.id), calling.get(row.id)) for row in rows]


def instance(runtime: Runtime, instance_id: str) -> InstanceView:
    """An instance without what it remembers, so that one whose state is damaged is shown as well. Raises NotFound."""
    number = parse_id(Kind.INSTANCE, instance_id)
    with runtime.database.reading() as connection:
        return _view(connection, instances.get(connection, number))


def _view(connection: Connection, row: InstanceRow) -> InstanceView:
    return instance_view(row, instances.successor(connection, row.id), calls.callers(connection, [row.id]).get(row.id))


def show(runtime: Runtime, instance_id: str) -> tuple[InstanceView, dict[str, Any]]:
    """An instance, and beside it: data (money in minor units), tasks, jobs, timers, what it waits for, has called and has thrown,
    charges, refunds, incidents.
    """
    number = parse_id(Kind.INSTANCE, instance_id)
    with runtime.database.reading() as connection:
        row = instances.get(connection, number)
        definition = runtime.definition(connection, row.process, row.version)
        details = {
            "data": dict(load_state(row.token_state).data),
            "previous_values": dict(row.previous_values),
            "tasks": [task_view(task, row, definition, runtime.now()) for task in user_tasks.of_instance(connection, number)],
            "jobs": [job_json(job) for job in jobs.of_instance(connection, number)],
            "timers": [timer_json(timer) for timer in timers.of_instance(connection, number)],
            "subscriptions": [subscription_json(each) for each in subscriptions.of_instance(connection, number)],
            "calls": [call_json(each) for each in calls.of_instance(connection, number)],
            "messages": [message_json(message) for message in messages.of_instance(connection, number)],
            "sent_messages": [sent_message_json(each) for each in sent_messages.of_instance(connection, number)],
            "charges": [charge_json(charge) for charge in charges.touched_by(connection, number)],
            "refunds": [refund_json(refund) for refund in refunds.touched_by(connection, number)],
            "incidents": [incident_json(i) for i in incidents.listing(connection, instance=number, resolved=True)],
        }
        return _view(connection, row), details


def data_for_people(runtime: Runtime, instance_id: str) -> dict[str, str]:
    """An instance's data as people read it: money in major units with its currency."""
    with runtime.database.reading() as connection:
        row = instances.get(connection, parse_id(Kind.INSTANCE, instance_id))
        carry_over = runtime.definition(connection, row.process, row.version).carry_over
        data = load_state(row.token_state).data
    items = {name: carry_over.items[name] for name in data}
    return {name: format_value(item, data[name], carry_over.currency_of(item, data)) for name, item in items.items()}


def read_history(runtime: Runtime, instance_id: str) -> tuple[list[dict[str, Any]], int | None]:
    """An instance's history, and the number of its first entry that was tampered with (None: whole)."""
    number = parse_id(Kind.INSTANCE, instance_id)
    with runtime.database.reading() as connection:
        instances.get(connection, number)
        entries = [history_json(entry) for entry in history.entries(connection, number)]
        return entries, history.first_broken(connection, number)


def chain(runtime: Runtime, customer: str, process: str | None = None) -> list[tuple[InstanceView, dict[str, Any] | None]]:
    """A customer's instances by period, each with its charge's ledger row. `customer` may also be an instance's id; one that
    gives a charge back stands for the bill's customer.

    Raises NotFound when the customer has none, and for an instance of a process that doesn't repeat.
    """
    with runtime.database.reading() as connection:
        rows = instances.of_customer(connection, customer, process)
        if not rows and _is_instance(customer):
            known = _billed_by(connection, parse_id(Kind.INSTANCE, customer))
            rows = instances.of_customer(connection, known.customer or "", known.process)
        if not rows:
            raise NotFound(f"Expected a customer with instances, but {customer!r} has none. Do: run-process instances.")
        following = instances.successors(connection, (row.id for row in rows))
        charged = {number: charge_json(c) for number, c in charges.of_instances(connection, (row.id for row in rows)).items()}
        return [(instance_view(row, following.get(row.id)), charged.get(row.id)) for row in rows]


def _billed_by(connection: Connection, number: int) -> InstanceRow:
    """The instance, or the one whose bill it gives back."""
    row = instances.get(connection, number)
    if row.customer is not None:
        return row
    given_back = refunds.touched_by(connection, number)
    if not given_back:
        named = format_id(Kind.INSTANCE, number)
        raise NotFound(
            f"Expected an instance of a customer's chain, but {named} is of {row.process}, which bills nobody by the period, and "
            f"it has given nothing back. Do: run-process show {named}; or name the customer."
        )
    return instances.get(connection, parse_id(Kind.INSTANCE, given_back[-1].bill))


def _is_instance(text: str) -> bool:
    try:
        parse_id(Kind.INSTANCE, text)
    except NotFound:
        return False
    return True


def charged_totals(runtime: Runtime, process: str) -> dict[tuple[str, str], int]:
    """What the ledger says was charged: (period, currency) -> minor units."""
    totals: dict[tuple[str, str], int] = {}
    with runtime.database.reading() as connection:
        for charge in charges.of_process(connection, process):
            if charge.state == ChargeState.SUCCEEDED:
                key = (charge.request.period, charge.request.currency)
                totals[key] = totals.get(key, 0) + charge.request.amount
    return totals
