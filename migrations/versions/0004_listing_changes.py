"""Every change of a listing that somebody may watch is told by the change feed."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WATCHED = (
    *("desired", "acknowledged", "observed", "drift_since", "rejected", "frozen", "error", "external_id", "reference"),
    *("buffer", "share_percent", "maximum", "minimum", "adaptive_buffer"),
)
"""Leases, attempts and velocity come and go without anybody having to look."""
_SHOWN = ", ".join(f"{{0}}.{name}" for name in WATCHED)
_DERIVED = "{0}.receipt IS NULL, {0}.desired_version > {0}.acknowledged_version"
_ROW = f"({_SHOWN}, {_DERIVED})"
_INSERT = (
    "INSERT INTO feed (topic, key, sku_id, channel_id, payload) SELECT 'listing', l.id::text, l.sku_id, l.channel_id"
)
FUNCTION = f"""
CREATE FUNCTION tell_listings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    {_INSERT}, '{{}}' FROM changed l JOIN former f USING (id)
    WHERE {_ROW.format("l")} IS DISTINCT FROM {_ROW.format("f")};
  ELSIF TG_OP = 'INSERT' THEN
    {_INSERT}, '{{}}' FROM changed l;
  ELSE
    {_INSERT}, '{{"removed": true}}' FROM former l;
  END IF;
  RETURN NULL;
END $$
"""
TRIGGERS = (
    "UPDATE ON listings REFERENCING OLD TABLE AS former NEW TABLE AS changed",
    "INSERT ON listings REFERENCING NEW TABLE AS changed",
    "DELETE ON listings REFERENCING OLD TABLE AS former",
)


def upgrade() -> None:
    """One INSERT for each statement, however many rows it changes and whoever wrote it."""
    op.execute(FUNCTION)
    for definition in TRIGGERS:
        name = f"tell_listings_{definition.split()[0].lower()}"
        op.execute(f"CREATE TRIGGER {name} AFTER {definition} FOR EACH STATEMENT EXECUTE FUNCTION tell_listings()")
    op.execute(
        "CREATE FUNCTION tell_open_listings() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {_INSERT}, '{{}}' FROM listings l WHERE l.channel_id = NEW.id AND l.desired_version > l.acknowledged_version;"
        " RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER tell_open_listings AFTER UPDATE OF status ON channels FOR EACH ROW"
        " WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION tell_open_listings()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tell_open_listings ON channels")
    op.execute("DROP FUNCTION tell_open_listings")
    for definition in TRIGGERS:
        op.execute(f"DROP TRIGGER tell_listings_{definition.split()[0].lower()} ON listings")
    op.execute("DROP FUNCTION tell_listings")
