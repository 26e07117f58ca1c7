"""Who should be billed, refunds, closed periods, reminders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)

# Whoever was ever billed is taken for enrolled since then.
_ENROL = """INSERT INTO customers (process, customer, first_period, data, enrolled_at, enrolled_by)
    SELECT bills.process, bills.customer, min(bills.period), '{}', min(instances.started_at), 'upgrade'
    FROM bills JOIN instances ON instances.id = bills.instance_id GROUP BY bills.process, bills.customer"""


def upgrade() -> None:
    """Create the tables, and enrol whoever was billed so far."""
    _create_customers()
    _create_periods()
    _create_refunds()
    _create_reminders()
    op.execute(_ENROL)


def _create_customers() -> None:
    op.create_table(
        "customers",
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("customer", sa.String(length=255), nullable=False),
        sa.Column("first_period", sa.String(length=10), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("enrolled_at", _TIME, nullable=False),
        sa.Column("enrolled_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("process", "customer", name=op.f("pk_customers")),
    )
    op.create_table(
        "customer_events",
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("customer", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("from_period", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_customer_events_instance_id")),
        sa.PrimaryKeyConstraint("process", "customer", "number", name=op.f("pk_customer_events")),
    )


def _create_periods() -> None:
    op.create_table(
        "periods",
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("process", "period", name=op.f("pk_periods")),
    )
    op.create_table(
        "closings",
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("totals", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("process", "period", "number", name=op.f("pk_closings")),
    )


def _create_refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("refund_key", sa.String(length=767), nullable=False),
        sa.Column("charge_key", sa.String(length=767), nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("intent", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("refund", sa.String(length=255), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("refunded_at", _TIME, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["charge_key"], ["charges.charge_key"], name=op.f("fk_refunds_charge_key")),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_refunds_instance_id")),
        sa.PrimaryKeyConstraint("refund_key", name=op.f("pk_refunds")),
        sa.UniqueConstraint("refund", name=op.f("uq_refunds_refund")),
    )
    for column in ("charge_key", "instance_id", "state"):
        op.create_index(op.f(f"ix_refunds_{column}"), "refunds", [column])


def _create_reminders() -> None:
    """And what they are looked up by: the open tasks by when they are due."""
    op.create_table(
        "reminders",
        sa.Column("recipient", sa.String(length=255), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("sent_at", _TIME, nullable=False),
        sa.Column("tasks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "day", name=op.f("pk_reminders")),
    )
    where = sa.text("state IN ('offered', 'claimed')")
    op.create_index(
        op.f("ix_user_tasks_open_due_at_id"), "user_tasks", ["due_at", "id"], sqlite_where=where, postgresql_where=where
    )
