"""Where an order went is erased in time also when nothing of its contact could be sealed."""

from __future__ import annotations

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _replace("sealed IS NULL OR erased_at IS NULL", "erased_at IS NULL")
    op.execute(
        """
        INSERT INTO order_contacts (order_id) SELECT o.id FROM orders o
        WHERE EXISTS (SELECT FROM json_object_keys(o.destination) AS k (name) WHERE name NOT IN ('country', 'region'))
        ON CONFLICT (order_id) DO NOTHING
        """
    )


def downgrade() -> None:
    op.execute("DELETE FROM order_contacts WHERE sealed IS NULL AND erased_at IS NULL")
    _replace("(sealed IS NULL) = (erased_at IS NOT NULL)", "sealed IS NOT NULL")


def _replace(check: str, where: str) -> None:
    op.execute("ALTER TABLE order_contacts DROP CONSTRAINT ck_order_contacts_erased")
    op.execute(f"ALTER TABLE order_contacts ADD CONSTRAINT ck_order_contacts_erased CHECK ({check})")
    op.execute("DROP INDEX ix_order_contacts_erase_at")
    op.execute(f"CREATE INDEX ix_order_contacts_erase_at ON order_contacts (erase_at) WHERE {where}")
