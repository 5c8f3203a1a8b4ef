"""Jobs name their execution."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.fill import fill_execution_ids
from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V3_0, V3_1

revision = "cc4f663817b6"
down_revision = "cd2d53191748"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V3_1, [fill_execution_ids])


def downgrade() -> None:
    """Go down to the version below."""
    lower_to(op.get_bind(), V3_0, above=V3_1)
