"""The demo's Shopify store: how its sandbox is started, and how Onhand is connected to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.demo.accounts import Account, account_path, state_path
from app.demo.assortment import CURRENCY, Product
from app.demo.company import COMPANY, WAREHOUSES
from app.state import State
from domain.errors import Fault

CODE = "shopify"
NAME = f"{COMPANY} online shop"
_LOCATION = "{ locations(first: 1) { nodes { id } } }"
_CONNECTED = """
SELECT c.config ->> 'base_url' FROM channels c
WHERE c.code = $1 AND EXISTS (SELECT FROM listings l WHERE l.channel_id = c.id)
"""


def list_arguments(data_dir: Path, account: Account, api_url: str) -> list[str]:
    """What `python -m adapters.sandbox.shopify` is started with; its token and secret are in a private file."""
    return [
        *("--port", str(account.port)),
        *("--credentials", str(account_path(data_dir, "shopify"))),
        *("--state", str(state_path(data_dir, "shopify"))),
        *("--webhook-url", f"{api_url}/webhooks/shopify/{CODE}"),
        *("--name", f"{NAME} (sandbox)"),
        *("--domain", "lindmoor-sandbox.myshopify.com"),
        *("--location", "Online shop"),
        *("--currency", CURRENCY),
    ]


async def connect_shopify(state: State, account: Account, products: Sequence[Product]) -> bool:
    """Fill the store's shelves, connect it and link its listings; whether any of it was to be done.

    A store that moved to another port is connected anew. Raises `Fault` when it does not do as asked.
    """
    if await state.database.hot.fetchval(_CONNECTED, CODE) == account.url:
        return False
    items = await _load_products(state, account, products)
    location = await _find_location(state, account)
    wanted = ChannelConnect(
        code=CODE,
        name=NAME,
        kind="SHOPIFY",
        warehouses={house.code: location for house in WAREHOUSES},
        config={"base_url": account.url},
        secrets={"access_token": account.token, "webhook_secret": account.secret},
        status="LIVE",
    )
    links = [ListingLink(sku, item, location) for sku, item in items.items()]
    async with state.database.hot.acquire() as connection:
        channel_id = await connect_channel(connection, state.settings, wanted)
        await link_listings(connection, channel_id, links)
    state.doorbell.ring("push")
    return True


async def _load_products(state: State, account: Account, products: Sequence[Product]) -> dict[str, str]:
    """Inventory item by SKU code. Nothing is in stock there until Onhand says so."""
    shelves: list[dict[str, Any]] = [
        {"sku": product.code, "title": product.title, "price": str(product.price), "barcode": product.barcode}
        for product in products
    ]
    answer = await _call(state, account, "/admin-sandbox/products", shelves)
    items: dict[str, str] = answer["inventory_items"]
    return items


async def _find_location(state: State, account: Account) -> str:
    answer = await _call(state, account, "/admin/api/2026-07/graphql.json", {"query": _LOCATION})
    return str(answer["data"]["locations"]["nodes"][0]["id"])


async def _call(state: State, account: Account, path: str, body: Any) -> Any:
    url, headers = account.url + path, {"X-Shopify-Access-Token": account.token}
    try:
        answer = await state.http.post(url, json=body, headers=headers)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Fault(f"The sandbox store at {account.url} does not do as asked: {error}.", transient=True) from error
    return answer.json()
