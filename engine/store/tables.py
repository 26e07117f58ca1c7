"""The tables. Migrations in `migrations/` build them; a test holds the two against each other.

Guards live here and not in code: the UNIQUE keys say what may exist once. Texts that come from outside are kept as ASCII
JSON, so that NUL characters and lone surrogates survive on every database.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime, on databases that keep time zones and on those that don't."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses a naive datetime: it would be read back as another moment."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("Expected an aware datetime, but it has no time zone. Do: pass UTC.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite gives naive values back; they are UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """A JSON value as ASCII text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """None stays NULL."""
        return None if value is None else json.dumps(value, ensure_ascii=True, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """What was stored."""
        return None if value is None else json.loads(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_number = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _number, primary_key=True, autoincrement=True)


def _instance(**options: Any) -> Column[int]:
    return Column("instance_id", _number, ForeignKey("instances.id"), **options)


deployments = Table(
    "deployments",
    metadata,
    Column("process", String(255), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("name", Text),
    Column("deployed_at", UtcDateTime, nullable=False),
    Column("deployed_by", Text, nullable=False),
)

deployment_files = Table(
    "deployment_files",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("file", String(255), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

instances = Table(
    "instances",
    metadata,
    _id(),
    Column("process", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("customer", Text),
    Column("period", String(10)),
    Column("started_by", String(16), nullable=False),
    Column("started_user", Text, nullable=False),
    Column("previous_id", _number, ForeignKey("instances.id")),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("end_events", JsonText),
    Column("token_state", Text, nullable=False),
    Column("previous_values", JsonText, nullable=False),
    Column("revision", Integer, nullable=False),
    Index(None, "process", "id"),
    Index(None, "customer", "id"),
    Index(None, "previous_id"),
    Index(None, "state", "id"),
    Index(None, "period", "id"),
    sqlite_autoincrement=True,
)

# Invariant 1: a (process, customer, period) is billed at most once. Cancelling before any charge removes the row.
bills = Table(
    "bills",
    metadata,
    Column("process", String(255), primary_key=True),
    Column("customer", String(255), primary_key=True),
    Column("period", String(10), primary_key=True),
    _instance(nullable=False, unique=True),
)

# Who should be billed, whatever instances there are: that a chain broke shows because its customer still stands here.
customers = Table(
    "customers",
    metadata,
    Column("process", String(255), primary_key=True),
    Column("customer", String(255), primary_key=True),
    Column("first_period", String(10), nullable=False),
    Column("data", JsonText, nullable=False),  # what their first instance starts with
    Column("enrolled_at", UtcDateTime, nullable=False),
    Column("enrolled_by", Text, nullable=False),
)

# What became of an enrolment: paused, resumed, ended, from which period on. Append-only.
customer_events = Table(
    "customer_events",
    metadata,
    Column("process", String(255), primary_key=True),
    Column("customer", String(255), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("event", String(16), nullable=False),
    Column("from_period", String(10), nullable=False),
    Column("reason", JsonText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", Text, nullable=False),
    _instance(nullable=True),  # where the diagram said so
)

# A closed period's row keeps everything out that would change it. `number` is that of the newest closing.
periods = Table(
    "periods",
    metadata,
    Column("process", String(255), primary_key=True),
    Column("period", String(10), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("number", Integer, nullable=False),
)

# Each closing and reopening of a period, with what was recorded then. Append-only.
closings = Table(
    "closings",
    metadata,
    Column("process", String(255), primary_key=True),
    Column("period", String(10), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("event", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", JsonText),
    Column("totals", JsonText),
    Column("digest", String(64)),
)

_OPEN = text("state IN ('offered', 'claimed')")  # as user_tasks.listing writes it: planners compare the two


def _of_open_tasks(*columns: str) -> Index:
    """An index of open tasks alone: few of all that were ever done, and most of what is asked for."""
    return Index(f"ix_user_tasks_open_{'_'.join(columns)}", *columns, sqlite_where=_OPEN, postgresql_where=_OPEN)


user_tasks = Table(
    "user_tasks",
    metadata,
    _id(),
    _instance(nullable=False),
    Column("token", Integer, nullable=False),
    Column("process", String(255), nullable=False),
    Column("flow_node", String(255), nullable=False),
    Column("name", Text),
    Column("group_name", Text),
    Column("state", String(16), nullable=False),
    Column("claimed_by", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),
    Column("completed_at", UtcDateTime),
    Column("customer", Text),  # its instance's, which never changes; here because tasks are looked for by it
    Column("period", String(10)),
    UniqueConstraint("instance_id", "token"),
    _of_open_tasks("id"),
    _of_open_tasks("group_name", "id"),
    _of_open_tasks("claimed_by", "id"),
    _of_open_tasks("customer", "id"),
    _of_open_tasks("period", "id"),
    _of_open_tasks("due_at", "id"),
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    _id(),
    _instance(nullable=False),
    Column("token", Integer, nullable=False),
    Column("flow_node", String(255), nullable=False),
    Column("topic", String(255), nullable=False),
    Column("parameters", JsonText, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("look_ups", Integer, nullable=False, server_default="0"),
    Column("losses", Integer, nullable=False, server_default="0"),
    Column("run_at", UtcDateTime, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("worker", Text),
    Column("fence", Integer, nullable=False),
    Column("last_error", JsonText),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("instance_id", "token"),
    Index(None, "state", "run_at", "id"),
    sqlite_autoincrement=True,
)

# Invariant 2: a thrown message is stored by the transaction that threw it; UNIQUE keeps one visit from throwing twice.
messages = Table(
    "messages",
    metadata,
    _id(),
    _instance(nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("flow_node", String(255), nullable=False),
    Column("data", JsonText, nullable=False),
    Column("previous_values", JsonText, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("run_at", UtcDateTime, nullable=False),
    Column("last_error", JsonText),
    Column("thrown_at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    Column("delivered_to", _number, ForeignKey("instances.id")),
    UniqueConstraint("instance_id", "number"),
    Index(None, "state", "run_at", "id"),
    sqlite_autoincrement=True,
)

timers = Table(
    "timers",
    metadata,
    _id(),
    _instance(nullable=False),
    Column("token", Integer, nullable=False),
    Column("flow_node", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("instance_id", "token"),
    Index(None, "state", "due_at", "id"),
    sqlite_autoincrement=True,
)

incidents = Table(
    "incidents",
    metadata,
    _id(),
    _instance(nullable=False),
    Column("job_id", _number, ForeignKey("jobs.id")),
    Column("message_id", _number, ForeignKey("messages.id")),
    Column("timer_id", _number, ForeignKey("timers.id")),
    Column("kind", String(16), nullable=False),
    Column("flow_node", String(255), nullable=False),
    Column("message", JsonText, nullable=False),
    Column("tried", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    Column("resolved_by", Text),
    Column("resolution", JsonText),
    Index(None, "resolved_at", "id"),
    Index(None, "instance_id"),
    sqlite_autoincrement=True,
)

# Invariant 4: one row, and so at most one successful charge, per (process, customer, period), whatever the engine does.
charges = Table(
    "charges",
    metadata,
    Column("charge_key", String(767), primary_key=True),
    Column("process", String(255), nullable=False),
    Column("customer", String(255), nullable=False),
    Column("period", String(10), nullable=False),
    _instance(nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("stripe_customer", Text, nullable=False),
    Column("approved_by", Text),
    Column("livemode", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("intent", String(255), unique=True),
    Column("payment_method", String(255)),
    Column("reason", Text),
    Column("charged_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("process", "customer", "period"),
    # the ledger is listed in this order; each way of choosing from it has an index that holds the order
    Index(None, "period", "customer", "process"),
    Index(None, "state", "period", "customer", "process"),
    Index(None, "customer", "period"),
    Index(None, "instance_id"),
)

# One row for each refund that was ever to be made, `refund_key` its own idempotency. Together never more than was charged.
refunds = Table(
    "refunds",
    metadata,
    Column("refund_key", String(767), primary_key=True),
    Column("charge_key", String(767), ForeignKey("charges.charge_key"), nullable=False),
    _instance(nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("intent", String(255), nullable=False),
    Column("reason", JsonText, nullable=False),
    Column("requested_by", Text),
    Column("approved_by", Text),
    Column("livemode", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("refund", String(255), unique=True),
    Column("problem", Text),
    Column("refunded_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "charge_key"),
    Index(None, "instance_id"),
    Index(None, "state"),
)

# Whom a reminder was sent to on which day (UTC): at most one a day, whoever sends it.
reminders = Table(
    "reminders",
    metadata,
    Column("recipient", String(255), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("sent_at", UtcDateTime, nullable=False),
    Column("tasks", JsonText, nullable=False),
)

# Invariant 3: append-only, hash-chained per instance.
history = Table(
    "history",
    metadata,
    _instance(primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("event", String(64), nullable=False),
    Column("by", Text, nullable=False),
    Column("details", JsonText, nullable=False),
    Column("hash", String(64), nullable=False),
)

# Who works on this database. A worker's row is its own; nothing of what it leases hangs on it.
workers = Table(
    "workers",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("process_id", Integer, nullable=False),
    Column("program", Text, nullable=False),
    Column("topics", JsonText, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("in_flight", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("stopped_at", UtcDateTime),
    Index(None, "state", "id"),
    sqlite_autoincrement=True,
)

# How far the requests to a service are spoken for, in microseconds since 1970 by the database's own clock.
rate_limits = Table(
    "rate_limits",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("next_free", BigInteger, nullable=False),
)

# Work that some worker does now and then; `done_until` is how far its subject has been looked through.
chores = Table(
    "chores",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("due_at", UtcDateTime, nullable=False),
    Column("done_until", UtcDateTime),
)
