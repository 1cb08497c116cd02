"""What a queue tells says of which channel the order is, for tokens that see only some."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_STATES = "json_build_object('status', r.status, 'was', f.status)"
FUNCTION = """
CREATE OR REPLACE FUNCTION tell_fulfillment_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    {insert} 'fulfillment_order', r.id::text, r.warehouse_id, {channel}json_build_object('status', r.status)
    FROM changed r{order};
  ELSE
    {insert} 'fulfillment_order', r.id::text, r.warehouse_id, {channel}{states}
    FROM changed r JOIN former f USING (id){order};
    {insert} 'fulfillment_order', r.id::text, f.warehouse_id, {channel}{states}
    FROM changed r JOIN former f USING (id){order} WHERE r.warehouse_id <> f.warehouse_id;
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    insert = "INSERT INTO feed (topic, key, warehouse_id, channel_id, payload) SELECT"
    order = " JOIN orders o ON o.id = r.order_id"
    op.execute(FUNCTION.format(insert=insert, channel="o.channel_id, ", order=order, states=_STATES))


def downgrade() -> None:
    insert = "INSERT INTO feed (topic, key, warehouse_id, payload) SELECT"
    op.execute(FUNCTION.format(insert=insert, channel="", order="", states=_STATES))
