"""An index of current tags; the final form of everything."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.fill import fill_execution_ids, fill_task_values
from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V3_4, V3_5

revision = "0bee3d6dba76"
down_revision = "3b0a6e67cc58"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V3_5, [fill_execution_ids, fill_task_values])


def downgrade() -> None:
    """Go down to the version below."""
    lower_to(op.get_bind(), V3_4, above=V3_5)
