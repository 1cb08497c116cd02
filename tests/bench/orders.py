"""From a signed order webhook to the quantity that the sandbox store acknowledged, at a steady rate of orders."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.state import open_state
from tests.instance import Running
from tests.marketplaces import Marketplace, load_products, running_marketplace, settings_of
from tests.seed import add_stock, make_catalog

SECRET, TOKEN = "bench-secret", "sandbox-token"
SKUS, UNITS = 100, 1_000
WAIT_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class OrderLag:
    """Seconds from sending each webhook to the store's acknowledgement of its SKU's new quantity, ascending."""

    lags: list[float]
    late: int
    """Orders whose quantity was not acknowledged within `WAIT_SECONDS_MAX` of the last one."""

    def percentile_ms(self, share: float) -> float:
        return 1_000 * self.lags[min(int(len(self.lags) * share), len(self.lags) - 1)]


async def measure_orders(instance: Running, folder: Path, *, orders: int = 500, per_second: float = 10.0) -> OrderLag:
    """Connect a store of `SKUS` listings, wait until it shows their stock, then send the orders."""
    with running_marketplace("shopify", folder, "--token", TOKEN, "--secret", SECRET) as store:
        await _connect(instance, store)
        await _wait_until_shown(store)
        sent = await _send_orders(instance, orders, per_second)
        return await _match(store, sent)


async def _connect(instance: Running, store: Marketplace) -> None:
    skus = [f"SKU-{n}" for n in range(SKUS)]
    items = load_products(store, skus, TOKEN)
    location = await _location(store)
    async with open_state(settings_of(instance), "onhand bench") as state:
        await make_catalog(state, ("ORDERS",), SKUS)
        await add_stock(state, "ORDERS", dict.fromkeys(skus, UNITS))
        wanted = ChannelConnect(
            "bench-shop",
            "Bench shop",
            "SHOPIFY",
            {"ORDERS": location},
            {"base_url": store.url},
            {"access_token": TOKEN, "webhook_secret": SECRET},
            status="LIVE",
        )
        async with state.database.hot.acquire() as connection:
            channel_id = await connect_channel(connection, state.settings, wanted)
            await link_listings(connection, channel_id, [ListingLink(sku, items[sku], location) for sku in skus])
        state.doorbell.ring("push")
        await asyncio.sleep(0.1)


async def _location(store: Marketplace) -> str:
    query = {"query": "{ locations(first: 1) { nodes { id } } }"}
    async with httpx.AsyncClient(headers={"X-Shopify-Access-Token": TOKEN}) as http:
        answer = await http.post(f"{store.url}/admin/api/2026-07/graphql.json", json=query)
    return str(answer.json()["data"]["locations"]["nodes"][0]["id"])


async def _wait_until_shown(store: Marketplace) -> None:
    end = time.monotonic() + WAIT_SECONDS_MAX
    while set((await asyncio.to_thread(store.state))["quantities"].values()) != {UNITS}:
        assert time.monotonic() < end, "the store does not show its stock"
        await asyncio.sleep(0.1)


async def _send_orders(instance: Running, orders: int, per_second: float) -> list[tuple[str, int, float]]:
    """(SKU, quantity expected at the store, time of sending) of each order."""
    sent: list[tuple[str, int, float]] = []
    started = time.monotonic()
    async with httpx.AsyncClient(timeout=20) as http:
        posts = []
        for number in range(orders):
            await asyncio.sleep(max(0.0, started + number / per_second - time.monotonic()))
            sent.append((f"SKU-{number % SKUS}", UNITS - 1 - number // SKUS, time.time()))
            posts.append(asyncio.create_task(_post(http, instance, number)))
        assert await asyncio.gather(*posts) == [200] * orders
    return sent


async def _post(http: httpx.AsyncClient, instance: Running, number: int) -> int:
    line: dict[str, Any] = {"admin_graphql_api_id": f"gid://shopify/LineItem/{number}", "quantity": 1}
    line["sku"] = f"SKU-{number % SKUS}"
    order = {"admin_graphql_api_id": f"gid://shopify/Order/{number}", "name": f"#{number}", "line_items": [line]}
    body = orjson.dumps(order)
    headers = {
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Webhook-Id": f"bench-{number}",
        "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode(),
    }
    answer = await http.post(f"{instance.info['url']}/webhooks/shopify/bench-shop", content=body, headers=headers)
    return answer.status_code


async def _match(store: Marketplace, sent: list[tuple[str, int, float]]) -> OrderLag:
    """The first acknowledgement of the SKU with the order's unit gone, by the store's clock."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        found = (await asyncio.to_thread(store.state))["acknowledgements"]
        lags = []
        for sku, expected, at in sent:
            times = [one["at"] for one in found if one["sku"] == sku and one["quantity"] <= expected]
            if times:
                lags.append(max(0.0, min(times) - at))
        if len(lags) == len(sent) or time.monotonic() > end:
            return OrderLag(sorted(lags), len(sent) - len(lags))
        await asyncio.sleep(0.25)
