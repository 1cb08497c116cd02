"""A refund that is due is told to the channel by a queue."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

LANES = ("ZERO", "BULK", "SETTLE", "OBSERVE", "ORDERS", "CONFIRM")
STATES = "'NONE', 'PENDING', 'SENT', 'REFUSED'"
UP = (
    f"""
    ALTER TABLE returns
      ADD refund_state TEXT DEFAULT 'NONE' NOT NULL,
      ADD refund_attempts INTEGER DEFAULT 0 NOT NULL,
      ADD refund_next_at TIMESTAMP WITH TIME ZONE,
      ADD refund_first_at TIMESTAMP WITH TIME ZONE,
      ADD refund_error TEXT,
      ADD refund_external_id TEXT,
      ADD CONSTRAINT ck_returns_refund_state CHECK (refund_state IN ({STATES})),
      ADD CONSTRAINT ck_returns_refund_due CHECK ((refund_state = 'PENDING') = (refund_next_at IS NOT NULL))
    """,
    "CREATE INDEX ix_returns_refund_next_at ON returns (refund_next_at) WHERE refund_state = 'PENDING'",
)
DOWN = (
    """
    ALTER TABLE returns DROP refund_state, DROP refund_attempts, DROP refund_next_at, DROP refund_first_at,
      DROP refund_error, DROP refund_external_id
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)
    _set_lanes((*LANES, "REFUND"))


def downgrade() -> None:
    op.execute("DELETE FROM sync_attempts WHERE lane = 'REFUND'")
    _set_lanes(LANES)
    for statement in DOWN:
        op.execute(statement)


def _set_lanes(lanes: tuple[str, ...]) -> None:
    names = ", ".join(f"'{lane}'" for lane in lanes)
    op.execute("ALTER TABLE sync_attempts DROP CONSTRAINT ck_sync_attempts_lane")
    op.execute(f"ALTER TABLE sync_attempts ADD CONSTRAINT ck_sync_attempts_lane CHECK (lane IN ({names}))")
