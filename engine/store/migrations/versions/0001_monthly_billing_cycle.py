"""The monthly billing cycle: definitions, instances, work, messages, charges, history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "deployment_files",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(length=255), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "file", name=op.f("pk_deployment_files")),
    )
    op.create_table(
        "deployments",
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("deployed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deployed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("process", "version", name=op.f("pk_deployments")),
    )
    op.create_table(
        "instances",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("period", sa.String(length=10), nullable=True),
        sa.Column("started_by", sa.String(length=16), nullable=False),
        sa.Column("started_user", sa.Text(), nullable=False),
        sa.Column("previous_id", _NUMBER, nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_events", sa.Text(), nullable=True),
        sa.Column("token_state", sa.Text(), nullable=False),
        sa.Column("previous_values", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["previous_id"], ["instances.id"], name=op.f("fk_instances_previous_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("instances", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_instances_customer_id"), ["customer", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_instances_previous_id"), ["previous_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_instances_process_id"), ["process", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_instances_state_id"), ["state", "id"], unique=False)

    op.create_table(
        "bills",
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("customer", sa.String(length=255), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_bills_instance_id")),
        sa.PrimaryKeyConstraint("process", "customer", "period", name=op.f("pk_bills")),
        sa.UniqueConstraint("instance_id", name=op.f("uq_bills_instance_id")),
    )
    op.create_table(
        "charges",
        sa.Column("charge_key", sa.String(length=767), nullable=False),
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("customer", sa.String(length=255), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("stripe_customer", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("intent", sa.String(length=255), nullable=True),
        sa.Column("payment_method", sa.String(length=255), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("charged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_charges_instance_id")),
        sa.PrimaryKeyConstraint("charge_key", name=op.f("pk_charges")),
        sa.UniqueConstraint("intent", name=op.f("uq_charges_intent")),
        sa.UniqueConstraint("process", "customer", "period", name=op.f("uq_charges_process_customer_period")),
    )
    with op.batch_alter_table("charges", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_charges_instance_id"), ["instance_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_charges_state"), ["state"], unique=False)

    op.create_table(
        "history",
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_history_instance_id")),
        sa.PrimaryKeyConstraint("instance_id", "number", name=op.f("pk_history")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("flow_node", sa.String(length=255), nullable=False),
        sa.Column("topic", sa.String(length=255), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_jobs_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("instance_id", "token", name=op.f("uq_jobs_instance_id_token")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_jobs_state_run_at_id"), ["state", "run_at", "id"], unique=False)

    op.create_table(
        "messages",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("flow_node", sa.String(length=255), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("previous_values", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("thrown_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_to", _NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["delivered_to"], ["instances.id"], name=op.f("fk_messages_delivered_to")),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_messages_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("instance_id", "number", name=op.f("uq_messages_instance_id_number")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_messages_state_run_at_id"), ["state", "run_at", "id"], unique=False)

    op.create_table(
        "user_tasks",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("flow_node", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("group_name", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_user_tasks_instance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_tasks")),
        sa.UniqueConstraint("instance_id", "token", name=op.f("uq_user_tasks_instance_id_token")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("user_tasks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_tasks_state_id"), ["state", "id"], unique=False)

    op.create_table(
        "incidents",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("instance_id", _NUMBER, nullable=False),
        sa.Column("job_id", _NUMBER, nullable=True),
        sa.Column("message_id", _NUMBER, nullable=True),
        sa.Column("flow_node", sa.String(length=255), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("tried", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_incidents_instance_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_incidents_job_id")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_incidents_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incidents_instance_id"), ["instance_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_incidents_resolved_at_id"), ["resolved_at", "id"], unique=False)
