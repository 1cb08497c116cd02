"""A circuit that opens or closes is told of each listing that waits behind it; a drift that lasts is told once."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE listings ADD COLUMN drift_told timestamptz")
    op.execute("CREATE INDEX ix_listings_drift_since ON listings (drift_since) WHERE drift_since IS NOT NULL")
    op.execute(
        "CREATE FUNCTION tell_blocked_listings() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO feed (topic, key, sku_id, channel_id, payload)"
        " SELECT 'listing', l.id::text, l.sku_id, l.channel_id, '{}' FROM listings l"
        " WHERE l.channel_id = NEW.channel_id AND l.desired_version > l.acknowledged_version;"
        " RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER tell_blocked_listings AFTER UPDATE OF open_until ON channel_health FOR EACH ROW"
        " WHEN ((OLD.open_until IS NULL) <> (NEW.open_until IS NULL)) EXECUTE FUNCTION tell_blocked_listings()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tell_blocked_listings ON channel_health")
    op.execute("DROP FUNCTION tell_blocked_listings")
    op.execute("DROP INDEX ix_listings_drift_since")
    op.execute("ALTER TABLE listings DROP COLUMN drift_told")
