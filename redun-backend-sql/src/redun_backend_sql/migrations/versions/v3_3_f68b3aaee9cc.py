"""Executions say when they were last seen alive."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V3_2, V3_3

revision = "f68b3aaee9cc"
down_revision = "eb7b95e4e8bf"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V3_3)


def downgrade() -> None:
    """Go down to the version below."""
    lower_to(op.get_bind(), V3_2, above=V3_3)
