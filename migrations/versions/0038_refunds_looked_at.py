"""A refund that its channel has taken is looked at again until it is paid or has failed."""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

UP = (
    "ALTER TABLE returns DROP CONSTRAINT ck_returns_refund_due",
    """
    ALTER TABLE returns ADD CONSTRAINT ck_returns_refund_due CHECK (CASE refund_state
      WHEN 'PENDING' THEN refund_next_at IS NOT NULL WHEN 'REFUSED' THEN refund_next_at IS NULL ELSE true END)
    """,
    "DROP INDEX ix_returns_refund_next_at",
    "CREATE INDEX ix_returns_refund_next_at ON returns (refund_next_at) WHERE refund_next_at IS NOT NULL",
    """
    UPDATE returns SET refund_next_at = now()
    WHERE money = 'TOLD' AND state <> 'CANCELLED' AND (refund_state = 'SENT' OR
      (refund_state = 'NONE' AND refund_external_id IS NOT NULL))
    """,
)
DOWN = (
    "UPDATE returns SET refund_next_at = NULL WHERE refund_state <> 'PENDING'",
    "DROP INDEX ix_returns_refund_next_at",
    "CREATE INDEX ix_returns_refund_next_at ON returns (refund_next_at) WHERE refund_state = 'PENDING'",
    "ALTER TABLE returns DROP CONSTRAINT ck_returns_refund_due",
    """
    ALTER TABLE returns ADD CONSTRAINT ck_returns_refund_due
      CHECK ((refund_state = 'PENDING') = (refund_next_at IS NOT NULL))
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
