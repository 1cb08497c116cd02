"""The demo's eBay account: how its sandbox is started, and how Onhand is connected to it."""

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

CODE = "ebay"
NAME = f"{COMPANY} at eBay"
SECRETS = ("token", "client_secret", "refresh_token", "verification_token")
"""`token` opens the sandbox's own doors; the others are the application's and the seller's."""
CLIENT_ID = "lindmoor-sandbox"
REVISIONS_PER_DAY = 20_000
"""eBay allows 250: what sells best in the demo changes more often in a day."""
CALLS_PER_DAY = 10_000_000


def list_arguments(data_dir: Path, account: Account) -> list[str]:
    """What `python -m adapters.sandbox.ebay` is started with; its secrets are in a private file."""
    return [
        *("--port", str(account.port)),
        *("--credentials", str(account_path(data_dir, "ebay"))),
        *("--state", str(state_path(data_dir, "ebay"))),
        *("--webhook-url", _endpoint(account), "--client-id", CLIENT_ID),
        *("--name", f"{NAME} (sandbox)", "--seller", "lindmoor", "--marketplace", "EBAY_DE", "--currency", CURRENCY),
        *("--revisions-per-day", str(REVISIONS_PER_DAY), "--calls-per-day", str(CALLS_PER_DAY)),
    ]


def _endpoint(account: Account) -> str:
    return f"{account.api_url}/webhooks/ebay/{CODE}"


async def connect_ebay(state: State, account: Account, products: Sequence[Product]) -> bool:
    """Fill the account's shelves, connect it and link its offers; whether any of it was to be done.

    An account that moved, or whose events go elsewhere now, is connected anew. Raises `Fault` when it does not do as
    asked.
    """
    addresses = {"base_url": account.url, "endpoint": _endpoint(account)}
    if await is_connected(state, CODE, addresses):
        return False
    headers = {"Authorization": f"Bearer {account.secrets['token']}"}
    offers = (await load_shelves(state, account, products, headers))["offers"]
    secrets = ("client_secret", "refresh_token", "verification_token")
    wanted = ChannelConnect(
        code=CODE,
        name=NAME,
        kind="EBAY",
        warehouses=dict.fromkeys((house.code for house in WAREHOUSES), ""),
        config={
            **addresses,
            "locale": "de-DE",
            "out_of_stock_control": True,
            "revisions_per_day": REVISIONS_PER_DAY,
        },
        secrets={"client_id": CLIENT_ID, **{name: account.secrets[name] for name in secrets}},
        status="LIVE",
    )
    links = [ListingLink(sku, sku, reference=offer["reference"]) for sku, offer in offers.items()]
    await connect_and_link(state, wanted, links)
    return True
