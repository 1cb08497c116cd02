"""The ledger, reservations, the feed, tokens, channels and orders; and what the application may do to them."""

from __future__ import annotations

from alembic import op

from adapters.postgres.tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("stock_movements",)
DELETABLE = ("feed", "idempotency_keys", "listings", "channel_warehouses")


def upgrade() -> None:
    """Tables, the application's role, and exactly the privileges it needs.

    The role is the cluster's, not the database's, so another database may have made it already.
    """
    metadata.create_all(op.get_bind())
    op.execute(
        "DO $$ BEGIN CREATE ROLE onhand_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(
        "DO $$ BEGIN EXECUTE format('GRANT onhand_app TO %I', current_user);"
        " EXCEPTION WHEN OTHERS THEN NULL; END $$"
    )
    op.execute("GRANT USAGE ON SCHEMA public TO onhand_app")
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO onhand_app")
    for table in metadata.sorted_tables:
        rights = "SELECT, INSERT" if table.name in APPEND_ONLY else "SELECT, INSERT, UPDATE"
        if table.name in DELETABLE:
            rights += ", DELETE"
        op.execute(f"GRANT {rights} ON {table.name} TO onhand_app")
    op.execute("GRANT SELECT ON alembic_version TO onhand_app")
    op.execute("INSERT INTO feed_horizon (xid, id) VALUES ('0', 0)")


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
