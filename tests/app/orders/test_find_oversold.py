"""The replay's check for oversells finds one that is planted, in the movements as in the work of warehouses."""

from __future__ import annotations

import asyncpg
import pytest

from app.replay.find_oversold import find_oversold
from tests.app.orders.world import say, take
from tests.channel_company import ChannelCompany

MOVED = """
INSERT INTO stock_movements (sku_id, warehouse_id, from_bucket, to_bucket, quantity, from_balance_after,
  to_balance_after, version, reason, actor)
SELECT s.id, w.id, 'available', 'committed', 11, 0, 11, 99, 'ORDER', 'tests'
FROM skus s, warehouses w WHERE s.code = 'SKU-2' AND w.code = 'NYC'
"""
GIVEN_BACK = MOVED.replace("'available', 'committed'", "'committed', 'available'")
PROMISED = "UPDATE fulfillment_order_lines SET quantity = quantity + 7"


class Undo(Exception):
    """Nothing of what was planted stays."""


async def test_a_planted_oversell_is_found(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 20}))
    houses = ["BER", "NYC"]
    async with company.state.database.hot.acquire() as connection:
        assert await find_oversold(connection, houses) == [], "all ten of both are promised, and no more"
        for planted, found in (
            ((MOVED,), ["SKU SKU-2 in NYC: 11 units allocated and shipped, 10 received."]),
            ((MOVED, GIVEN_BACK), ["SKU SKU-2 in NYC: 11 units allocated and shipped, 10 received."]),
            (
                (PROMISED,),
                [f"SKU SKU-0 in {house}: 17 units allocated and shipped, 10 received." for house in houses],
            ),
        ):
            with pytest.raises(Undo):
                await _plant(connection, planted, found)


async def _plant(connection: asyncpg.Connection, planted: tuple[str, ...], found: list[str]) -> None:
    async with connection.transaction():
        for query in planted:
            await connection.execute(query)
        assert await find_oversold(connection, ["BER", "NYC"]) == found
        assert await find_oversold(connection, ["ELSEWHERE"]) == []
        raise Undo
