"""Which lines of its order a return's units are of, so that no two refunds name the same unit."""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE returns ADD sold_lines JSONB")


def downgrade() -> None:
    op.execute("ALTER TABLE returns DROP sold_lines")
