"""Open tasks are looked for by customer and by period: each has its own copy of both, and an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_FILL = """UPDATE user_tasks SET
    customer = (SELECT customer FROM instances WHERE instances.id = user_tasks.instance_id),
    period = (SELECT period FROM instances WHERE instances.id = user_tasks.instance_id)"""


def upgrade() -> None:
    """Add the columns, fill them from the tasks' instances, and index them."""
    op.add_column("user_tasks", sa.Column("customer", sa.Text(), nullable=True))
    op.add_column("user_tasks", sa.Column("period", sa.String(length=10), nullable=True))
    op.execute(_FILL)
    where = sa.text("state IN ('offered', 'claimed')")
    for column in ("customer", "period"):
        name = f"ix_user_tasks_open_{column}_id"
        op.create_index(op.f(name), "user_tasks", [column, "id"], sqlite_where=where, postgresql_where=where)
