"""Promise what waits for stock when some arrives: the order with the oldest promise first, then the one placed first.

The change feed says which SKUs have stock; a slow sweep looks at all of them, for what a crash left and for orders that
waited for a day, a policy or a warehouse rather than for stock. One worker fills at a time, so that no younger order
overtakes an older one. It holds no transaction meanwhile: that would hold back the feed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import structlog

from adapters.postgres.feed import FeedPage, read_page
from adapters.postgres.relays import lock_place, move_place
from app.routing.allocate_order import allocate_order
from app.routing.fill_order import BACKORDER
from app.state import Place, State, Swept
from domain.errors import Fault

PAGE_MAX = 1_000
ORDERS_MAX = 50
"""Read at a time; the next ones are read when these have had their turn."""
ROUNDS_MAX = 20
START = Swept().after
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
            await _fill(state, connection, skus, START)
        await move_place(connection, NAME, page, lost=lost)
        return len(page.events)


async def sweep_backorders(state: State) -> int:
    """Try every order that waits and whose SKU is somewhere; the orders that got something.

    Whom a sweep does not come to is the first one of the next.
    """
    async with _filling(state) as connection:
        if connection is None:
            return 0
        filled, state.swept.after = await _fill(state, connection, None, state.swept.after)
        return filled


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


async def _fill(state: State, connection: Any, skus: Sequence[int] | None, after: Place) -> tuple[int, Place]:
    """Every order that waits for `skus` (None: for any), in its turn; how many got something, and where to go on."""
    filled = 0
    for _ in range(ROUNDS_MAX):
        rows = await connection.fetch(_WAITING, skus, *after, ORDERS_MAX)
        for row in rows:
            filled += await _fill_order(state, row["id"])
        if len(rows) < ORDERS_MAX:
            return filled, START
        after = (rows[-1]["promise"], rows[-1]["placed_at"], rows[-1]["id"])
    return filled, after


async def _fill_order(state: State, order_id: UUID) -> bool:
    """One that cannot be filled now, for whatever reason, keeps nobody behind it waiting: a sweep comes back to it."""
    try:
        return bool((await allocate_order(state, order_id, BACKORDER))["allocations"])
    except Fault as fault:
        log.warning("a backorder was not filled", order=str(order_id), reason=str(fault))
    except Exception:
        log.exception("a backorder cannot be filled", order=str(order_id))
    return False
