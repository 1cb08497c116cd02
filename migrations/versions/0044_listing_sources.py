"""A listing's own rounding, safety stock and source warehouses: told by the feed and on record, as the rest of its policy."""

from __future__ import annotations

from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

ADDED = ("multiple", "safety_stock", "warehouses")
POLICY = ("buffer", "share_percent", "maximum", "minimum", "frozen")
WATCHED = (
    *("desired", "acknowledged", "observed", "drift_since", "rejected", "frozen", "error", "external_id", "reference"),
    *("buffer", "share_percent", "maximum", "minimum", "adaptive_buffer"),
)
_INSERT = (
    "INSERT INTO feed (topic, key, sku_id, channel_id, payload) SELECT 'listing', l.id::text, l.sku_id, l.channel_id"
)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE listings ADD multiple INTEGER CONSTRAINT ck_listings_multiple CHECK (multiple >= 1),"
        " ADD safety_stock INTEGER CONSTRAINT ck_listings_safety_stock CHECK (safety_stock >= 0), ADD warehouses TEXT[]"
    )
    _tell((*WATCHED, *ADDED))
    _note((*POLICY, *ADDED))


def downgrade() -> None:
    _tell(WATCHED)
    _note(POLICY)
    op.execute(f"ALTER TABLE listings {', '.join(f'DROP {name}' for name in ADDED)}")


def _tell(watched: tuple[str, ...]) -> None:
    row = (
        f"l.id, l.sku_id, l.channel_id, {', '.join(f'l.{name}' for name in watched)},"
        " l.receipt IS NULL AS settled, l.desired_version > l.acknowledged_version AS dirty"
    )
    op.execute(f"""
CREATE OR REPLACE FUNCTION tell_listings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    {_INSERT}, '{{}}' FROM (SELECT {row} FROM changed l EXCEPT SELECT {row} FROM former l) l;
  ELSIF TG_OP = 'INSERT' THEN
    {_INSERT}, '{{}}' FROM changed l;
  ELSE
    {_INSERT}, '{{"removed": true}}' FROM former l;
  END IF;
  RETURN NULL;
END $$
""")


def _note(policy: tuple[str, ...]) -> None:
    """`pick_changed` leaves out what is not named in its array."""
    given = ", ".join(f"'{name}'" for name in policy)
    op.execute(f"""
CREATE OR REPLACE FUNCTION note_policy_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE former jsonb := to_jsonb(OLD); latter jsonb := to_jsonb(NEW);
BEGIN
  INSERT INTO channel_changes (channel_id, action, subject, token, before, after)
  SELECT NEW.channel_id, 'POLICY_SET', (SELECT code FROM skus WHERE id = NEW.sku_id),
    nullif(current_setting('onhand.token', true), ''),
    pick_changed(former, latter, ARRAY[{given}]), pick_changed(latter, former, ARRAY[{given}]);
  RETURN NULL;
END $$
""")
    left, right = (", ".join(f"{row}.{name}" for name in policy) for row in ("OLD", "NEW"))
    op.execute("DROP TRIGGER note_policy ON listings")
    op.execute(
        f"CREATE TRIGGER note_policy AFTER UPDATE OF {', '.join(policy)} ON listings FOR EACH ROW"
        f" WHEN (({left}) IS DISTINCT FROM ({right})) EXECUTE FUNCTION note_policy_change()"
    )
