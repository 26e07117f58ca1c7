"""What is deployed, who works, and within which limits."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from engine.store.tables.columns import JsonText, UtcDateTime, id_column, metadata

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

# Who works on this database. A worker's row is its own; nothing of what it leases hangs on it.
workers = Table(
    "workers",
    metadata,
    id_column(),
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
