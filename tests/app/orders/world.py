"""An order world: the channel company, words of its channels, and what is on record of them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import orjson

from adapters.channels.base import Address, ChannelOrder, ChannelOrderLine
from app.orders.lock_order import OrderNow, lock_order
from app.orders.take_order import take_order
from app.stock.verify_ledger import verify_ledger
from tests.channel_company import ChannelCompany

PLACED = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)


def say(lines: Mapping[str, int], external_id: str = "o-1", **fields: Any) -> ChannelOrder:
    """A word of an order; each line is named after its SKU."""
    told = tuple(ChannelOrderLine(f"line-{sku}", sku, f"Thing {sku}", units) for sku, units in lines.items())
    return ChannelOrder(external_id, f"#{external_id}", PLACED, told, **fields)


async def take(company: ChannelCompany, order: ChannelOrder, channel: str = "shop") -> None:
    await take_order(company.state, (await company.channel(channel)).id, order)


async def order_row(company: ChannelCompany, external_id: str = "o-1") -> dict[str, Any]:
    row = await company.state.database.hot.fetchrow("SELECT * FROM orders WHERE external_id = $1", external_id)
    assert row is not None
    return dict(row)


async def lines_of(company: ChannelCompany, external_id: str = "o-1") -> dict[str, tuple[int, int, int, int]]:
    """(quantity, allocated, shipped, cancelled) by SKU."""
    rows = await company.state.database.hot.fetch(
        "SELECT l.* FROM order_lines l JOIN orders o ON o.id = l.order_id WHERE o.external_id = $1 ORDER BY line",
        external_id,
    )
    return {row["sku_code"]: (row["quantity"], row["allocated"], row["shipped"], row["cancelled"]) for row in rows}


async def events_of(company: ChannelCompany, external_id: str = "o-1") -> list[str]:
    rows = await company.state.database.hot.fetch(
        "SELECT e.action FROM order_events e JOIN orders o ON o.id = e.order_id WHERE o.external_id = $1 ORDER BY e.id",
        external_id,
    )
    return [row[0] for row in rows]


async def works_of(company: ChannelCompany, external_id: str = "o-1") -> list[dict[str, Any]]:
    rows = await company.state.database.hot.fetch(
        """SELECT f.*, w.code,
             (SELECT json_object_agg(line, json_build_array(quantity, shipped, cancelled, cancel_requested))
              FROM fulfillment_order_lines l WHERE l.fulfillment_order_id = f.id)::text AS lines
           FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id JOIN warehouses w ON w.id = f.warehouse_id
           WHERE o.external_id = $1 ORDER BY f.id""",
        external_id,
    )
    return [{**dict(row), "lines": orjson.loads(row["lines"])} for row in rows]


async def advance(company: ChannelCompany, status: str, external_id: str = "o-1") -> None:
    """All work of the order as its warehouses would have brought it to `status`."""
    query = """UPDATE fulfillment_orders f SET status = $2 FROM orders o WHERE o.id = f.order_id
      AND o.external_id = $1 AND f.status NOT IN ('SHIPPED', 'CANCELLED', 'REJECTED')"""
    await company.execute(query, external_id, status)
    if status in ("PICKED", "PACKED"):
        await company.execute(PICK_LINES, external_id)


async def available(company: ChannelCompany, sku: str = "SKU-0") -> int:
    query = "SELECT sum(available) FROM stock_levels l JOIN skus s ON s.id = l.sku_id WHERE s.code = $1"
    return int(await company.value(query, sku))


async def cases(company: ChannelCompany, state: str = "OPEN") -> list[str]:
    rows = await company.state.database.hot.fetch(
        "SELECT kind FROM exception_cases WHERE state = $1 AND subject LIKE 'order:%' ORDER BY kind", state
    )
    return [row[0] for row in rows]


async def locked(connection: Any, external_id: str = "o-1") -> OrderNow:
    order_id = await connection.fetchval("SELECT id FROM orders WHERE external_id = $1", external_id)
    found = await lock_order(connection, order_id)
    assert found is not None
    return found


PICK_LINES = """
UPDATE fulfillment_order_lines l SET picked = quantity - cancelled - short
FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id
WHERE l.fulfillment_order_id = f.id AND o.external_id = $1 AND f.status IN ('PICKED', 'PACKED')
"""
SHIP_LINES = """
UPDATE fulfillment_order_lines l SET picked = quantity - cancelled - short, shipped = quantity - cancelled - short
FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id
WHERE l.fulfillment_order_id = f.id AND o.external_id = $1 AND f.status NOT IN ('SHIPPED', 'CANCELLED', 'REJECTED')
"""


async def assert_whole(company: ChannelCompany) -> None:
    """The ledger is conserved, and what is committed is what work is to ship."""
    assert (await verify_ledger(company.state.database)).problems == []


ADDRESS = Address("Ada Adler", ("1 Market Square",), "Berlin", "BE", "10115", "DE")
