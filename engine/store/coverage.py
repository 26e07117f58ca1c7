"""What coverage asks of the database: whole periods at once, a few columns of each table, in as many statements as tables.

A hundred thousand customers are read in a second or two; so rows go straight from the driver into small records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, and_, cast, func, literal_column, select
from sqlalchemy.exc import DBAPIError

from engine.billing.situation import Before, ChargeFact, IncidentFact, InstanceFact, TaskFact, WorkFact
from engine.connector import ChargeState
from engine.definition.data_item import DataItem
from engine.errors import StateUnknown
from engine.execution.state import STATE_VERSION, load_state
from engine.model.identifiers import Kind, format_id
from engine.model.money import EXPONENTS
from engine.store import jobs, subscriptions, timers, user_tasks
from engine.store.tables import bills as bills_table
from engine.store.tables import charges as charges_table
from engine.store.tables import customers as customers_table
from engine.store.tables import history as history_table
from engine.store.tables import incidents as incidents_table
from engine.store.tables import instances as instances_table
from engine.store.tables import jobs as jobs_table
from engine.store.tables import messages as messages_table
from engine.store.tables import subscriptions as subscriptions_table
from engine.store.tables import timers as timers_table
from engine.store.tables import user_tasks as user_tasks_table

_GROUP = 500
_BEGINS = f'{{"version":{STATE_VERSION},'  # every state that can be read
_UNREADABLE = "?"
_IN_DOUBT = frozenset(state.value for state in ChargeState if state.in_doubt)


def _of_period(process: str, period: str) -> ColumnElement[bool]:
    return and_(instances_table.c.process == process, instances_table.c.period == period)


def instances_of(connection: Connection, process: str, period: str, billed: DataItem | None) -> dict[str, list[InstanceFact]]:
    """Customer -> their instances of the period, cancelled ones too. `billed` is the item whose amount is asked for, of those
    that weren't charged: of the others the ledger has it.
    """
    i = instances_table.c
    query = (
        select(i.customer, i.id, i.state, bills_table.c.instance_id)
        .join(bills_table, bills_table.c.instance_id == i.id, isouter=True)
        .where(_of_period(process, period))
        .order_by(i.id)
    )
    found: dict[str, list[InstanceFact]] = {}
    by_number: dict[int, InstanceFact] = {}
    for customer, number, state, bill in connection.execute(query).all():
        by_number[number] = fact = InstanceFact(number, state, bill is not None)
        found.setdefault(customer or "", []).append(fact)
    _add_uncharged(connection, process, period, billed, by_number)
    return found


def _add_uncharged(
    connection: Connection, process: str, period: str, billed: DataItem | None, facts: Mapping[int, InstanceFact]
) -> None:
    try:
        with connection.begin_nested():
            found = _uncharged(connection, process, period, *_amount_columns(connection, billed))
    except DBAPIError:  # the database can't take a damaged state apart, and doesn't say which: look at each
        states = _uncharged(connection, process, period, instances_table.c.token_state, literal_column("NULL"))
        found = [(number, ended_at, thrown, None, *_read(state, billed)) for number, ended_at, thrown, _, state, _ in states]
    for number, ended_at, handed_over, begins, value, code in found:
        fact = facts.get(number)
        if fact is not None:
            fact.ended_at, fact.currency, fact.thrown = ended_at, code, bool(handed_over)
            fact.damaged = begins not in (None, _BEGINS)
            try:
                fact.amount = int(value) if value is not None else None
            except (ValueError, TypeError):
                fact.damaged = True


def _uncharged(
    connection: Connection, process: str, period: str, amount: ColumnElement[Any], currency: ColumnElement[Any]
) -> Sequence[Any]:
    """(number, end, whether it has handed over, how its state begins, amount, currency) of those that weren't charged."""
    i, c = instances_table.c, charges_table.c
    thrown = select(literal_column("1")).where(messages_table.c.instance_id == i.id).exists()
    charged = select(literal_column("1")).where(c.instance_id == i.id, c.state == ChargeState.SUCCEEDED).exists()
    begins = func.substr(i.token_state, 1, len(_BEGINS))
    query = select(i.id, i.ended_at, thrown, begins, amount, currency).where(_of_period(process, period), ~charged)
    return connection.execute(query).all()


