"""A company of many warehouses that sells directly: orders are placed by use case, audited by SQL."""

from __future__ import annotations

import datetime
import random
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.channels.base import Address, ChannelOrder, ChannelOrderLine
from app.orders.place_order import place_order
from app.run_once import Answer
from app.state import State
from app.stock.verify_ledger import verify_ledger
from tests.seed import add_stock, make_catalog

CITIES = {"BER": (52.52, 13.4), "HAM": (53.55, 9.99), "MUC": (48.14, 11.58), "PAR": (48.85, 2.35), "ROM": (41.9, 12.5)}
AUDIT = """
SELECT 'oversold line ' || l.order_id || '.' || l.line FROM order_lines l LEFT JOIN (
    SELECT f.order_id, w.line, sum(w.quantity - w.shipped - w.cancelled - w.short) AS units
    FROM fulfillment_orders f JOIN fulfillment_order_lines w ON w.fulfillment_order_id = f.id GROUP BY 1, 2
  ) p ON p.order_id = l.order_id AND p.line = l.line WHERE coalesce(p.units, 0) <> l.allocated
UNION ALL
SELECT 'committed of ' || s.sku_id || ' in ' || s.warehouse_id FROM stock_levels s LEFT JOIN (
    SELECT w.sku_id, f.warehouse_id, sum(w.quantity - w.shipped - w.cancelled - w.short) AS units
    FROM fulfillment_orders f JOIN fulfillment_order_lines w ON w.fulfillment_order_id = f.id GROUP BY 1, 2
  ) p USING (sku_id, warehouse_id) WHERE coalesce(p.units, 0) <> s.committed
UNION ALL
SELECT 'day ' || d.day || ' of ' || d.warehouse_id FROM warehouse_days d LEFT JOIN (
    SELECT warehouse_id, day, count(*) AS works FROM fulfillment_orders WHERE status NOT IN ('CANCELLED', 'REJECTED')
    GROUP BY 1, 2
  ) p USING (warehouse_id, day) WHERE coalesce(p.works, 0) <> d.taken OR d.taken > d.capacity
UNION ALL
SELECT 'no decision for ' || f.order_id FROM fulfillment_orders f
WHERE NOT EXISTS (SELECT FROM routing_decisions d WHERE d.order_id = f.order_id)
"""


async def make_houses(state: State, houses: Mapping[str, tuple[float, float]], skus: int, units: int) -> int:
    """LIVE warehouses at these points, all selling on a channel `direct`, whose id is returned."""
    await make_catalog(state, list(houses), skus)
    pool = state.database.hot
    for code, (latitude, longitude) in houses.items():
        await pool.execute(
            "UPDATE warehouses SET latitude = $2, longitude = $3 WHERE code = $1", code, latitude, longitude
        )
        if units:
            await add_stock(state, code, {f"SKU-{n}": units for n in range(skus)})
    channel_id = await pool.fetchval(
        "INSERT INTO channels (code, name, kind, status) VALUES ('direct', 'Direct', 'B2B', 'LIVE') RETURNING id"
    )
    await pool.execute(
        "INSERT INTO channel_warehouses (channel_id, warehouse_id) SELECT $1, id FROM warehouses", channel_id
    )
    state.routing.forget()
    return int(channel_id)


def scatter(count: int, seed: int = 1) -> dict[str, tuple[float, float]]:
    """Warehouses somewhere in Europe."""
    chance = random.Random(seed)
    return {f"W{n:02}": (chance.uniform(40, 58), chance.uniform(-3, 22)) for n in range(count)}


def make_order(number: int, lines: Mapping[str, int] | Sequence[tuple[str, int]], **fields: Any) -> ChannelOrder:
    items = lines.items() if isinstance(lines, Mapping) else lines
    told = tuple(ChannelOrderLine(f"line-{n}", sku, None, units) for n, (sku, units) in enumerate(items))
    given = {"address": Address(city="Berlin", postal_code="10115", country_code="DE"), **fields}
    return ChannelOrder(f"order-{number}", f"#{number}", datetime.datetime.now(datetime.UTC), told, **given)


async def place(state: State, channel_id: int, number: int, lines: Mapping[str, int], **fields: Any) -> Answer:
    return await place_order(state, channel_id, make_order(number, lines, **fields))


async def houses_of(state: State, order_id: str) -> dict[str, int]:
    """Units promised by warehouse."""
    rows = await state.database.hot.fetch(
        """SELECT w.code, sum(l.quantity - l.cancelled - l.short)::int FROM fulfillment_orders f
           JOIN warehouses w ON w.id = f.warehouse_id JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id
           WHERE f.order_id = $1 AND f.status NOT IN ('CANCELLED', 'REJECTED') GROUP BY 1 ORDER BY 1""",
        order_id,
    )
    return {row[0]: row[1] for row in rows}


async def assert_sound(state: State) -> None:
    """The ledger is whole, and stock, work, lines and days say the same; nothing beyond what there is."""
    assert [row[0] for row in await state.database.hot.fetch(AUDIT)] == []
    assert (await verify_ledger(state.database)).problems == []
