"""Call activities: which instance was called by which, and in which version processes were deployed together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, and let incidents name a call that could not go on."""
    _create_calls()
    op.create_table(
        "call_bindings",
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("called", sa.String(length=255), nullable=False),
        sa.Column("called_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("process", "version", "called", name=op.f("pk_call_bindings")),
    )
    with op.batch_alter_table("incidents", table_kwargs={"sqlite_autoincrement": True}) as incidents:
        incidents.add_column(sa.Column("call_id", _NUMBER, nullable=True))
        incidents.create_foreign_key(op.f("fk_incidents_call_id"), "calls", ["call_id"], ["id"])


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("flow_node", sa.String(length=255), nullable=False),
        sa.Column("called_id", _NUMBER, nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_calls_instance_id")),
        sa.ForeignKeyConstraint(["called_id"], ["instances.id"], name=op.f("fk_calls_called_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        sa.UniqueConstraint("instance_id", "token", name=op.f("uq_calls_instance_id_token")),
        sa.UniqueConstraint("called_id", name=op.f("uq_calls_called_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_calls_state_run_at_id"), "calls", ["state", "run_at", "id"])