def _read(state: str, billed: DataItem | None) -> tuple[Any, Any]:
    """The amount and its currency in a stored state; no number for one that can't be read."""
    of = billed.currency if billed is not None else None
    try:
        data = load_state(state).data
        amount = data.get(billed.name) if billed is not None else None
        return amount, of if of is None or of in EXPONENTS else data.get(of)
    except (StateUnknown, AttributeError):  # the data may be no mapping
        return _UNREADABLE, None


def _amount_columns(connection: Connection, billed: DataItem | None) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """What is billed and its currency, taken out of the stored state by the database: reading all of it would take longest."""
    if billed is None:
        return literal_column("NULL"), literal_column("NULL")
    amount = _item(connection, billed.name)
    if billed.currency is None or billed.currency in EXPONENTS:
        return amount, literal_column(f"'{billed.currency}'" if billed.currency else "NULL")
    return amount, _item(connection, billed.currency)


def _item(connection: Connection, name: str) -> ColumnElement[Any]:
    state = instances_table.c.token_state
    if connection.dialect.name == "sqlite":
        return func.json_extract(state, f'$.data."{name}"')
    found: ColumnElement[Any] = cast(state, JSON)["data"][name].as_string()
    return found


def charges_of(connection: Connection, process: str, period: str) -> dict[str, ChargeFact]:
    """Customer -> the ledger's row for the period."""
    c = charges_table.c
    columns = (c.customer, c.instance_id, c.amount, c.currency, c.state, c.reason, c.charged_at, c.updated_at)
    query = select(*columns).where(c.process == process, c.period == period)
    return {
        customer: ChargeFact(instance, amount, currency, state, state in _IN_DOUBT, reason, charged_at or updated_at)
        for customer, instance, amount, currency, state, reason, charged_at, updated_at in connection.execute(query).all()
    }


def tasks_of(connection: Connection, process: str, period: str) -> dict[int, list[TaskFact]]:
    """Instance -> its open user tasks."""
    t = user_tasks_table.c
    query = select(t.instance_id, t.id, t.name, t.flow_node, t.group_name, t.claimed_by, t.created_at, t.due_at)
    query = query.where(t.process == process, t.period == period, t.state.in_(user_tasks.OPEN))
    found: dict[int, list[TaskFact]] = {}
    for instance, number, name, node, group, claimed_by, since, due_at in connection.execute(query).all():
        found.setdefault(instance, []).append(TaskFact(number, name or node, group, claimed_by, since, due_at))
    return found


def work_of(connection: Connection, process: str, period: str) -> dict[int, list[WorkFact]]:
    """Instance -> its jobs that wait or run, its timers, and the messages and signals that it waits for."""
    j, t = jobs_table.c, timers_table.c
    of_jobs = select(j.instance_id, j.id, j.topic, j.lease_until, j.run_at, j.last_error, j.created_at)
    of_jobs = of_jobs.where(j.state.in_((jobs.READY, jobs.LEASED)))
    of_timers = select(t.instance_id, t.id, t.flow_node, t.due_at, t.created_at).where(t.state == timers.WAITING)
    found: dict[int, list[WorkFact]] = {}
    here = _of_period(process, period)
    joined = of_jobs.join(instances_table, instances_table.c.id == j.instance_id).where(here)
    for instance, number, topic, lease_until, run_at, error, since in connection.execute(joined).all():
        work = WorkFact(f"{topic} ({format_id(Kind.JOB, number)})", since, lease_until or run_at, error)
        found.setdefault(instance, []).append(work)
    timed = of_timers.join(instances_table, instances_table.c.id == t.instance_id).where(here)
    for instance, number, node, due_at, since in connection.execute(timed).all():
        found.setdefault(instance, []).append(WorkFact(f"{node} ({format_id(Kind.TIMER, number)})", since, due_at, None))
    for instance, what, since in _awaited(connection, here):
        found.setdefault(instance, []).append(WorkFact(what, since, None, None))
    return found


