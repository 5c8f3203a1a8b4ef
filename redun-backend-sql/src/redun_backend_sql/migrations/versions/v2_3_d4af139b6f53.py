"""Indexes of times."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V2_2, V2_3

revision = "d4af139b6f53"
down_revision = "71ec303c90e4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V2_3)


def downgrade() -> None:
    """Go down to the version below."""
    lower_to(op.get_bind(), V2_2, above=V2_3)
