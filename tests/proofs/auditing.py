"""Compares what Stripe took with what the engine knows, customer by customer: the money, the ledger, history, the chain."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import stripe
from sqlalchemy import Connection, select

from engine.connector import ChargeState
from engine.store import history, tables
from engine.store.database import Database

AMOUNT = 12050
"""What each bill charges, in minor units."""
_ONCE = ("charge_succeeded", "message_thrown", "message_delivered", "instance_completed")


@dataclass
class Report:
    """What is wrong, each with its customer, and the incidents that are open: customer -> kind and reason."""

    wrong: list[str] = field(default_factory=list)
    incidents: dict[str, str] = field(default_factory=dict)


@dataclass
class _Known:
    """What the database holds of one customer."""

    instances: list[Any] = field(default_factory=list)
    charges: list[Any] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    messages: list[Any] = field(default_factory=list)
    jobs: list[Any] = field(default_factory=list)
    tasks: list[Any] = field(default_factory=list)
    broken: bool = False


def audit(database: Database, client: stripe.StripeClient, customers: Collection[str]) -> Report:
    """Hold each of these customers' one bill against Stripe's own records, listed through its API."""
    report = Report()
    taken: dict[str, list[Any]] = defaultdict(list)
    for intent in client.v1.payment_intents.list({"limit": 100}).auto_paging_iter():
        taken[str(intent.customer)].append(intent)
    with database.reading() as connection:
        known = _known(connection, set(customers))
        report.incidents |= _incidents(connection, set(customers))
    for customer in customers:
        report.wrong += [f"{customer}: {each}" for each in _wrong(taken[customer], known[customer], customer in report.incidents)]
    return report


def _known(connection: Connection, customers: set[str]) -> dict[str, _Known]:
    known: dict[str, _Known] = defaultdict(_Known)
    owner: dict[int, str] = {}
    for row in connection.execute(select(tables.instances).order_by(tables.instances.c.id)):
        if row.customer in customers:
            owner[row.id] = row.customer
            known[row.customer].instances.append(row)
            known[row.customer].broken |= history.first_broken(connection, row.id) is not None
    for row in connection.execute(select(tables.charges)):
        known[row.customer].charges.append(row)
    for name in ("messages", "jobs", "user_tasks", "history"):
        for row in connection.execute(select(tables.metadata.tables[name])):
            if row.instance_id in owner:
                _keep(known[owner[row.instance_id]], name, row)
    return known


def _keep(known: _Known, table: str, row: Any) -> None:
    match table:
        case "messages":
            known.messages.append(row)
        case "jobs":
            known.jobs.append(row)
        case "user_tasks":
            known.tasks.append(row)
        case "history":
            known.events[row.event] += 1


def _incidents(connection: Connection, customers: set[str]) -> dict[str, str]:
    joined = tables.incidents.join(tables.instances, tables.incidents.c.instance_id == tables.instances.c.id)
    query = select(tables.instances.c.customer, tables.incidents.c.message).select_from(joined)
    rows = connection.execute(query.where(tables.incidents.c.resolved_at.is_(None)))
    return {row.customer: str(row.message) for row in rows if row.customer in customers}


def _wrong(intents: list[Any], known: _Known, is_shown: bool) -> Iterator[str]:
    """What no incident excuses comes first: money. The rest must hold unless a person has been called."""
    took = [intent for intent in intents if intent.status == "succeeded"]
    ledger = [row for row in known.charges if row.state == ChargeState.SUCCEEDED]
    doubted = any(ChargeState(row.state).in_doubt for row in known.charges)
    if len(took) > 1 or sum(intent.amount_received for intent in intents) not in (0, AMOUNT):
        yield f"charged {len(took)} times: {[(intent.id, intent.amount_received) for intent in took]}"
    if took and not ledger and not (doubted and is_shown):
        yield f"charged but unrecorded: {took[0].id}; the ledger says {[(row.state, row.intent) for row in known.charges]}"
    if ledger and [row.intent for row in ledger] != [intent.id for intent in took]:
        yield f"recorded {[row.intent for row in ledger]}, but Stripe took {[intent.id for intent in took]}"
    if len(known.charges) > 1:
        yield f"{len(known.charges)} rows in the ledger"
    if known.broken:
        yield "its history is broken"
    if not is_shown:
        yield from _unfinished(bool(took), known)
    if len(known.instances) > 2:
        yield f"handed over more than once: {len(known.instances)} instances"


def _unfinished(charged: bool, known: _Known) -> Iterator[str]:
    if not charged:
        yield "not charged, and nobody is told"
    counts = {event: known.events[event] for event in _ONCE}
    if set(counts.values()) != {1}:
        yield f"expected each of these once in its history: {counts}"
    open_jobs = [(row.topic, row.state) for row in known.jobs if row.state not in ("done", "withdrawn")]
    if open_jobs:
        yield f"work is left: {open_jobs}"
    if len(known.instances) != 2:
        yield f"expected this month's instance and the next one's, but there are {len(known.instances)}"
        return
    first, following = known.instances
    [*thrown] = [(row.instance_id, row.state, row.delivered_to) for row in known.messages]
    if thrown != [(first.id, "delivered", following.id)]:
        yield f"expected one hand-over from {first.id} to {following.id}, but found {thrown}"
    chain = [(row.state, row.previous_id, row.period) for row in known.instances]
    if chain != [("completed", None, "2026-10"), ("active", first.id, "2026-11")]:
        yield f"its chain is {chain}"
    waiting = [(row.instance_id, row.flow_node) for row in known.tasks if row.state not in ("completed", "withdrawn")]
    if waiting != [(following.id, "enter_amount")]:
        yield f"expected next month to wait for its amount alone, but what waits is {waiting}"
