"""What the stream of orders shows: which changes a watcher may see, and the snapshot it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.feed import FeedEvent
from app.channels.see_channels import find_channel
from app.orders.read_orders import read_order, read_orders_by_ids
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

SNAPSHOT_PAGE = 500
_OPEN = """
SELECT id FROM orders o WHERE status NOT IN ('SHIPPED', 'CANCELLED')
  AND ($1::int[] IS NULL OR channel_id = ANY($1)) AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR id > $3)
ORDER BY id LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class OrderWatch:
    """Channels watched, None for all; or one order. Equal watches share one stream."""

    channel_ids: frozenset[int] | None
    order_id: UUID | None = None

    def accepts(self, event: FeedEvent) -> bool:
        return (self.channel_ids is None or event.channel_id in self.channel_ids) and (
            self.order_id is None or event.key == str(self.order_id)
        )


async def watch_orders(
    state: State, principal: Principal, channels: Sequence[str] | None, order_id: UUID | None
) -> OrderWatch:
    """Resolve a filter within what the principal may see.

    Raises `Refusal` CHANNEL_NOT_FOUND, ORDER_NOT_FOUND, and NOT_ALLOWED for a token limited to warehouses: what of an
    order is its own may change while the stream lives.
    """
    if principal.warehouse_ids is not None:
        message = "Your token is limited to warehouses: watch their fulfilment orders, or use the queries."
        raise Refusal(RefusalCode.NOT_ALLOWED, message)
    connection = state.database.hot
    if order_id is not None and await read_order(connection, principal, order_id) is None:
        raise Refusal(RefusalCode.ORDER_NOT_FOUND, "There is no such order.", ("filter", "order"))
    if channels is None:
        return OrderWatch(principal.channel_ids, order_id)
    found = [
        await find_channel(connection, principal, code, ("filter", "channels", str(index)))
        for index, code in enumerate(channels)
    ]
    return OrderWatch(frozenset(found), order_id)


async def read_watched_orders(connection: Any, watch: OrderWatch, after: UUID | None) -> list[dict[str, Any]]:
    """Up to `SNAPSHOT_PAGE` orders of which something is to be shipped, after an id (None: from the oldest)."""
    channels = None if watch.channel_ids is None else sorted(watch.channel_ids)
    ids = [row[0] for row in await connection.fetch(_OPEN, channels, watch.order_id, after, SNAPSHOT_PAGE)]
    found = await read_orders_by_ids(connection, ids)
    return sorted(found, key=lambda row: row["id"])
