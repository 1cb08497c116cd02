"""Promise what waits for stock when some arrives: the order with the oldest promise first, then the one placed first.

The change feed says which SKUs have stock; a slow sweep looks at all of them, for what a crash left and for orders that
waited for a day, a policy or a warehouse rather than for stock. One worker fills at a time, so that no younger order
overtakes an older one. It holds no transaction meanwhile: that would hold back the feed.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import structlog

from adapters.postgres.feed import FeedPage, read_page
from adapters.postgres.relays import lock_place, move_place
from app.routing.allocate_order import allocate_order
from app.routing.fill_order import BACKORDER
from app.state import State
from domain.errors import Fault

PAGE_MAX = 1_000
ORDERS_MAX = 50
"""Read at a time; the next ones are read when these have had their turn."""
ROUNDS_MAX = 20
NAME = "backorders"
FILLING_LOCK = 0x0B5E55ED
log = structlog.get_logger()
_WAITING = """
SELECT o.id, coalesce(least(o.ship_by, o.deliver_by), 'infinity'::timestamptz) AS promise, o.placed_at
FROM orders o
WHERE o.status NOT IN ('CANCELLED', 'SHIPPED')
  AND ($2::timestamptz IS NULL
    OR (coalesce(least(o.ship_by, o.deliver_by), 'infinity'::timestamptz), o.placed_at, o.id) > ($2, $3, $4))
  AND EXISTS (
    SELECT FROM order_lines l JOIN stock_levels s ON s.sku_id = l.sku_id AND s.available > 0
    JOIN channel_warehouses c ON c.warehouse_id = s.warehouse_id AND c.channel_id = o.channel_id AND c.status = 'LIVE'
    WHERE l.order_id = o.id AND l.quantity > l.allocated + l.shipped + l.cancelled
      AND ($1::int[] IS NULL OR l.sku_id = ANY($1)))
  AND o.id IN (SELECT order_id FROM order_lines WHERE quantity > allocated + shipped + cancelled
               AND ($1::int[] IS NULL OR sku_id = ANY($1)))
ORDER BY 2, o.placed_at, o.id LIMIT $5
"""


async def fill_backorders(state: State) -> int:
    """Read one page of the feed and fill what waits for its SKUs; the rows read. 0 while another worker is at it."""
    async with _filling(state) as connection:
        if connection is None:
            return 0
        after = await lock_place(connection, NAME)
        page = await read_page(connection, after, PAGE_MAX)
        lost = after < page.horizon
        skus = None if lost else _stocked(page)
        if skus is None or skus:
            await _fill(state, connection, skus)
        await move_place(connection, NAME, page, lost=lost)
        return len(page.events)


async def sweep_backorders(state: State) -> int:
    """Try every order that waits and whose SKU is somewhere; the orders that got something."""
    async with _filling(state) as connection:
        return 0 if connection is None else await _fill(state, connection, None)


@asynccontextmanager
async def _filling(state: State) -> AsyncIterator[Any]:
    """A connection that has the turn, or None when another worker has it."""
    async with state.database.hot.acquire() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", FILLING_LOCK):
            yield None
            return
        try:
            yield connection
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", FILLING_LOCK)


def _stocked(page: FeedPage) -> list[int]:
    """SKUs whose stock changed. What is available now is read with the orders."""
    return sorted({event.sku_id for event in page.events if event.topic == "stock" and event.sku_id is not None})


async def _fill(state: State, connection: Any, skus: Sequence[int] | None) -> int:
    """Every order that waits for `skus` (None: for any), in its turn; how many got something."""
    filled, after = 0, _START
    for _ in range(ROUNDS_MAX):
        rows = await connection.fetch(_WAITING, skus, *after, ORDERS_MAX)
        for row in rows:
            filled += await _fill_order(state, row["id"])
        if len(rows) < ORDERS_MAX:
            break
        after = (rows[-1]["promise"], rows[-1]["placed_at"], rows[-1]["id"])
    return filled


_START: tuple[datetime.datetime | None, datetime.datetime | None, UUID | None] = (None, None, None)


async def _fill_order(state: State, order_id: UUID) -> bool:
    """One that cannot be filled now keeps nobody behind it waiting: the sweep comes back to it."""
    try:
        return bool((await allocate_order(state, order_id, BACKORDER))["allocations"])
    except Fault as fault:
        log.warning("a backorder was not filled", order=str(order_id), reason=str(fault))
        return False
