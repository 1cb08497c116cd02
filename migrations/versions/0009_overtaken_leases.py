"""What is being sent under a lease, and which bulk write a fall to zero has overtaken."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = {
    "lease_lane": "text",
    "lease_quantity": "integer",
    "overtaken_owner": "text",
    "overtaken_until": "timestamptz",
    "overtaken_quantity": "integer",
}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.execute(f"ALTER TABLE listings ADD COLUMN {name} {kind}")


def downgrade() -> None:
    for name in reversed(COLUMNS):
        op.execute(f"ALTER TABLE listings DROP COLUMN {name}")
