"""An order that was cancelled or refunded before we heard of it: kept as such, so that late words change nothing."""

from __future__ import annotations

import orjson
from uuid_utils.compat import uuid7

from adapters.channels.base import ChannelOrder
from app.orders.keep_contact import write_destination
from app.state import State
from domain.orders import Payment

_KEEP = """
WITH kept AS (
  INSERT INTO orders (id, channel_id, external_id, name, status, placed_at, destination, channel_version, payment)
  VALUES ($1, $2, $3, $4, 'CANCELLED', $5, $6::json, $7, $8)
  ON CONFLICT (channel_id, external_id) DO NOTHING RETURNING id, channel_id
)
INSERT INTO order_events (order_id, actor, action)
SELECT id, 'channel:' || channel_id, unnest($9::text[]) FROM kept
"""


async def keep_cancelled(state: State, channel_id: int, order: ChannelOrder) -> None:
    """Nothing happens when it is on record already. Who it was for is nobody's business any more."""
    goal = {name: value for name, value in write_destination(order).items() if name in ("country", "region")}
    refunded = order.refunded
    payment, events = (Payment.REFUNDED if refunded else Payment.PAID).value, ["REFUNDED"] * refunded + ["CANCELLED"]
    values = (orjson.dumps(goal).decode(), order.version, payment, events)
    await state.database.hot.execute(
        _KEEP, uuid7(), channel_id, order.external_id, order.name, order.placed_at, *values
    )
