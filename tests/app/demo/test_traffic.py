"""The demo's traffic, through the public API and the store's till, against real servers."""

from __future__ import annotations

import asyncio
import datetime
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.demo.assortment import build_assortment
from app.demo.company import plan_stock
from app.demo.seed import seed_demo
from app.demo.shoppers import buy_at_shopify
from app.demo.tokens import ensure_floor_token, ensure_partner_token, ensure_traffic_token
from app.demo.traffic import (
    NotAnswered,
    Shop,
    Traffic,
    buy,
    deliver,
    order,
    release,
    replenish,
    reserve,
    run_traffic,
    work,
)
from app.fulfillment.release_work import release_work
from app.partners.plan_events import plan_events
from app.routing.read_facts import FRESH_SECONDS
from app.settings import Settings
from app.state import State
from app.worker import start_loops
from tests.app.demo.conftest import ACCOUNT, Steps
from tests.company import running_app


@dataclass
class Weather(httpx.AsyncBaseTransport):
    """A network that can be cut."""

    inner: httpx.AsyncBaseTransport
    cut: bool = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("cut")
        return await self.inner.handle_async_request(request)


@dataclass
class Demo:
    traffic: Traffic
    state: State
    api: Weather

    async def count(self, query: str) -> Any:
        return await self.state.database.hot.fetchval(query)

    async def wait_until(self, query: str) -> None:
        deadline = time.monotonic() + 15
        while not await self.count(query):
            assert time.monotonic() < deadline, query
            await asyncio.sleep(0.02)


@pytest.fixture
async def demo(sealed: Settings, demo_state: State, store: httpx.AsyncClient, tmp_path: Path) -> AsyncIterator[Demo]:
    await seed_demo(demo_state, {"shopify": ACCOUNT}, Steps())
    (tmp_path / "sandbox").mkdir()
    token = await ensure_traffic_token(demo_state, tmp_path)
    floor_token = await ensure_floor_token(demo_state, tmp_path)
    partner_token = await ensure_partner_token(demo_state, tmp_path)
    async with running_app(sealed) as (app, _):
        api = Weather(httpx.ASGITransport(app))
        mounts = {"http://onhand": api, ACCOUNT.url: store._transport}
        products = {product.code: product for product in build_assortment()}
        async with httpx.AsyncClient(mounts=mounts) as http:
            shops = [Shop(buy_at_shopify, ACCOUNT.url, list(products.values()))]
            plan = plan_stock(tuple(products.values()))
            traffic = Traffic(
                http, "http://onhand", token, floor_token, partner_token, shops, products, plan, random.Random(1)
            )
            yield Demo(traffic, demo_state, api)


async def test_carts_are_reserved_and_let_go(demo: Demo) -> None:
    for _ in range(3):
        await reserve(demo.traffic)
    assert len(demo.traffic.carts) == 3
    held = await demo.count("SELECT sum(reserved) FROM stock_levels")
    assert held >= 3
    for _ in range(4):
        await release(demo.traffic)
    assert not demo.traffic.carts
    assert await demo.count("SELECT sum(reserved) FROM stock_levels") == 0


async def test_a_company_orders_directly(demo: Demo) -> None:
    for _ in range(3):
        await order(demo.traffic)
    found = "FROM orders o JOIN channels c ON c.id = o.channel_id WHERE c.code = 'b2b'"
    assert await demo.count(f"SELECT count(*) {found}") == 3
    assert await demo.count("SELECT count(*) FROM order_contacts WHERE sealed IS NOT NULL") == 3
    assert await demo.count("SELECT sum(committed) FROM stock_levels") >= 3
    await demo.count("UPDATE channels SET status = 'PAUSED' WHERE code = 'b2b' RETURNING 1")
    with pytest.raises(NotAnswered, match="paused"):
        await order(demo.traffic)


