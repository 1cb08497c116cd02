"""Fulfilment at work: orders that are to be routed again, calls that confirm parcels, and queues that tell who left.

A change of a fulfilment order tells its state before and after, so that a warehouse's queue also hears of what leaves.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_INSERT = "INSERT INTO feed (topic, key, warehouse_id, payload) SELECT"
_STATES = "json_build_object('status', r.status, 'was', f.status)"
FUNCTION = f"""
CREATE FUNCTION tell_fulfillment_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    {_INSERT} 'fulfillment_order', r.id::text, r.warehouse_id, json_build_object('status', r.status)
    FROM changed r;
  ELSE
    {_INSERT} 'fulfillment_order', r.id::text, r.warehouse_id, {_STATES} FROM changed r JOIN former f USING (id);
    {_INSERT} 'fulfillment_order', r.id::text, f.warehouse_id, {_STATES} FROM changed r JOIN former f USING (id)
    WHERE r.warehouse_id <> f.warehouse_id;
  END IF;
  RETURN NULL;
END $$
"""
OLD_FUNCTION = """
CREATE FUNCTION tell_fulfillment_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO feed (topic, key, warehouse_id, payload) SELECT 'fulfillment_order', r.id::text, r.warehouse_id, '{}'
  FROM changed r;
  RETURN NULL;
END $$
"""
LANES = ("ZERO", "BULK", "SETTLE", "OBSERVE", "ORDERS")


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD reroute_at TIMESTAMP WITH TIME ZONE")
    op.execute("CREATE INDEX ix_orders_reroute_at ON orders (reroute_at) WHERE reroute_at IS NOT NULL")
    _set_lanes((*LANES, "CONFIRM"))
    _set_triggers(FUNCTION, "OLD TABLE AS former NEW TABLE AS changed")


def downgrade() -> None:
    _set_triggers(OLD_FUNCTION, "NEW TABLE AS changed")
    op.execute("DELETE FROM sync_attempts WHERE lane = 'CONFIRM'")
    _set_lanes(LANES)
    op.execute("ALTER TABLE orders DROP reroute_at")


def _set_lanes(lanes: tuple[str, ...]) -> None:
    names = ", ".join(f"'{lane}'" for lane in lanes)
    op.execute("ALTER TABLE sync_attempts DROP CONSTRAINT ck_sync_attempts_lane")
    op.execute(f"ALTER TABLE sync_attempts ADD CONSTRAINT ck_sync_attempts_lane CHECK (lane IN ({names}))")


def _set_triggers(function: str, updated: str) -> None:
    for event in ("insert", "update"):
        op.execute(f"DROP TRIGGER tell_fulfillment_orders_{event} ON fulfillment_orders")
    op.execute("DROP FUNCTION tell_fulfillment_orders")
    op.execute(function)
    for event, tables in (("insert", "NEW TABLE AS changed"), ("update", updated)):
        op.execute(
            f"CREATE TRIGGER tell_fulfillment_orders_{event} AFTER {event} ON fulfillment_orders"
            f" REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION tell_fulfillment_orders()"
        )
