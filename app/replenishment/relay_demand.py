"""From the change feed to what is sold, handled, and to be ordered again. The position moves with it."""

from __future__ import annotations

from typing import Any

from adapters.postgres.feed import read_page
from app.batches import split_batches
from app.replenishment.evaluate_stock import evaluate_stock
from app.replenishment.note_demand import note_demand
from app.state import State
from domain.cursor import Position
from domain.stock import StockKey

PAGE_MAX = 1_000
NAME = "demand"
_POSITION = "SELECT xid::text::bigint, id FROM relay_positions WHERE name = $1 FOR UPDATE"
_BEGIN = "INSERT INTO relay_positions (name, xid, id) VALUES ($1, '0', 0) ON CONFLICT DO NOTHING"
_MOVE = "UPDATE relay_positions SET xid = $2::text::xid8, id = $3 WHERE name = $1"
_EVERYTHING = "SELECT sku_id, warehouse_id FROM stock_levels ORDER BY sku_id, warehouse_id"


async def relay_demand(state: State) -> tuple[int, bool]:
    """Relay one page. Returns the rows read and whether a running transaction holds more back.

    Several workers are harmless: the row of the position is locked while one is at it.
    """
    async with state.database.hot.acquire() as connection, connection.transaction():
        after = await _lock_position(connection)
        page = await read_page(connection, after, PAGE_MAX)
        lost = after < page.horizon
        if lost:
            keys = [StockKey(*row) for row in await connection.fetch(_EVERYTHING)]
        else:
            keys = sorted(
                {
                    StockKey(event.sku_id, event.warehouse_id)
                    for event in page.events
                    if event.topic == "stock" and event.sku_id is not None and event.warehouse_id is not None
                }
            )
        for batch in split_batches(keys):
            await note_demand(connection, batch)
            await evaluate_stock(connection, batch, id(state.database))
        if page.events or lost:
            upto = page.events[-1].position if page.events else page.horizon
            await connection.execute(_MOVE, NAME, str(upto.xid), upto.id)
    return len(page.events), page.pending


async def _lock_position(connection: Any) -> Position:
    record = await connection.fetchrow(_POSITION, NAME)
    if record is None:
        await connection.execute(_BEGIN, NAME)
        record = await connection.fetchrow(_POSITION, NAME)
    return Position(record[0], record[1])
