"""Tags, and tasks as values."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.fill import fill_task_values, mark_calls_in_contexts
from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V2_3, V3_0

revision = "cd2d53191748"
down_revision = "d4af139b6f53"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V3_0, [fill_task_values])


def downgrade() -> None:
    """Go down to the version below."""
    mark_calls_in_contexts(op.get_bind())
    lower_to(op.get_bind(), V2_3, above=V3_0)
