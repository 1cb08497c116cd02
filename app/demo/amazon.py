"""The demo's Amazon marketplace: how its sandbox is started, and how Onhand is connected to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.channels.connect_channel import ChannelConnect
from app.channels.link_listing import ListingLink
from app.demo.accounts import Account, account_path, state_path
from app.demo.assortment import CURRENCY, Product
from app.demo.company import COMPANY, WAREHOUSES
from app.demo.connect_market import connect_and_link, is_connected, load_shelves
from app.state import State

CODE = "amazon"
NAME = f"{COMPANY} at Amazon"
SECRETS = ("client_secret", "refresh_token")
CLIENT_ID = "amzn1.application-oa2-client.lindmoor"
SELLER_ID = "A0LINDMOORDEMO"
MARKETPLACE_ID = "A1PA6795UKMFR9"
"""Amazon's own id of its German marketplace."""
LIMITS = ("patchListingsItem=50/50", "searchListingsItems=20/20", "searchOrders=1/20", "getOrder=20/30")
"""More than a seller starts with, so that nobody watches a bucket fill."""
FEED_SECONDS = 3.0


def list_arguments(data_dir: Path, account: Account) -> list[str]:
    """What `python -m adapters.sandbox.amazon` is started with; its secrets are in a private file."""
    return [
        *("--port", str(account.port)),
        *("--credentials", str(account_path(data_dir, "amazon"))),
        *("--state", str(state_path(data_dir, "amazon"))),
        *("--client-id", CLIENT_ID, "--seller", SELLER_ID, "--marketplace", MARKETPLACE_ID),
        *("--name", f"{NAME} (sandbox)", "--currency", CURRENCY),
        *("--apply-seconds", "0.2", "--feed-seconds", str(FEED_SECONDS), "--pending-seconds", "2"),
        *(part for limit in LIMITS for part in ("--limit", limit)),
    ]


async def connect_amazon(state: State, account: Account, products: Sequence[Product]) -> bool:
    """Fill the marketplace's shelves, connect it and link its listings; whether any of it was to be done.

    Raises `Fault` when it does not do as asked.
    """
    addresses = {"base_url": account.url, "lwa_url": account.url, "queue_url": f"{account.url}/sqs"}
    if await is_connected(state, CODE, addresses):
        return False
    await load_shelves(state, account, products, {"X-Sandbox-Token": account.secrets["refresh_token"]})
    wanted = ChannelConnect(
        code=CODE,
        name=NAME,
        kind="AMAZON",
        warehouses=dict.fromkeys((house.code for house in WAREHOUSES), ""),
        config={
            **addresses,
            "queue_region": "eu-central-1",
            "seller_id": SELLER_ID,
            "marketplace_id": MARKETPLACE_ID,
            "client_id": CLIENT_ID,
            "feed_seconds": FEED_SECONDS,
        },
        secrets={
            "client_secret": account.secrets["client_secret"],
            "refresh_token": account.secrets["refresh_token"],
            # The sandbox's queue checks no signature.
            "aws_access_key_id": "sandbox",
            "aws_secret_access_key": "sandbox",
        },
        status="LIVE",
    )
    await connect_and_link(state, wanted, [ListingLink(product.code, product.code) for product in products])
    return True
