"""Workers and what they share: registry, timers, rate limits, chores; counters of jobs; what became of incidents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables and columns."""
    for name in ("failures", "look_ups", "losses"):
        op.add_column("jobs", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    _create_timers()
    _extend_incidents()
    _create_workers()
    _index_charges()
    _index_listings()
    op.create_table(
        "rate_limits",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("next_free", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rate_limits")),
    )
    op.create_table(
        "chores",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("done_until", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chores")),
    )


def _index_listings() -> None:
    """Open tasks have indexes of their own: one over all states is read through from its beginning."""
    op.create_index(op.f("ix_instances_period_id"), "instances", ["period", "id"])
    op.drop_index(op.f("ix_user_tasks_state_id"), "user_tasks")
    where = sa.text("state IN ('offered', 'claimed')")
    for columns in (["id"], ["group_name", "id"], ["claimed_by", "id"]):
        name = f"ix_user_tasks_open_{'_'.join(columns)}"
        op.create_index(op.f(name), "user_tasks", columns, sqlite_where=where, postgresql_where=where)


def _create_timers() -> None:
    op.create_table(
        "timers",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("flow_node", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_timers_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timers")),
        sa.UniqueConstraint("instance_id", "token", name=op.f("uq_timers_instance_id_token")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_timers_state_due_at_id"), "timers", ["state", "due_at", "id"])


def _extend_incidents() -> None:
    with op.batch_alter_table("incidents", table_kwargs={"sqlite_autoincrement": True}) as incidents:
        incidents.add_column(sa.Column("timer_id", _NUMBER, nullable=True))
        incidents.add_column(sa.Column("kind", sa.String(length=16), nullable=True))
        incidents.add_column(sa.Column("resolution", sa.Text(), nullable=True))
        incidents.create_foreign_key(op.f("fk_incidents_timer_id"), "timers", ["timer_id"], ["id"])
    op.execute("UPDATE incidents SET kind = CASE WHEN message_id IS NULL THEN 'refused' ELSE 'undelivered' END")
    with op.batch_alter_table("incidents", table_kwargs={"sqlite_autoincrement": True}) as incidents:
        incidents.alter_column("kind", existing_type=sa.String(length=16), nullable=False)


def _create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("process_id", sa.Integer(), nullable=False),
        sa.Column("program", sa.Text(), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("in_flight", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("stopped_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_workers_state_id"), "workers", ["state", "id"])


def _index_charges() -> None:
    op.drop_index(op.f("ix_charges_state"), "charges")
    for columns in (
        ["period", "customer", "process"],
        ["state", "period", "customer", "process"],
        ["customer", "period"],
    ):
        op.create_index(op.f(f"ix_charges_{'_'.join(columns)}"), "charges", columns)
