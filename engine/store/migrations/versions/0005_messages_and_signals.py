"""Messages and signals between instances and from outside, and timers that start instances."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, and let incidents name what could not be delivered."""
    _create_subscriptions()
    _create_sent_messages()
    _create_start_timers()
    with op.batch_alter_table("incidents", table_kwargs={"sqlite_autoincrement": True}) as incidents:
        incidents.add_column(sa.Column("sent_message_id", _NUMBER, nullable=True))
        incidents.create_foreign_key(op.f("fk_incidents_sent_message_id"), "sent_messages", ["sent_message_id"], ["id"])


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("flow_node", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_subscriptions_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("instance_id", "token", name=op.f("uq_subscriptions_instance_id_token")),
        sqlite_autoincrement=True,
    )
    _partial_index("ix_subscriptions_waiting", "subscriptions", ["kind", "name", "key", "id"], "state = 'waiting'")


def _create_sent_messages() -> None:
    op.create_table(
        "sent_messages",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=True),
        sa.Column("flow_node", sa.String(length=255), nullable=True),
        sa.Column("sent_by", sa.Text(), nullable=False),
        sa.Column("outside_id", sa.String(length=255), nullable=True),
        sa.Column("subscription_id", _NUMBER, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", _TIME, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", _TIME, nullable=False),
        sa.Column("delivered_at", _TIME, nullable=True),
        sa.Column("delivered_to", _NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_sent_messages_instance_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("fk_sent_messages_subscription_id")),
        sa.ForeignKeyConstraint(["delivered_to"], ["instances.id"], name=op.f("fk_sent_messages_delivered_to")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sent_messages")),
        sa.UniqueConstraint("outside_id", name=op.f("uq_sent_messages_outside_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_sent_messages_state_run_at_id"), "sent_messages", ["state", "run_at", "id"])
    op.create_index(op.f("ix_sent_messages_instance_id"), "sent_messages", ["instance_id"])
    op.create_index(op.f("ix_sent_messages_subscription_id"), "sent_messages", ["subscription_id"])
    _partial_index("ix_sent_messages_kept", "sent_messages", ["name", "key", "id"], "state = 'kept'")


def _create_start_timers() -> None:
    op.create_table(
        "start_timers",
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("flow_node", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("begun_at", _TIME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("process", "flow_node", name=op.f("pk_start_timers")),
    )
    op.create_index(op.f("ix_start_timers_state_due_at"), "start_timers", ["state", "due_at"])


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(op.f(name), table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
