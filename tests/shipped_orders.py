"""Orders that were shipped, whole or in part, put on record without the engine that ships them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.state import State
from domain.provenance import Provenance, Remarks
from domain.stock import Posting, StockKey

_FULFILLMENT_ORDER = """
INSERT INTO fulfillment_orders (id, order_id, warehouse_id, status) VALUES ($1, $2, $3, $4)
"""


@dataclass(frozen=True)
class Sale:
    """An order on record. `line_ids`: the channel's, by SKU code."""

    id: UUID
    external_id: str
    channel_id: int
    line_ids: Mapping[str, str]


async def sell(
    state: State, wanted: Mapping[str, tuple[int, int]], *, external_id: str = "order-1", warehouse: str = "BER"
) -> Sale:
    """An order of the channel `direct`: (units, shipped) by SKU code. The unshipped rest is cancelled."""
    skus = await state.lookup.find_skus(wanted)
    house = (await state.lookup.warehouses())[warehouse].id
    order_id, work_id = uuid4(), uuid4()
    now = datetime.datetime.now(datetime.UTC)
    async with state.database.hot.acquire() as connection, connection.transaction():
        channel_id = await connection.fetchval("SELECT id FROM channels WHERE code = 'direct'")
        if channel_id is None:
            given = ChannelConnect("direct", "Direct", "B2B", {warehouse: ""}, {}, status="LIVE")
            channel_id = await connect_channel(connection, state.settings, given)
        await connection.execute(
            "INSERT INTO orders (id, channel_id, external_id, name, status, placed_at) VALUES ($1, $2, $3, $4, 'SHIPPED', $5)",
            *(order_id, channel_id, external_id, f"#{external_id}", now),
        )
        await connection.execute(_FULFILLMENT_ORDER, work_id, order_id, house, "SHIPPED")
        book = await lock_rows(connection, [StockKey(sku_id, house) for sku_id in skus.values()])
        for number, (code, (units, shipped)) in enumerate(wanted.items()):
            await connection.execute(
                "INSERT INTO order_lines (order_id, line, external_id, sku_id, sku_code, quantity, shipped, cancelled)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                *(order_id, number, f"{external_id}-{number}", skus[code], code, units, shipped, units - shipped),
            )
            await connection.execute(
                "INSERT INTO fulfillment_order_lines (fulfillment_order_id, line, sku_id, quantity, picked, shipped, cancelled)"
                " VALUES ($1, $2, $3, $4, $5, $5, $6)",
                *(work_id, number, skus[code], units, shipped, units - shipped),
            )
            if shipped:
                book.post(Posting(StockKey(skus[code], house), "available", "customer", shipped))
        footing = Footing(Provenance("tests"), Remarks("SHIPPED"), document=f"order:{order_id}")
        await write_book(connection, book, [footing] * len(book.entries), now)
    ids = {code: f"{external_id}-{number}" for number, code in enumerate(wanted)}
    return Sale(order_id, external_id, channel_id, ids)
