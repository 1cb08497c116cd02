"""Promise what an order still wants: the one place from which changed orders are allocated anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.ledger import lock_rows
from app.logs import current_request
from app.orders.lock_order import OrderNow, lock_order
from app.orders.promise_units import Promise, promise_units
from app.orders.write_state import OrderEvent, write_state
from app.state import State
from app.transact import rerun
from domain.orders import OrderStatus
from domain.provenance import Provenance
from domain.stock import Book, StockKey

_SOURCES = """
SELECT w.id FROM channel_warehouses c JOIN warehouses w ON w.id = c.warehouse_id
WHERE c.channel_id = $1 AND w.status = 'LIVE' ORDER BY w.id
"""


async def fill_order(state: State, order_id: UUID, actor: str = "system") -> bool:
    """Whether nothing of the order is backordered any more; what is stays its `problem`."""
    who = Provenance(actor, None, current_request())

    async def once() -> bool:
        async with state.database.hot.acquire() as connection, connection.transaction():
            now = await lock_order(connection, order_id)
            return now is None or await _fill(connection, now, who)

    filled = await rerun(once)
    state.doorbell.ring("feed")
    return filled


async def _fill(connection: Any, now: OrderNow, who: Provenance) -> bool:
    if now.status is OrderStatus.CANCELLED or not now.backordered:
        return True
    houses = [row[0] for row in await connection.fetch(_SOURCES, now.channel_id)]
    wanted = {number: units for number, units in now.backordered.items() if now.lines[number].sku_id is not None}
    skus = {number: now.lines[number].sku_id or 0 for number in wanted}
    book = await lock_rows(connection, [StockKey(skus[number], house) for number in wanted for house in houses])
    promises = choose_promises(book, wanted, skus, houses)
    await promise_units(connection, now, book, promises, "ORDER", who)
    missing = now.backordered
    problem = describe_missing(now) if missing else None
    if promises or problem != now.row["problem"]:
        events = [OrderEvent("ALLOCATED")] if promises else []
        await write_state(connection, now, {"problem": problem}, events, who.actor)
    return not missing


def choose_promises(book: Book, wanted: dict[int, int], skus: dict[int, int], houses: Sequence[int]) -> list[Promise]:
    """Each line from the warehouses that have most of it, as few as can be."""
    left = {key: balance["available"] for key, balance in book.balances.items()}
    found = []
    for number, units in wanted.items():
        for house in sorted(houses, key=lambda house: -left[StockKey(skus[number], house)]):
            key = StockKey(skus[number], house)
            taken = min(units, left[key])
            if taken > 0:
                left[key] -= taken
                units -= taken
                found.append(Promise(number, house, taken))
    return found


def describe_missing(now: OrderNow) -> str:
    """What no warehouse can give, for people."""
    parts = []
    for number, units in now.backordered.items():
        line = now.lines[number]
        name = line.sku_code or line.title or line.external_id
        unknown = "no such SKU, " if line.sku_id is None else ""
        parts.append(f"{name}: {unknown}{units} missing of {line.counts.quantity - line.counts.cancelled}")
    return "; ".join(parts)
