"""A pick of a transfer that is told when it has left: its units stood at the dock from then until it was shipped.

Nobody has to pick, so that more may be shipped than was picked.
"""

from __future__ import annotations

from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

SHIPPED = "ck_transfer_lines_shipped CHECK (picked BETWEEN 0 AND requested AND shipped BETWEEN 0 AND {})"
WHEN = "nullif(current_setting('onhand.occurred_at', true), '')::timestamptz"
_FROM = """
FROM changed n JOIN former o USING (transfer_id, line) JOIN transfers t ON t.id = n.transfer_id
WHERE n.picked <> o.picked AND t.state {}
"""
_LATE = _FROM.format("IN ('IN_TRANSIT', 'RETURNING', 'RECEIVED')")
PICKING = (
    "SELECT n.sku_id, t.source_id, n.picked - o.picked, 'transfer:' || t.id, " + WHEN + _FROM.format("= 'PICKING'")
)
LEFT = (
    "SELECT n.sku_id, t.source_id, n.picked - o.picked, 'transfer:' || t.id, "
    + WHEN
    + _LATE
    + "UNION ALL SELECT n.sku_id, t.source_id, o.picked - n.picked, 'transfer:' || t.id, t.shipped_at"
    + _LATE
)
FUNCTION = """
CREATE OR REPLACE FUNCTION record_picks_of_transfer_lines() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO pick_records (sku_id, warehouse_id, quantity, document, occurred_at) {}; RETURN NULL; END $$
"""


def upgrade() -> None:
    _replace("requested")
    op.execute(FUNCTION.format(f"{PICKING} UNION ALL {LEFT}"))


def downgrade() -> None:
    """Lines of which more is shipped than picked are taken to be picked, as they were before."""
    op.execute(FUNCTION.format(PICKING))
    op.execute("UPDATE transfer_lines SET picked = shipped WHERE shipped > picked")
    _replace("picked")


def _replace(most: str) -> None:
    op.execute("ALTER TABLE transfer_lines DROP CONSTRAINT ck_transfer_lines_shipped")
    op.execute(f"ALTER TABLE transfer_lines ADD CONSTRAINT {SHIPPED.format(most)}")
