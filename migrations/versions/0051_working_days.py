"""The days on which a warehouse works, and when its day begins."""

from __future__ import annotations

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE warehouses ADD COLUMN working_days smallint[] NOT NULL DEFAULT '{1,2,3,4,5,6,7}'")
    op.execute("ALTER TABLE warehouses ADD COLUMN closed_on date[] NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE warehouses ADD COLUMN open_from time")
    op.execute(
        "ALTER TABLE warehouses ADD CONSTRAINT ck_warehouses_working_days "
        "CHECK (cardinality(working_days) > 0 AND working_days <@ '{1,2,3,4,5,6,7}')"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE warehouses DROP COLUMN working_days, DROP COLUMN closed_on, DROP COLUMN open_from")
