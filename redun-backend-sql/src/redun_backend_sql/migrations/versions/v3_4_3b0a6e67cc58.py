"""Times in UTC."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.clocks import times_to_local, times_to_utc
from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V3_3, V3_4

revision = "3b0a6e67cc58"
down_revision = "f68b3aaee9cc"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V3_4, [times_to_utc])


def downgrade() -> None:
    """Go down to the version below."""
    times_to_local(op.get_bind())
    lower_to(op.get_bind(), V3_3, above=V3_4)
