"""Values, tasks, calls, evaluations, handles, jobs and executions."""

from __future__ import annotations

from alembic import op

from redun_backend_sql.migrations.reshape import lower_to, raise_to
from redun_backend_sql.migrations.tables import V1_0
from redun_backend_sql.versions import NO_SCHEMA

revision = "806f5dcb11bf"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up to this version."""
    raise_to(op.get_bind(), V1_0)


def downgrade() -> None:
    """Go down to the version below."""
    lower_to(op.get_bind(), NO_SCHEMA, above=V1_0)
