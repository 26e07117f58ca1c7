"""Instances, what they wait for, what they have thrown, and what happened to them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from engine.store.tables.columns import JsonText, UtcDateTime, id_column, instance_column, metadata, number

instances = Table(
    "instances",
    metadata,
    id_column(),
    Column("process", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("customer", Text),
    Column("period", String(10)),
    Column("started_by", String(16), nullable=False),
    Column("started_user", Text, nullable=False),
    Column("previous_id", number, ForeignKey("instances.id")),
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

_OPEN = text("state IN ('offered', 'claimed')")  # as user_tasks.listing writes it: planners compare the two


def _of_open_tasks(*columns: str) -> Index:
    """An index of open tasks alone: few of all that were ever done, and most of what is asked for."""
    return Index(f"ix_user_tasks_open_{'_'.join(columns)}", *columns, sqlite_where=_OPEN, postgresql_where=_OPEN)


user_tasks = Table(
    "user_tasks",
    metadata,
    id_column(),
    instance_column(nullable=False),
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
    id_column(),
    instance_column(nullable=False),
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
    id_column(),
    instance_column(nullable=False),
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
    Column("delivered_to", number, ForeignKey("instances.id")),
    UniqueConstraint("instance_id", "number"),
    Index(None, "state", "run_at", "id"),
    sqlite_autoincrement=True,
)

timers = Table(
    "timers",
    metadata,
    id_column(),
    instance_column(nullable=False),
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

_AWAITED = text("state = 'waiting'")  # as subscriptions.oldest writes it
_KEPT = text("state = 'kept'")  # as sent_messages.wake writes it

# Messages and signals that instances wait for: one visit of one event.
subscriptions = Table(
    "subscriptions",
    metadata,
    id_column(),
    instance_column(nullable=False),
    Column("token", Integer, nullable=False),
    Column("flow_node", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", String(255), nullable=False),
    Column("key", String(255)),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("instance_id", "token"),
    Index("ix_subscriptions_waiting", "kind", "name", "key", "id", sqlite_where=_AWAITED, postgresql_where=_AWAITED),
    sqlite_autoincrement=True,
)

# Messages that find who waits for them by their key, thrown by instances or sent from outside, and one row for each receiver of
# a signal. `subscription_id` is who has received it; of a signal, who is to. `outside_id` lets a sender send it only once.
sent_messages = Table(
    "sent_messages",
    metadata,
    id_column(),
    Column("kind", String(16), nullable=False),
    Column("name", String(255), nullable=False),
    Column("key", String(255)),
    Column("data", JsonText, nullable=False),
    instance_column(nullable=True),  # who threw it
    Column("flow_node", String(255)),
    Column("sent_by", Text, nullable=False),
    Column("outside_id", String(255), unique=True),
    Column("subscription_id", number, ForeignKey("subscriptions.id")),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("run_at", UtcDateTime, nullable=False),
    Column("last_error", JsonText),
    Column("sent_at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    Column("delivered_to", number, ForeignKey("instances.id")),
    Index(None, "state", "run_at", "id"),
    Index("ix_sent_messages_kept", "name", "key", "id", sqlite_where=_KEPT, postgresql_where=_KEPT),
    Index(None, "instance_id"),
    Index(None, "subscription_id"),
    sqlite_autoincrement=True,
)

# When the newest version of a process starts instances by itself. `number`: how often it is due with the next time.
start_timers = Table(
    "start_timers",
    metadata,
    Column("process", String(255), primary_key=True),
    Column("flow_node", String(255), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("last_error", JsonText),
    Index(None, "state", "due_at"),
)

# Which instance a call activity has called: one visit of one call activity calls once, and an instance is called once.
calls = Table(
    "calls",
    metadata,
    id_column(),
    instance_column(nullable=False),
    Column("token", Integer, nullable=False),
    Column("flow_node", String(255), nullable=False),
    Column("called_id", number, ForeignKey("instances.id"), nullable=False, unique=True),
    Column("depth", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("error", JsonText),
    Column("attempts", Integer, nullable=False),
    Column("run_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("instance_id", "token"),
    Index(None, "state", "run_at", "id"),
    sqlite_autoincrement=True,
)

# Which version of a process was deployed together with which version of its caller.
call_bindings = Table(
    "call_bindings",
    metadata,
    Column("process", String(255), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("called", String(255), primary_key=True),
    Column("called_version", Integer, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    id_column(),
    instance_column(nullable=False),
    Column("job_id", number, ForeignKey("jobs.id")),
    Column("message_id", number, ForeignKey("messages.id")),
    Column("timer_id", number, ForeignKey("timers.id")),
    Column("kind", String(16), nullable=False),
    Column("flow_node", String(255), nullable=False),
    Column("message", JsonText, nullable=False),
    Column("tried", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    Column("resolved_by", Text),
    Column("resolution", JsonText),
    Column("sent_message_id", number, ForeignKey("sent_messages.id")),
    Column("call_id", number, ForeignKey("calls.id")),
    Index(None, "resolved_at", "id"),
    Index(None, "instance_id"),
    sqlite_autoincrement=True,
)

# Invariant 3: append-only, hash-chained per instance.
history = Table(
    "history",
    metadata,
    instance_column(primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("event", String(64), nullable=False),
    Column("by", Text, nullable=False),
    Column("details", JsonText, nullable=False),
    Column("hash", String(64), nullable=False),
)
