"""Units that were cancelled here while their channel still names them; events by age, while they have a body."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE order_lines ADD untold INTEGER DEFAULT '0' NOT NULL")
    op.execute("ALTER TABLE order_lines ADD CONSTRAINT ck_order_lines_untold CHECK (untold >= 0)")
    op.execute("CREATE INDEX ix_inbound_events_bodies ON inbound_events (received_at) WHERE body <> ''::bytea")


def downgrade() -> None:
    op.execute("DROP INDEX ix_inbound_events_bodies")
    op.execute("ALTER TABLE order_lines DROP COLUMN untold")
