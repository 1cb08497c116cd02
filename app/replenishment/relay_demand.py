"""From the change feed to what is sold, handled, and to be ordered again. The position moves with it."""

from __future__ import annotations

from adapters.postgres.feed import read_page
from adapters.postgres.relays import lock_place, move_place
from app.batches import split_batches
from app.replenishment.evaluate_stock import evaluate_stock
from app.replenishment.note_demand import note_demand
from app.state import State
from domain.stock import StockKey

PAGE_MAX = 1_000
NAME = "demand"
_EVERYTHING = "SELECT sku_id, warehouse_id FROM stock_levels ORDER BY sku_id, warehouse_id"


async def relay_demand(state: State) -> tuple[int, bool]:
    """Relay one page. Returns the rows read and whether a running transaction holds more back.

    Several workers are harmless: the row of the position is locked while one is at it.
    """
    async with state.database.hot.acquire() as connection, connection.transaction():
        after = await lock_place(connection, NAME)
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
        await move_place(connection, NAME, page, lost=lost)
    return len(page.events), page.pending
