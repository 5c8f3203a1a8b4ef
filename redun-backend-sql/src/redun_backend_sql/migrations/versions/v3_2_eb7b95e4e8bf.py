"""Indexes for look-ups by prefix."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V3_1, V3_2

revision = "eb7b95e4e8bf"
down_revision = "cc4f663817b6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V3_2)


def downgrade() -> None:
    """Go down to the version below."""
    lower_to(op.get_bind(), V3_1, above=V3_2)
