"""What a listing may still show although its channel took something else.

Telling what changed is a set operation: the plan of a join that was made for one row took seconds for ten thousand.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WATCHED = (
    *("desired", "acknowledged", "observed", "drift_since", "rejected", "frozen", "error", "external_id", "reference"),
    *("buffer", "share_percent", "maximum", "minimum", "adaptive_buffer"),
)
_ROW = f"""
l.id, l.sku_id, l.channel_id, {", ".join(f"l.{name}" for name in WATCHED)},
l.receipt IS NULL AS settled, l.desired_version > l.acknowledged_version AS dirty
"""
_INSERT = (
    "INSERT INTO feed (topic, key, sku_id, channel_id, payload) SELECT 'listing', l.id::text, l.sku_id, l.channel_id"
)
FUNCTION = f"""
CREATE OR REPLACE FUNCTION tell_listings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    {_INSERT}, '{{}}' FROM (SELECT {_ROW} FROM changed l EXCEPT SELECT {_ROW} FROM former l) l;
  ELSIF TG_OP = 'INSERT' THEN
    {_INSERT}, '{{}}' FROM changed l;
  ELSE
    {_INSERT}, '{{"removed": true}}' FROM former l;
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute("ALTER TABLE listings ADD COLUMN may_show INTEGER")
    op.execute(FUNCTION)


def downgrade() -> None:
    """The function stays: it tells the same as before."""
    op.execute("ALTER TABLE listings DROP COLUMN may_show")
