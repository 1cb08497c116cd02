"""Every row of the feed gets its place by default, whoever writes it and however it locks."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION feed_place() RETURNS xid8 LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN greatest(
    pg_current_xact_id(), (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text::xid8);
END $$
"""
"""Volatile, so it looks with a snapshot of its own, from after whatever the statement around it had to wait for."""


def upgrade() -> None:
    op.execute(FUNCTION)
    op.execute("ALTER TABLE feed ALTER COLUMN xid SET DEFAULT feed_place()")


def downgrade() -> None:
    op.execute("ALTER TABLE feed ALTER COLUMN xid SET DEFAULT pg_current_xact_id()")
    op.execute("DROP FUNCTION feed_place")
