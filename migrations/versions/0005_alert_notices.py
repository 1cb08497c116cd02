"""Which told cases have not been told as resolved is found without looking at all that ever were."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_alert_notices_open ON alert_notices (rule_id) WHERE state <> 'RESOLVED'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_alert_notices_open")
