"""A company whose warehouses work: orders come in, and tablets do what is to be done."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from api.ids import decode_id, encode_id
from app.fulfillment.release_work import release_work
from app.orders.take_order import take_order
from app.settings import Settings
from app.state import State
from app.stock.verify_ledger import verify_ledger
from tests.channel_company import ChannelCompany, open_channel_company
from tests.company import Client

WORK = """
  fulfillmentOrder {
    id status version warehouse holdReason rejectReason assignee
    lines { sku quantity picked shipped cancelled short bins { zone bin quantity } }
    shipments { id trackingNumber confirmation lines { sku quantity } }
  }
"""
_OPEN = """
SELECT l.sku_id, f.warehouse_id, sum(l.quantity - l.shipped - l.cancelled - l.short) AS bound
FROM fulfillment_order_lines l JOIN fulfillment_orders f ON f.id = l.fulfillment_order_id GROUP BY 1, 2
"""
_LOOSE = """
SELECT s.sku_id, s.warehouse_id, s.committed, coalesce(b.bound, 0)
FROM stock_levels s LEFT JOIN ({}) b USING (sku_id, warehouse_id) WHERE s.committed <> coalesce(b.bound, 0)
"""
_UNEVEN = """
SELECT o.order_id, o.line FROM order_lines o LEFT JOIN (
  SELECT f.order_id, l.line, sum(l.shipped) AS shipped, sum(l.quantity - l.shipped - l.cancelled - l.short) AS bound
  FROM fulfillment_order_lines l JOIN fulfillment_orders f ON f.id = l.fulfillment_order_id GROUP BY 1, 2
) w USING (order_id, line) WHERE o.allocated <> coalesce(w.bound, 0) OR o.shipped <> coalesce(w.shipped, 0)
"""
_OPEN_ENDS = """
SELECT f.id FROM fulfillment_orders f JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id
WHERE f.status IN ('SHIPPED', 'REJECTED', 'CANCELLED') AND l.quantity > l.shipped + l.cancelled + l.short
"""


@dataclass
class Floor:
    """`admin` may do everything. `shop` sells from BER and NYC, `market` from NYC alone."""

    company: ChannelCompany

    @property
    def state(self) -> State:
        return self.company.state

    @property
    def admin(self) -> Client:
        return self.company.admin

    async def order(
        self, units: Mapping[str, int] | None = None, channel: str = "shop", name: str = "1", **fields: Any
    ) -> UUID:
        """Placed and allocated; its id."""
        lines = tuple(
            ChannelOrderLine(f"{name}-{number}", sku, sku, quantity)
            for number, (sku, quantity) in enumerate((units or {"SKU-0": 2}).items())
        )
        placed = ChannelOrder(name, f"#{name}", datetime.datetime.now(datetime.UTC), lines, "DE", **fields)
        await take_order(self.state, (await self.company.channel(channel)).id, placed)
        found: UUID = await self.company.value("SELECT id FROM orders WHERE external_id = $1", name)
        return found

    async def cancel(self, channel: str = "shop", name: str = "1") -> None:
        """The channel says that it is cancelled."""
        now = datetime.datetime.now(datetime.UTC)
        gone = ChannelOrder(name, f"#{name}", now, (), "DE", cancelled=True)
        await take_order(self.state, (await self.company.channel(channel)).id, gone)

    async def work_of(self, order_id: UUID) -> str:
        """The global id of its newest fulfilment order."""
        query = "SELECT id FROM fulfillment_orders WHERE order_id = $1 ORDER BY id DESC LIMIT 1"
        return encode_id("FulfillmentOrder", str(await self.company.value(query, order_id)))

    async def released(self, units: Mapping[str, int] | None = None, name: str = "1", channel: str = "shop") -> str:
        """The work of an order that its warehouse has before it."""
        return await self.release_of(await self.order(units, channel, name))

    async def release_of(self, order_id: UUID) -> str:
        assert await release_work(self.state) > 0
        return await self.work_of(order_id)

    async def do(self, verb: str, work: str, /, client: Client | None = None, **fields: Any) -> Any:
        """`fulfillmentOrder` of the payload, which must not have refused."""
        made = await (client or self.admin).mutate(f"fulfillmentOrder{verb}", WORK, id=work, **fields)
        assert made["userErrors"] == [], made
        return made["fulfillmentOrder"]

    async def refused(
        self, verb: str, work: str, /, client: Client | None = None, **fields: Any
    ) -> tuple[str, list[str]]:
        """The code and the path of the refusal."""
        made = await (client or self.admin).mutate(f"fulfillmentOrder{verb}", WORK, id=work, **fields)
        assert made["fulfillmentOrder"] is None, made
        (error,) = made["userErrors"]
        return error["code"], error["path"]

    async def picking(self, units: Mapping[str, int] | None = None, name: str = "1") -> str:
        work = await self.released(units, name)
        await self.do("Accept", work)
        await self.do("StartPicking", work)
        return work

    async def ship(self, work: str, tracking: str = "T-1", **fields: Any) -> Any:
        return await self.do("Ship", work, carrier="DHL", trackingNumber=tracking, **fields)

    async def level(self, sku: str = "SKU-0", house: str = "BER") -> dict[str, int]:
        row = await self.state.database.hot.fetchrow(
            "SELECT l.* FROM stock_levels l JOIN skus s ON s.id = sku_id JOIN warehouses w ON w.id = warehouse_id "
            "WHERE s.code = $1 AND w.code = $2",
            sku,
            house,
        )
        names = ("available", "committed", "customer", "adjustment")
        return {name: row[name] for name in names}

    async def status(self, order_id: UUID) -> str:
        found: str = await self.company.value("SELECT status FROM orders WHERE id = $1", order_id)
        return found

    async def house_of(self, work: str) -> str:
        key = UUID(decode_id(work)[1])
        query = "SELECT w.code FROM fulfillment_orders f JOIN warehouses w ON w.id = f.warehouse_id WHERE f.id = $1"
        found: str = await self.company.value(query, key)
        return found

    async def cases(self) -> list[tuple[str, str]]:
        rows = await self.state.database.hot.fetch("SELECT kind, state FROM exception_cases ORDER BY id")
        return [(row["kind"], row["state"]) for row in rows]

    async def audit(self) -> None:
        """Ledger, orders and warehouses say the same."""
        assert (await verify_ledger(self.state.database)).problems == []
        hot = self.state.database.hot
        for query in (_LOOSE.format(_OPEN), _UNEVEN, _OPEN_ENDS):
            assert [tuple(row) for row in await hot.fetch(query)] == [], query


@asynccontextmanager
async def open_floor(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    async with open_channel_company(settings, monkeypatch) as company:
        floor = Floor(company)
        yield floor
        await floor.audit()
