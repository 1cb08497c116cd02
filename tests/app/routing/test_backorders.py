"""Backorders are filled by themselves, in the order of their promises, whoever is at it."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any
from uuid import UUID

import pytest

from app.exceptions.open_cases import open_cases
from app.routing import fill_backorders as module
from app.routing.allocate_order import allocate_order
from app.routing.fill_backorders import fill_backorders, sweep_backorders
from app.settings import Settings
from app.state import State, open_state
from app.tasks import end_tasks
from app.worker import start_loops
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from tests.app.routing.world import CITIES, assert_sound, make_houses, place
from tests.seed import add_stock
from tests.within import within

NOW = datetime.datetime.now(datetime.UTC)
HOUR = datetime.timedelta(hours=1)


async def statuses(state: State) -> dict[str, str]:
    rows = await state.database.hot.fetch("SELECT external_id, status FROM orders ORDER BY external_id")
    return {row[0].removeprefix("order-"): row[1] for row in rows}


async def catch_up(state: State) -> None:
    while await fill_backorders(state):
        pass


async def test_stock_that_arrives_goes_to_the_oldest_promise(state: State) -> None:
    channel = await make_houses(state, CITIES, 1, 0)
    await place(state, channel, 1, {"SKU-0": 2})
    await place(state, channel, 2, {"SKU-0": 2}, ship_by=NOW + 9 * HOUR)
    await place(state, channel, 3, {"SKU-0": 2}, deliver_by=NOW + 5 * HOUR)
    await place(state, channel, 4, {"SKU-0": 2}, ship_by=NOW + 99 * HOUR, deliver_by=NOW + 7 * HOUR)
    await catch_up(state)
    assert set((await statuses(state)).values()) == {"BACKORDERED"}
    await add_stock(state, "PAR", {"SKU-0": 5})
    await catch_up(state)
    assert await statuses(state) == {"1": "BACKORDERED", "2": "PARTLY_ALLOCATED", "3": "ALLOCATED", "4": "ALLOCATED"}
    await add_stock(state, "BER", {"SKU-0": 2})
    await catch_up(state)
    assert (await statuses(state))["2"] == "ALLOCATED"
    assert (await statuses(state))["1"] == "PARTLY_ALLOCATED"
    await assert_sound(state)


async def test_a_sweep_goes_on_where_the_last_one_ended(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait before it that cannot be filled, or whose filling fails."""
    monkeypatch.setattr(module, "ORDERS_MAX", 2)
    monkeypatch.setattr(module, "ROUNDS_MAX", 1)
    channel = await make_houses(state, CITIES, 1, 0)
    for number in range(1, 6):
        await place(state, channel, number, {"SKU-0": 1}, ship_by=NOW + number * HOUR)
    await add_stock(state, "BER", {"SKU-0": 1})
    last = await state.database.hot.fetchval("SELECT id FROM orders WHERE external_id = 'order-5'")

    async def refuse_the_others(state: State, order_id: UUID, trigger: str) -> Any:
        if order_id != last:
            raise ValueError("nobody thought of this")
        return await allocate_order(state, order_id, trigger)

    monkeypatch.setattr(module, "allocate_order", refuse_the_others)
    assert [await sweep_backorders(state) for _ in range(3)] == [0, 0, 1]
    assert (await statuses(state))["5"] == "ALLOCATED"


async def test_what_cannot_be_filled_leaves_no_decisions_and_blocks_nobody(state: State) -> None:
    channel = await make_houses(state, CITIES, 2, 0)
    await place(state, channel, 1, {"SKU-0": 1}, ship_by=NOW + HOUR)
    await place(state, channel, 2, {"SKU-0": 1, "SKU-1": 1})
    await state.database.hot.execute("UPDATE warehouses SET status = 'CLOSED' WHERE code = 'PAR'")
    state.routing.forget()
    before = await state.database.hot.fetchval("SELECT count(*) FROM routing_decisions")
    await add_stock(state, "BER", {"SKU-1": 1})
    for code in ("BER", "PAR"):
        await state.database.hot.execute(
            """INSERT INTO stock_levels (sku_id, warehouse_id) SELECT s.id, w.id FROM skus s, warehouses w
               WHERE w.code = $1 ON CONFLICT DO NOTHING""",
            code,
        )
    await state.database.hot.execute(
        """UPDATE stock_levels SET available = 3, adjustment = -3 FROM warehouses w, skus s
           WHERE w.id = warehouse_id AND s.id = sku_id AND w.code = 'PAR' AND s.code = 'SKU-0'"""
    )
    for _ in range(3):
        await sweep_backorders(state)
    assert await statuses(state) == {"1": "BACKORDERED", "2": "PARTLY_ALLOCATED"}
    assert await state.database.hot.fetchval("SELECT count(*) FROM routing_decisions") == before + 1


async def test_many_workers_fill_each_order_once_and_the_case_is_closed(state: State, settings: Settings) -> None:
    channel = await make_houses(state, CITIES, 1, 0)
    for number in range(12):
        placed = await place(state, channel, number, {"SKU-0": 1}, ship_by=NOW + number * HOUR)
        assert placed["status"] == "BACKORDERED"
        problem = Problem(CaseKind.OVERSELL, Severity.CRITICAL, CauseClass.UNKNOWN, f"order:{placed['id']}", "short")
        async with state.database.hot.acquire() as connection, connection.transaction():
            await open_cases(connection, [problem])
    async with open_state(settings, "onhand race") as other:
        loops = [*start_loops(state), *start_loops(other)]
        try:
            await add_stock(state, "BER", {"SKU-0": 7})
            await within(10, _wait_until_allocated(state, 7))
            await asyncio.sleep(0.2)
        finally:
            await end_tasks(*loops)
    found = await statuses(state)
    assert [n for n in range(12) if found[str(n)] == "ALLOCATED"] == list(range(7))
    assert await state.database.hot.fetchval("SELECT count(*) FROM exception_cases WHERE state = 'RESOLVED'") == 7
    await assert_sound(state)


async def _wait_until_allocated(state: State, count: int) -> None:
    for _ in range(500):
        if await state.database.hot.fetchval("SELECT count(*) FROM orders WHERE status = 'ALLOCATED'") >= count:
            return
        await asyncio.sleep(0.02)
