"""A channel's own safety stock, and taking all of it off sale: told by the feed and on record, as the rest of its policy."""

from __future__ import annotations

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

ADDED = ("safety_stock", "frozen")
COLUMNS = ("name", "status", "config", "buffer", "share_percent", "maximum", "minimum", "multiple", "adaptive")
ACTION = """
CASE WHEN TG_OP = 'INSERT' THEN 'CONNECTED'
     WHEN former ->> 'connected_at' <> latter ->> 'connected_at' THEN 'RECONNECTED'
     WHEN former ->> 'status' = 'SHADOW' AND latter ->> 'status' = 'LIVE' THEN 'WENT_LIVE'
     WHEN former ->> 'status' = 'PAUSED' AND latter ->> 'status' = 'LIVE' THEN 'RESUMED'
     WHEN former ->> 'status' <> latter ->> 'status' AND latter ->> 'status' = 'PAUSED' THEN 'PAUSED'
     ELSE 'UPDATED' END
"""
WAITING = "l.desired_version > l.acknowledged_version"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE channels ADD safety_stock INTEGER CONSTRAINT ck_channels_safety_stock CHECK (safety_stock >= 0),"
        " ADD frozen BOOLEAN DEFAULT false NOT NULL"
    )
    _note((*COLUMNS, *ADDED))
    _tell("status, frozen", f"({WAITING} OR OLD.frozen <> NEW.frozen)", ("status", "frozen"))


def downgrade() -> None:
    _tell("status", WAITING, ("status",))
    _note(COLUMNS)
    op.execute(f"ALTER TABLE channels {', '.join(f'DROP {name}' for name in ADDED)}")


def _note(columns: tuple[str, ...]) -> None:
    """`pick_changed` leaves out what is not named in its array."""
    given = ", ".join(f"'{name}'" for name in columns)
    op.execute(f"""
CREATE OR REPLACE FUNCTION note_channel_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE former jsonb := '{{}}'; latter jsonb := to_jsonb(NEW);
BEGIN
  IF TG_OP <> 'INSERT' THEN former := to_jsonb(OLD); END IF;
  INSERT INTO channel_changes (channel_id, action, subject, token, before, after)
  SELECT NEW.id, {ACTION}, NULL, nullif(current_setting('onhand.token', true), ''),
    pick_changed(former, latter, ARRAY[{given}]), pick_changed(latter, former, ARRAY[{given}]);
  RETURN NULL;
END $$
""")
    left, right = (", ".join(f"{row}.{name}" for name in (*columns, "connected_at")) for row in ("OLD", "NEW"))
    op.execute("DROP TRIGGER note_channel_update ON channels")
    op.execute(
        "CREATE TRIGGER note_channel_update AFTER UPDATE ON channels FOR EACH ROW"
        f" WHEN (({left}) IS DISTINCT FROM ({right})) EXECUTE FUNCTION note_channel_change()"
    )


def _tell(of: str, chosen: str, columns: tuple[str, ...]) -> None:
    op.execute("DROP TRIGGER tell_open_listings ON channels")
    op.execute(f"""
CREATE OR REPLACE FUNCTION tell_open_listings() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO feed (topic, key, sku_id, channel_id, payload)
  SELECT 'listing', l.id::text, l.sku_id, l.channel_id, '{{}}' FROM listings l
  WHERE l.channel_id = NEW.id AND {chosen};
  RETURN NULL; END $$
""")
    left, right = (", ".join(f"{row}.{name}" for name in columns) for row in ("OLD", "NEW"))
    op.execute(
        f"CREATE TRIGGER tell_open_listings AFTER UPDATE OF {of} ON channels FOR EACH ROW"
        f" WHEN (({left}) IS DISTINCT FROM ({right})) EXECUTE FUNCTION tell_open_listings()"
    )
