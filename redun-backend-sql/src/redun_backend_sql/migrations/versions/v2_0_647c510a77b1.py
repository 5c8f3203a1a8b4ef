"""Values inside other values, and calls that arguments came from."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V1_0, V2_0

revision = "647c510a77b1"
down_revision = "806f5dcb11bf"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V2_0)


def downgrade() -> None:
    """Go down to the version below."""
    lower_to(op.get_bind(), V1_0, above=V2_0)
