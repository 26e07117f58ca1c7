"""Who is to be billed, what they were billed, charged and given back, and which periods are closed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from engine.store.tables.columns import JsonText, UtcDateTime, instance_column, metadata

# Invariant 1: a (process, customer, period) is billed at most once. Cancelling before any charge removes the row.
bills = Table(
    "bills",
    metadata,
    Column("process", String(255), primary_key=True),
    Column("customer", String(255), primary_key=True),
    Column("period", String(10), primary_key=True),
    instance_column(nullable=False, unique=True),
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
    instance_column(nullable=True),  # where the diagram said so
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

# Invariant 4: one row, and so at most one successful charge, per (process, customer, period), whatever the engine does.
charges = Table(
    "charges",
    metadata,
    Column("charge_key", String(767), primary_key=True),
    Column("process", String(255), nullable=False),
    Column("customer", String(255), nullable=False),
    Column("period", String(10), nullable=False),
    instance_column(nullable=False),
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
    instance_column(nullable=False),
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
