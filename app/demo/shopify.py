"""The demo's Shopify store: how its sandbox is started, and how Onhand is connected to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.channels.connect_channel import ChannelConnect
from app.channels.link_listing import ListingLink
from app.demo.accounts import Account, account_path, state_path
from app.demo.assortment import CURRENCY, Product
from app.demo.company import COMPANY, WAREHOUSES
from app.demo.connect_market import ask_sandbox, connect_and_link, is_connected, load_shelves
from app.state import State

CODE = "shopify"
NAME = f"{COMPANY} online shop"
SECRETS = ("token", "secret")
"""`token` opens the store's API, `secret` signs what it sends."""
RESTORE_RATE = 1_000
"""Points a second, as on Shopify's larger plans: with 100, reading 300 listings back waits for points."""
_LOCATION = "{ locations(first: 1) { nodes { id } } }"


def list_arguments(data_dir: Path, account: Account) -> list[str]:
    """What `python -m adapters.sandbox.shopify` is started with; its token and secret are in a private file."""
    return [
        *("--port", str(account.port)),
        *("--credentials", str(account_path(data_dir, "shopify"))),
        *("--state", str(state_path(data_dir, "shopify"))),
        *("--webhook-url", f"{account.api_url}/webhooks/shopify/{CODE}"),
        *("--name", f"{NAME} (sandbox)"),
        *("--domain", "lindmoor-sandbox.myshopify.com"),
        *("--location", "Online shop"),
        *("--currency", CURRENCY, "--restore-rate", str(RESTORE_RATE)),
    ]


async def connect_shopify(state: State, account: Account, products: Sequence[Product]) -> bool:
    """Fill the store's shelves, connect it and link its listings; whether any of it was to be done.

    A store that moved to another port is connected anew. Raises `Fault` when it does not do as asked.
    """
    config = {"base_url": account.url}
    if await is_connected(state, CODE, config):
        return False
    headers = {"X-Shopify-Access-Token": account.secrets["token"]}
    items = (await load_shelves(state, account, products, headers))["inventory_items"]
    found = await ask_sandbox(state, account, "/admin/api/2026-07/graphql.json", {"query": _LOCATION}, headers)
    location = str(found["data"]["locations"]["nodes"][0]["id"])
    wanted = ChannelConnect(
        code=CODE,
        name=NAME,
        kind="SHOPIFY",
        warehouses={house.code: location for house in WAREHOUSES},
        config=config,
        secrets={"access_token": account.secrets["token"], "webhook_secret": account.secrets["secret"]},
        status="LIVE",
    )
    await connect_and_link(state, wanted, [ListingLink(sku, item, location) for sku, item in items.items()])
    return True
