"""The version of a fulfilment order of which its partner was told, and since when a partner could not be heard."""

from __future__ import annotations

from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE partner_orders ADD COLUMN told_version integer")
    op.execute("ALTER TABLE partners ADD COLUMN unheard_since timestamptz")


def downgrade() -> None:
    op.execute("ALTER TABLE partner_orders DROP COLUMN told_version")
    op.execute("ALTER TABLE partners DROP COLUMN unheard_since")