def _awaited(connection: Connection, here: ColumnElement[bool]) -> Iterator[tuple[int, str, Any]]:
    s = subscriptions_table.c
    query = select(s.instance_id, s.id, s.kind, s.name, s.key, s.created_at).where(s.state == subscriptions.WAITING)
    query = query.join(instances_table, instances_table.c.id == s.instance_id).where(here).order_by(s.id)
    for instance, number, kind, name, key, since in connection.execute(query).all():
        of = f" with the key {key}" if key is not None else ""
        yield instance, f"waits for the {kind} {name}{of} ({format_id(Kind.SUBSCRIPTION, number)})", since


def open_incidents(connection: Connection, process: str) -> dict[int, IncidentFact]:
    """Instance -> its oldest open incident; one about its work before one about its hand-over."""
    x = incidents_table.c
    work = (x.job_id, x.message_id, x.timer_id, x.sent_message_id)
    query = select(x.instance_id, x.id, x.message, *work).join(instances_table, instances_table.c.id == x.instance_id)
    query = query.where(x.resolved_at.is_(None), instances_table.c.process == process).order_by(x.id)
    found: dict[int, IncidentFact] = {}
    for instance, number, what, job, message, timer, sent in connection.execute(query).all():
        known = found.get(instance)
        if known is None or (known.message is not None and message is None):
            about_work = any(each is not None for each in (job, message, timer, sent))
            found[instance] = IncidentFact(number, what, message, can_be_retried=about_work)
    return found


def bills_before(connection: Connection, process: str, period: str, customers: Iterable[str]) -> dict[str, Before]:
    """Customer -> their newest bill before the period, with what it threw."""
    b, i, m = bills_table.c, instances_table.c, messages_table.c
    found: dict[str, Before] = {}
    for some in _in_groups(customers):
        newest = select(b.customer, func.max(b.period).label("period"))
        newest = newest.where(b.process == process, b.period < period, b.customer.in_(some)).group_by(b.customer)
        latest = newest.subquery()
        last_thrown = select(func.max(m.id)).where(m.instance_id == i.id).correlate(instances_table).scalar_subquery()
        query = (
            select(b.customer, i.id, b.period, i.state, m.id, m.state, m.run_at)
            .join(latest, and_(latest.c.customer == b.customer, latest.c.period == b.period))
            .join(instances_table, i.id == b.instance_id)
            .join(messages_table, m.id == last_thrown, isouter=True)
            .where(b.process == process)
        )
        for customer, number, of, state, message, message_state, run_at in connection.execute(query).all():
            found[customer] = Before(number, of, state, (message, message_state, run_at) if message is not None else None)
    return found


def strangers(connection: Connection, process: str, period: str) -> frozenset[str]:
    """Customers with a bill for the period or one before it who don't stand on the roster."""
    b, c = bills_table.c, customers_table.c
    on_roster = select(literal_column("1")).where(c.process == b.process, c.customer == b.customer).exists()
    query = select(b.customer).distinct().where(b.process == process, b.period <= period, ~on_roster)
    return frozenset(connection.execute(query).scalars())


def cancellations(connection: Connection, numbers: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Cancelled instance -> by whom, and why."""
    h = history_table.c
    found: dict[int, tuple[str, str]] = {}
    for some in _in_groups(numbers):
        query = select(h.instance_id, h.by, h.details).where(h.instance_id.in_(some), h.event == "instance_cancelled")
        for number, by, details in connection.execute(query).all():
            found[number] = (by, str(details.get("reason", "")))
    return found


def _in_groups(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Databases take so many parameters in one statement."""
    left = list(values)
    for start in range(0, len(left), _GROUP):
        yield left[start : start + _GROUP]


def periods_of(connection: Connection, process: str) -> list[str]:
    """The periods that anybody was billed for."""
    b = bills_table.c
    return list(connection.execute(select(b.period).distinct().where(b.process == process)).scalars())
