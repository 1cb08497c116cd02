"""A parcel that leaves a warehouse is known at the marketplace, under its number: bought there, shipped here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from app.channels.connect_channel import connect_channel
from app.channels.link_listing import link_listings
from app.fulfillment.change_work import Ask, accept_work
from app.fulfillment.ship_work import Parcel, ship_work
from app.settings import Settings
from app.state import State, open_state
from app.tasks import end_tasks
from app.worker import start_loops
from domain.provenance import Provenance
from tests.marketplaces import running_marketplace
from tests.seed import TESTER, add_stock, make_catalog
from tests.simulation.market import Market
from tests.simulation.markets import MARKETS

SKUS = ("ALPHA", "BETA")
SECONDS_MAX = 45.0
PARCELS: dict[str, Callable[[Any], list[str]]] = {
    "shopify": lambda order: [parcel["number"] for parcel in order["parcels"]],
    "amazon": lambda order: order["packages"],
    "ebay": lambda order: [parcel["tracking"] for parcel in order["shipments"]],
}
"""The tracking numbers that a marketplace has of an order."""


async def until(found: Callable[[], Awaitable[Any]]) -> Any:
    end = time.monotonic() + SECONDS_MAX
    while not (value := await found()):
        assert time.monotonic() < end
        await asyncio.sleep(0.1)
    return value


async def connect(state: State, market: Market) -> None:
    await make_catalog(state, ["BER"], SKUS)
    await add_stock(state, "BER", dict.fromkeys(SKUS, 20))
    wanted, links = await market.connect(SKUS, ["BER"])
    async with state.database.hot.acquire() as connection:
        channel_id = await connect_channel(connection, state.settings, wanted)
        assert await link_listings(connection, channel_id, links) == len(SKUS)


@pytest.mark.parametrize("kind", sorted(MARKETS))
async def test_what_is_shipped_here_is_shipped_there(settings: Settings, tmp_path: Path, kind: str) -> None:
    quick = settings.model_copy(update={"secret_key": Fernet.generate_key().decode(), "orders_poll_seconds": 1.0})
    arguments = MARKETS[kind].arguments("http://127.0.0.1:9/hook", tmp_path / "state")
    with running_marketplace(kind, tmp_path, *arguments) as running:
        async with open_state(quick, "test") as state, httpx.AsyncClient() as http:
            market = MARKETS[kind](running, http)
            await connect(state, market)
            loops = start_loops(state)
            try:
                await _buy_and_ship(state, market)
            finally:
                await end_tasks(*loops)


async def _buy_and_ship(state: State, market: Market) -> None:
    hot = state.database.hot
    await until(lambda: market.buy("ALPHA", 3))
    query = "SELECT id FROM fulfillment_orders WHERE status = 'RELEASED'"
    work = await until(lambda: hot.fetchval(query))
    ask = Ask(work, Provenance("test"))
    await accept_work(state, TESTER, ask)
    for number, units in enumerate((1, 2), 1):
        await ship_work(state, TESTER, ask, Parcel("DHL", f"JD01460{number}", [("ALPHA", units)]))
    await until(lambda: hot.fetchval("SELECT count(*) = 2 FROM fulfillments WHERE confirmation = 'CONFIRMED'"))
    (order,) = (await market.state())["orders"]
    assert sorted(PARCELS[market.kind](order)) == ["JD014601", "JD014602"]
    assert await hot.fetchval("SELECT status FROM orders") == "SHIPPED"
    assert await hot.fetchval("SELECT count(*) FROM exception_cases WHERE kind = 'CONFIRMATION_REFUSED'") == 0
