"""DESIGN.md's invariants, asked of the database in plain SQL and of Stripe's own books, never of the services under test."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from connectors.stripe.amounts import to_stripe
from tests.doubles.stripe_in_process import StripeSide

TABLES = {
    "instances": "id",
    "bills": "instance_id",
    "user_tasks": "id",
    "jobs": "id",
    "messages": "id",
    "timers": "id",
    "incidents": "id",
    "charges": "charge_key",
    "history": "instance_id, number",
}
OPEN_TASK, OPEN_JOB = ("offered", "claimed"), ("ready", "leased", "failed")
IN_DOUBT = ("confirming", "unknown")


class Rows(NamedTuple):
    """What is stored, table by table, as the database gives it."""

    instances: list[Any]
    bills: list[Any]
    user_tasks: list[Any]
    jobs: list[Any]
    messages: list[Any]
    timers: list[Any]
    incidents: list[Any]
    charges: list[Any]
    history: list[Any]

    @property
    def open_tasks(self) -> list[Any]:
        return [row for row in self.user_tasks if row.state in OPEN_TASK]

    @property
    def open_jobs(self) -> list[Any]:
        return [row for row in self.jobs if row.state in OPEN_JOB]

    @property
    def open_timers(self) -> list[Any]:
        return [row for row in self.timers if row.ended_at is None]

    @property
    def open_incidents(self) -> list[Any]:
        return [row for row in self.incidents if row.resolved_at is None]

    @property
    def active(self) -> list[Any]:
        return [row for row in self.instances if row.state == "active"]

    @property
    def in_doubt(self) -> list[Any]:
        return [row for row in self.charges if row.state in IN_DOUBT]


def read(connection: Connection) -> Rows:
    """Everything that is stored."""
    queries = (f"SELECT * FROM {table} ORDER BY {key}" for table, key in TABLES.items())
    return Rows(*(list(connection.exec_driver_sql(query)) for query in queries))


@dataclass
class Auditor:
    """Looks at everything after each step. Remembers what it saw, because history may only grow.

    `load` loads an instance's saved state as the engine does, and gives the tokens that wait in it.
    """

    stripe: StripeSide
    load: Callable[[Any], Iterable[int]]
    before: Rows = field(default_factory=lambda: Rows(*([] for _ in TABLES)))
    heads: dict[int, tuple[int, str]] = field(default_factory=dict)
    waiting: dict[int, list[int]] = field(default_factory=dict)

    def look(self, rows: Rows) -> None:
        """Raises AssertionError, with the invariant that doesn't hold."""
        if rows == self.before:
            self._charges(rows)
            return
        self._bills(rows)
        self._charges(rows)
        self._messages(rows)
        self._history(rows)
        self._work(rows)
        self._incidents(rows)
        self.before = rows

    # 1. A (process, customer, period) is billed at most once, ever.

    def _bills(self, rows: Rows) -> None:
        instances = {row.id: row for row in rows.instances}
        billed = Counter((bill.process, bill.customer, bill.period) for bill in rows.bills)
        assert max(billed.values(), default=0) <= 1, f"billed twice: {billed}"
        for bill in rows.bills:
            of = instances[bill.instance_id]
            assert (of.process, of.customer, of.period) == (bill.process, bill.customer, bill.period), f"another's bill: {bill}"
        holding = {bill.instance_id for bill in rows.bills}
        for row in rows.instances:
            assert row.id in holding or row.state == "cancelled", f"i{row.id} is no bill"
        thrown_by = {message.instance_id for message in rows.messages}
        assert thrown_by <= holding, f"freed although handed over: {thrown_by - holding}"

    # 4. At most one successful charge per bill; every unresolved one is shown.

    def _charges(self, rows: Rows) -> None:
        taken = self.stripe.taken()
        per_bill = Counter(key for key, *_ in taken.elements())
        assert max(per_bill.values(), default=0) <= 1, f"charged twice: {per_bill}"
        ledger = {row.charge_key: row for row in rows.charges}
        holding = {bill.instance_id for bill in rows.bills}
        for key, intent, amount, currency in taken:
            row = ledger.get(key)
            assert row is not None, f"charged without a trace: {key}"
            shown = row.state in ("succeeded", "requires_action", *IN_DOUBT)  # REQUIRES_ACTION: paid in person, not yet looked up
            assert shown, f"charged, but the ledger says {row.state}: {key}"
            assert (row.intent, to_stripe(row.amount, row.currency), row.currency) == (intent, amount, currency.upper())
            assert row.instance_id in holding, f"charged, but its bill is free: {key}"
        for row in rows.charges:
            if row.state == "succeeded":  # without a payment: settled otherwise
                times = 0 if row.intent is None else 1
                assert per_bill[row.charge_key] == times, f"the ledger says succeeded, Stripe doesn't: {row.charge_key}"
        self._nothing_succeeded_is_taken_back(rows)

    def _nothing_succeeded_is_taken_back(self, rows: Rows) -> None:
        now = {row.charge_key: row for row in rows.charges}
        for row in self.before.charges:
            if row.state == "succeeded":
                assert now[row.charge_key] == row, f"a success was changed: {row.charge_key}"

    # 2. A thrown message starts exactly one instance, or waits, or is an incident.

    def _messages(self, rows: Rows) -> None:
        instances = {row.id: row for row in rows.instances}
        needing_a_person = {row.message_id for row in rows.open_incidents if row.message_id is not None}
        arrived = Counter(row.delivered_to for row in rows.messages if row.delivered_to is not None)
        assert max(arrived.values(), default=0) <= 1, f"two messages started one instance: {arrived}"
        for message in rows.messages:
            assert message.state in ("waiting", "delivered", "failed", "settled"), message
            assert (message.delivered_to is not None) == (message.state == "delivered"), message
            assert (message.id in needing_a_person) == (message.state == "failed"), f"m{message.id} is {message.state}"
            if message.delivered_to is not None:
                assert instances[message.delivered_to].previous_id == message.instance_id, f"m{message.id} went astray"
        for row in rows.instances:
            assert row.started_by != "message" or arrived[row.id] == 1, f"i{row.id} was started by no message"
        self._each_month_hands_over(rows)

    def _each_month_hands_over(self, rows: Rows) -> None:
        thrown = Counter(row.instance_id for row in rows.messages)
        for row in rows.instances:
            if row.state == "completed":
                ends = json.loads(row.end_events)
                assert thrown[row.id] == (0 if ends == ["contract_ended"] else 1), f"i{row.id} threw {thrown[row.id]} at {ends}"

    # 3. Every state change has its history entry; history is append-only and hash-chained.

    def _history(self, rows: Rows) -> None:
        was = _by_instance(self.before.history)
        for instance, entries in _by_instance(rows.history).items():
            seen = was.pop(instance, [])
            assert entries[: len(seen)] == seen, f"the history of i{instance} was rewritten"
            for entry in entries[len(seen) :]:
                self._seal(entry)
        assert not was, f"history was removed: {sorted(was)}"
        states = {row.id: (row.state, row.token_state, row.revision) for row in self.before.instances}
        grown = Counter(row.instance_id for row in rows.history)
        grown.subtract(Counter(row.instance_id for row in self.before.history))
        for row in rows.instances:
            if states.get(row.id) != (row.state, row.token_state, row.revision):
                assert grown[row.id] > 0, f"i{row.id} changed without a history entry"
                assert row.id not in states or row.revision > states[row.id][2], f"i{row.id} was written over"
                assert row.id not in states or states[row.id][0] == "active", f"i{row.id} had ended, and changed"

    def _seal(self, entry: Any) -> None:
        number, sealed = self.heads.get(entry.instance_id, (0, "0" * 64))
        assert entry.number == number + 1, f"a gap before entry {entry.number} of i{entry.instance_id}"
        at = _moment(entry.at).isoformat(timespec="microseconds")
        content = [sealed, entry.instance_id, entry.number, at, entry.event, entry.by, json.loads(entry.details)]
        canonical = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
        assert entry.hash == hashlib.sha256(canonical.encode()).hexdigest(), (
            f"entry {number + 1} of i{entry.instance_id} is unsealed"
        )
        self.heads[entry.instance_id] = (entry.number, entry.hash)

    # Nobody is missed: what is active has open work, what is open belongs to an active instance, as its tokens say.

    def _work(self, rows: Rows) -> None:
        states = {row.id: row.state for row in rows.instances}
        open_work: defaultdict[int, list[int]] = defaultdict(list)
        for row in (*rows.open_tasks, *rows.open_jobs, *rows.open_timers):
            assert states[row.instance_id] == "active", f"open work of an ended instance: {row}"
            open_work[row.instance_id].append(row.token)
        known = {row.id: row.token_state for row in self.before.instances}
        for row in rows.instances:
            if known.get(row.id) != row.token_state:
                self.waiting[row.id] = sorted(self.load(row))
            waiting = self.waiting[row.id] if row.state == "active" else []
            assert waiting or row.state != "active", f"i{row.id} is active without a token"
            assert sorted(open_work[row.id]) == waiting, f"i{row.id} has tokens {waiting}, but open work {open_work[row.id]}"
        for row in rows.jobs:
            assert (row.state == "leased") == (row.lease_until is not None), f"leased for ever: {row}"

    def _incidents(self, rows: Rows) -> None:
        states = {row.id: row.state for row in rows.jobs}
        open_ones = Counter(row.job_id for row in rows.open_incidents if row.job_id is not None)
        failed = {row.id for row in rows.jobs if row.state == "failed"}
        assert failed == set(open_ones), f"failed jobs {failed}, open incidents of {[(j, states[j]) for j in open_ones]}"
        assert max(open_ones.values(), default=0) <= 1, f"two open incidents of one job: {open_ones}"


def _by_instance(history: list[Any]) -> dict[int, list[Any]]:
    entries: defaultdict[int, list[Any]] = defaultdict(list)
    for row in history:
        entries[row.instance_id].append(row)
    return dict(entries)


def _moment(value: Any) -> datetime:
    """SQLite keeps moments as text in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value).replace(tzinfo=UTC)
