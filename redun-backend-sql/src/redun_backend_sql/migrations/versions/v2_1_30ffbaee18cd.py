"""Indexes for following references."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V2_0, V2_1

revision = "30ffbaee18cd"
down_revision = "647c510a77b1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V2_1)


def downgrade() -> None:
    """Go down to the version below."""
    lower_to(op.get_bind(), V2_0, above=V2_1)
