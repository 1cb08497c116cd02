"""Cancel an order: give what was promised for it back to the shelf, once."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.channels.base import ChannelOrder
from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.exceptions.resolve_cases import resolve_cases
from app.logs import current_request
from app.state import State
from app.transact import rerun
from domain.exceptions import CaseKind
from domain.provenance import Provenance, Remarks
from domain.stock import Posting, StockKey

_LOCK = "SELECT status, name, channel_id FROM orders WHERE id = $1 FOR UPDATE"
_ALLOCATED = """
SELECT l.sku_id, f.warehouse_id, l.quantity - l.shipped - l.cancelled - l.short
FROM fulfillment_orders f JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id
WHERE f.order_id = $1 AND l.quantity > l.shipped + l.cancelled + l.short ORDER BY l.line, f.warehouse_id
"""
_CANCEL = """
WITH work AS (
  UPDATE fulfillment_orders SET status = 'CANCELLED', version = version + 1, updated_at = now()
  WHERE order_id = $1 AND status <> 'CANCELLED' RETURNING id
), work_lines AS (
  UPDATE fulfillment_order_lines l SET cancelled = quantity - shipped - short FROM work w
  WHERE l.fulfillment_order_id = w.id
), lines AS (
  UPDATE order_lines SET cancelled = quantity - shipped, allocated = 0 WHERE order_id = $1
)
UPDATE orders SET status = 'CANCELLED', problem = NULL, version = version + 1, updated_at = now() WHERE id = $1
"""
_KEEP = """
INSERT INTO orders (id, channel_id, external_id, name, status, placed_at) VALUES ($1, $2, $3, $4, 'CANCELLED', $5)
ON CONFLICT (channel_id, external_id) DO NOTHING
"""
KINDS = (CaseKind.OVERSELL.value, CaseKind.ORDER_PROBLEM.value)


async def cancel_order(state: State, order_id: UUID) -> bool:
    """Whether this call cancelled it. The order and its allocations stay on record."""

    async def once() -> bool:
        async with state.database.hot.acquire() as connection, connection.transaction():
            return await _cancel(connection, order_id)

    cancelled = await rerun(once)
    if cancelled:
        state.doorbell.ring("feed")
    return cancelled


async def _cancel(connection: Any, order_id: UUID) -> bool:
    order = await connection.fetchrow(_LOCK, order_id)
    if order is None or order["status"] == "CANCELLED":
        return False
    lines = await connection.fetch(_ALLOCATED, order_id)
    book = await lock_rows(connection, (StockKey(line[0], line[1]) for line in lines))
    now = datetime.datetime.now(datetime.UTC)
    footing = Footing(
        Provenance(f"channel:{order['channel_id']}", request_id=current_request()),
        Remarks("ORDER_CANCELLED", reference=order["name"]),
        document=f"order:{order_id}",
    )
    for sku_id, warehouse_id, quantity in lines:
        book.post(Posting(StockKey(sku_id, warehouse_id), "committed", "available", quantity))
    await write_book(connection, book, [footing] * len(lines), now)
    await connection.execute(_CANCEL, order_id)
    await resolve_cases(connection, KINDS, {f"order:{order_id}": {"cancelled": True, "at": now}})
    return True


async def keep_cancelled(state: State, channel_id: int, order: ChannelOrder) -> None:
    """Put an order that was never ours to fill on record; nothing happens when it is there already."""
    await state.database.hot.execute(_KEEP, uuid7(), channel_id, order.external_id, order.name, order.placed_at)