async def test_a_delivery_fills_up_what_is_low_and_no_more(demo: Demo) -> None:
    planned = await demo.count("SELECT sum(available) FROM stock_levels")
    await replenish(demo.traffic)
    assert await demo.count("SELECT sum(available) FROM stock_levels") == planned
    await demo.count(
        "UPDATE stock_levels SET customer = customer + available, available = 0 WHERE available > 0 RETURNING 1"
    )
    for _ in range(40):
        await replenish(demo.traffic)
    filled = await demo.count("SELECT sum(available) FROM stock_levels")
    assert planned / 3 < filled <= planned
    assert await demo.count("SELECT count(*) = count(unit_cost) FROM stock_movements WHERE reason = 'RECEIPT'")


async def test_a_customer_of_the_store(demo: Demo, store: httpx.AsyncClient) -> None:
    await buy(demo.traffic)
    assert (await store.get("/state")).json()["order_count"] == 0, "sold out is no sale, and no error"
    loops = start_loops(demo.state)
    try:
        await demo.wait_until(
            "SELECT count(*) = 300 FROM listings JOIN channels c ON c.id = channel_id"
            " WHERE c.code = 'shopify' AND acknowledged = desired"
        )
        for _ in range(5):
            await buy(demo.traffic)
        shop = (await store.get("/state")).json()
        assert shop["order_count"] >= 4
        assert all(order["lines"] for order in shop["orders"])
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def test_what_is_bought_is_shipped_and_known_at_the_store(demo: Demo, store: httpx.AsyncClient) -> None:
    loops = start_loops(demo.state)
    try:
        await demo.wait_until(
            "SELECT count(*) = 300 FROM listings JOIN channels c ON c.id = channel_id"
            " WHERE c.code = 'shopify' AND acknowledged = desired"
        )
        for _ in range(12):
            await buy(demo.traffic)
        await demo.state.database.hot.execute("UPDATE channel_health SET orders_polled_at = NULL")
        deadline = time.monotonic() + 60
        while not await demo.count("SELECT count(*) >= 3 FROM fulfillments WHERE confirmation = 'CONFIRMED'"):
            assert time.monotonic() < deadline
            await work(demo.traffic)
            await asyncio.sleep(0.05)
        parcels = [parcel for order in (await store.get("/state")).json()["orders"] for parcel in order["parcels"]]
        assert len(parcels) >= 3
        yours = "SELECT count(*) FROM fulfillments f JOIN warehouses w ON w.id = f.warehouse_id WHERE w.code = 'LYO-1'"
        assert await demo.count(yours) == 0
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def test_the_partner_ships_what_it_was_given_and_sees_nothing_else(demo: Demo) -> None:
    theirs = "warehouse_id = (SELECT id FROM warehouses WHERE code = 'EWR-3PL')"
    assert await demo.count(f"SELECT kind FROM partners WHERE {theirs}") == "API"
    for _ in range(2):
        await order(demo.traffic)
    await demo.count(f"UPDATE channel_warehouses SET status = 'SHADOW' WHERE NOT {theirs} RETURNING 1")
    await asyncio.sleep(FRESH_SECONDS + 0.1)
    for _ in range(8):
        await order(demo.traffic)
    given = await demo.count(f"SELECT count(*) FROM fulfillment_orders WHERE {theirs}")
    assert given >= 3
    while await release_work(demo.state):
        pass
    assert await plan_events(demo.state, datetime.datetime.now(datetime.UTC)) >= given
    for _ in range(4):
        await deliver(demo.traffic)
    assert await demo.count(f"SELECT count(*) FROM fulfillments WHERE {theirs}") >= 2
    assert await demo.count(f"SELECT count(*) FROM fulfillments WHERE NOT {theirs}") == 0


async def test_it_goes_on_when_the_api_comes_back_and_takes_a_new_token(demo: Demo) -> None:
    good = demo.traffic.token_file.read_text()
    demo.traffic.token_file.write_text("ohd_of_another_database")
    with pytest.raises((NotAnswered, httpx.HTTPError)):
        await reserve(demo.traffic)
    demo.api.cut = True
    run = asyncio.create_task(run_traffic(demo.traffic, 0.01))
    await asyncio.sleep(0.7)
    assert not run.done()
    demo.api.cut = False
    demo.traffic.token_file.write_text(good)
    await demo.wait_until("SELECT EXISTS (SELECT FROM stock_movements WHERE reason = 'RESERVATION')")
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
