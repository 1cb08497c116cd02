"""Sixty-four orders at once from two processes' worth of engines, on scarce stock and scarce days: nothing twice."""

from __future__ import annotations

import asyncio
import datetime
import random
from collections import Counter
from uuid import UUID

import pytest

from adapters.places.place import Place, Precision
from app.routing.allocate_order import allocate_order
from app.routing.carry_out import CapacityMoved, carry_out
from app.routing.prepare_routing import ONE_DAY, Promise, Want, prepare_routing
from app.settings import Settings
from app.state import State, open_state
from app.transact import rerun
from domain.provenance import Provenance
from domain.routing.problem import Wanted
from domain.stock import POSITION, Balance, Book, DayKey, DaySpace, StockKey
from tests.app.routing.world import assert_sound, make_houses, place, scatter
from tests.seed import add_stock

ORDERS = 64


async def test_no_stock_and_no_day_is_promised_twice(state: State, settings: Settings) -> None:
    """Two engines, each combining, against each other; more is wanted than there is, of units and of days."""
    chance = random.Random(11)
    channel = await make_houses(state, scatter(6), 4, 14)
    await state.database.hot.execute("UPDATE warehouses SET daily_order_capacity = 2")
    state.routing.forget()
    wanted = [
        {f"SKU-{sku}": chance.randint(1, 5) for sku in chance.sample(range(4), chance.randint(1, 3))}
        for _ in range(ORDERS)
    ]
    async with open_state(settings, "onhand race") as other:
        answers = await asyncio.gather(
            *(place((state, other)[n % 2], channel, n, lines) for n, lines in enumerate(wanted))
        )
    await assert_sound(state)
    asked = Counter[str]()
    for lines in wanted:
        asked.update(lines)
    rows = await state.database.hot.fetch(
        """SELECT k.code, sum(l.available)::int, sum(l.committed)::int FROM stock_levels l JOIN skus k ON k.id = l.sku_id
           GROUP BY 1"""
    )
    assert {code: free + bound for code, free, bound in rows} == {f"SKU-{n}": 6 * 14 for n in range(4)}
    assert sum(asked.values()) > sum(bound for _, _, bound in rows), "stock was to be scarce"
    assert any(bound == min(asked[code], 84) for code, _, bound in rows)
    assert {"ALLOCATED"} < {answer["status"] for answer in answers}, "some, and not all, had what they wanted"


async def test_a_day_that_a_neighbour_locked_and_filled_is_not_taken(state: State) -> None:
    """The order's own day is full by now, and so is the next one, which only another command of the batch locked."""
    channel = await make_houses(state, scatter(1), 1, 5)
    await state.database.hot.execute("UPDATE warehouses SET daily_order_capacity = 1")
    state.routing.forget()
    prepared = await prepare_routing(
        state.routing, channel, {1}, Promise("direct"), Place(None, None, Precision.NONE), None
    )
    mine = max(prepared.locks)
    house, now = mine.warehouse_id, datetime.datetime.now(datetime.UTC)
    later = DayKey(house, mine.day + ONE_DAY)
    balance = Balance([5 if name == "available" else 0 for name in POSITION], 1)
    book = Book({StockKey(1, house): balance}, days={key: DaySpace(1, 1) for key in (*prepared.locks, later)})
    want = Want(UUID(int=1), [Wanted(0, 1, 1)], "PLACED")
    with pytest.raises(CapacityMoved):
        carry_out(prepared, want, book, now, strict=False)
    assert (book.entries, book.taken) == ([], [])
    assert carry_out(prepared, want, book, now, strict=True).waiting == {0: 1}
    book.days[later] = DaySpace(1, 0)
    assert carry_out(prepared, want, book, now, strict=True).allocated == {0: 1}, "a neighbour's lock serves as well"


async def test_many_at_once_find_all_the_days_that_are_free(state: State) -> None:
    """One place a day: each of them is filled by another, and none of the orders waits while a day is free."""
    channel = await make_houses(state, scatter(1), 1, 99)
    await state.database.hot.execute("UPDATE warehouses SET daily_order_capacity = 1")
    state.routing.forget()
    answers = await asyncio.gather(*(place(state, channel, n, {"SKU-0": 1}) for n in range(12)))
    assert [answer["status"] for answer in answers] == ["ALLOCATED"] * 12
    assert await state.database.hot.fetchval("SELECT count(DISTINCT day) FROM fulfillment_orders") == 12
    await assert_sound(state)


async def test_one_order_is_filled_once_however_many_try(state: State, settings: Settings) -> None:
    channel = await make_houses(state, scatter(3), 1, 0)
    placed = await place(state, channel, 1, {"SKU-0": 5})
    await add_stock(state, "W00", {"SKU-0": 100})
    async with open_state(settings, "onhand race") as other:
        await asyncio.gather(*(allocate_order((state, other)[n % 2], UUID(placed["id"])) for n in range(16)))
    row = await state.database.hot.fetchrow(
        "SELECT sum(committed), (SELECT count(*) FROM fulfillment_orders) FROM stock_levels"
    )
    assert tuple(row) == (5, 1)
    await assert_sound(state)


async def test_filling_and_cancelling_at_once_end_in_one_state(state: State, settings: Settings) -> None:
    """Orders wait; stock arrives; each is filled and given up at the same moment."""
    from app.orders.change_order import drop_units
    from app.orders.lock_order import lock_order
    from app.orders.write_state import OrderEvent, write_state

    channel = await make_houses(state, scatter(3), 1, 0)
    ids = [UUID((await place(state, channel, n, {"SKU-0": 2}))["id"]) for n in range(24)]
    await add_stock(state, "W00", {"SKU-0": 100})

    async def cancel(order_id: UUID) -> None:
        async def once() -> None:
            async with state.database.hot.acquire() as connection, connection.transaction():
                now = await lock_order(connection, order_id)
                assert now is not None
                await drop_units(connection, now, {0: 2}, "ORDER_CANCELLED", Provenance("test"))
                await write_state(connection, now, {}, [OrderEvent("CANCELLED")], "test")

        await rerun(once)

    async with open_state(settings, "onhand race") as other:
        work = [allocate_order(other, order_id) for order_id in ids] + [cancel(order_id) for order_id in ids]
        random.Random(3).shuffle(work)
        await asyncio.gather(*work)
    assert await state.database.hot.fetchval("SELECT count(*) FROM orders WHERE status = 'CANCELLED'") == 24
    assert await state.database.hot.fetchval("SELECT sum(available) FROM stock_levels") == 100
    await assert_sound(state)
