"""Indexes of types, paths and names."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V2_1, V2_2

revision = "71ec303c90e4"
down_revision = "30ffbaee18cd"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V2_2)


def downgrade() -> None:
    """Go down to the version below."""
    lower_to(op.get_bind(), V2_1, above=V2_2)
