"""The demo's Shopify store: how its sandbox is started, and how Onhand is connected to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from adapters.channels.shopify.client import ShopifyClient
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import link_listings
from app.demo.accounts import Account, account_path, state_path
from app.demo.assortment import CURRENCY, Product
from app.demo.company import COMPANY, WAREHOUSES
from app.state import State
from domain.errors import Fault

CODE = "shopify"
NAME = f"{COMPANY} online shop"
_LOCATION = "query Location { locations(first: 1) { nodes { id } } }"
_CONNECTED = """
SELECT c.base_url FROM channels c WHERE c.code = $1 AND EXISTS (SELECT FROM listings l WHERE l.channel_id = c.id)
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


async def connect_shopify(state: State, account: Account, products: Sequence[Product]) -> int:
    """Fill the store's shelves, connect it and link its listings; returns how many were linked, 0 if all was done.

    A store that moved to another port is connected anew. Raises `Fault` when it does not do as asked.
    """
    if await state.database.hot.fetchval(_CONNECTED, CODE) == account.url:
        return 0
    items = await _load_products(state, account, products)
    located = await ShopifyClient(state.http, account.url, account.token).call(_LOCATION, {})
    wanted = ChannelConnect(
        code=CODE,
        name=NAME,
        base_url=account.url,
        location_id=located["locations"]["nodes"][0]["id"],
        access_token=account.token,
        webhook_secret=account.secret,
        warehouses=[house.code for house in WAREHOUSES],
    )
    async with state.database.hot.acquire() as connection:
        channel_id = await connect_channel(connection, state.settings, wanted)
        linked = await link_listings(connection, channel_id, items)
    state.doorbell.ring("push")
    return linked


async def _load_products(state: State, account: Account, products: Sequence[Product]) -> dict[str, str]:
    """Inventory item by SKU code. Nothing is in stock there until Onhand says so."""
    shelves: list[dict[str, Any]] = [
        {"sku": product.code, "title": product.title, "price": str(product.price), "barcode": product.barcode}
        for product in products
    ]
    url, headers = f"{account.url}/admin-sandbox/products", {"X-Shopify-Access-Token": account.token}
    try:
        answer = await state.http.post(url, json=shelves, headers=headers)
    except httpx.HTTPError as error:
        raise Fault(f"The sandbox store at {account.url} does not answer ({error!r}).", transient=True) from error
    if not answer.is_success:
        raise Fault(f"The sandbox store answered {answer.status_code} to its products.", transient=False)
    items: dict[str, str] = answer.json()["inventory_items"]
    return items
