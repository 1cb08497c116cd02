"""Amazon and eBay connected through the API alone, against their sandboxes, by a worker as it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.settings import Settings
from app.state import State
from app.tasks import end_tasks
from app.worker import start_loops
from tests.adapters.amazon.conftest import MARKETPLACE
from tests.adapters.ebay.market import CREDENTIALS, Market, open_market
from tests.adapters.sandbox_amazon.serving import CLIENT_SECRET, REFRESH_TOKEN, SELLER, serve
from tests.company import Client, make_company, make_secret, running_app

UNITS = 6
LISTINGS = """query($channel: String!) { listings(first: 5, filter: {channel: $channel, states: [IN_SYNC]}) {
  nodes { externalId published acknowledged observed state } } }"""


@pytest.fixture
async def admin(settings: Settings) -> AsyncIterator[Client]:
    """An API with a worker behind it, and six units of SKU-0."""
    quick = {"push_poll_seconds": 0.1, "observe_again_seconds": 0.2, "feed_poll_seconds": 0.1}
    sealed = settings.model_copy(update={"secret_key": Fernet.generate_key().decode(), **quick})
    async with running_app(sealed) as (app, http):
        state: State = app._rest.state.onhand
        client = Client(http, await make_secret(state))
        await make_company(client, ("BER",), 1, UNITS)
        tasks = start_loops(state)
        try:
            yield client
        finally:
            await end_tasks(*tasks)


async def connect_and_wait(admin: Client, kind: str, connection: dict[str, Any], link: dict[str, Any]) -> Any:
    """Connect, link, go live, and wait until the listing is in sync and was seen to be."""
    given = {"code": "main", "name": "Main", "warehouses": [{"warehouse": "BER"}], kind: connection}
    made = await admin.mutate("channelConnect", "channel { status }", **given)
    assert made == {"channel": {"status": "SHADOW"}, "userErrors": []}
    lines = [{"sku": "SKU-0", **link}]
    assert (await admin.mutate("listingLink", "", channel="main", lines=lines))["userErrors"] == []
    assert (await admin.mutate("channelGoLive", "", channel="main"))["userErrors"] == []
    async with asyncio.timeout(30):
        while True:
            found = (await admin.data(LISTINGS, channel="main"))["listings"]["nodes"]
            if found and found[0]["observed"] == found[0]["published"]:
                return found[0]
            await asyncio.sleep(0.1)


async def test_amazon_through_the_api(admin: Client) -> None:
    async with serve() as market:
        sku = next(iter(market.market.state.listings))
        connection = {
            "sellerId": SELLER,
            "marketplaceId": MARKETPLACE,
            "clientId": "client",
            "clientSecret": CLIENT_SECRET,
            "refreshToken": REFRESH_TOKEN,
            "baseUrl": market.url,
            "lwaUrl": market.url,
            "queueUrl": f"{market.url}/sqs",
            "region": "us-east-1",
            "awsAccessKeyId": "AKID",
            "awsSecretAccessKey": "aws-hush",
        }
        listing = await connect_and_wait(admin, "amazon", connection, {"externalId": sku})
        assert listing == {
            "externalId": sku,
            "published": UNITS,
            "acknowledged": UNITS,
            "observed": UNITS,
            "state": "IN_SYNC",
        }
        assert (await market.state())["quantities"][sku] == UNITS
        lines = [{"sku": "SKU-0", "delta": -2}]
        await admin.mutate("stockAdjust", "", warehouse="BER", reason="COUNT", lines=lines)
        await until_published(admin, UNITS - 2)


async def test_ebay_through_the_api(admin: Client) -> None:
    async with open_market() as market:
        connection = {
            "clientId": CREDENTIALS.client_id,
            "clientSecret": CREDENTIALS.client_secret,
            "refreshToken": CREDENTIALS.refresh_token,
            "baseUrl": market.url,
            "outOfStockControl": True,
        }
        link = {"externalId": "TEA-1", "reference": market.reference("TEA-1")}
        listing = await connect_and_wait(admin, "ebay", connection, link)
        assert (listing["published"], listing["state"]) == (UNITS, "IN_SYNC")
        assert await shown_by_ebay(market) == UNITS
        lines = [{"sku": "SKU-0", "delta": -2}]
        await admin.mutate("stockAdjust", "", warehouse="BER", reason="COUNT", lines=lines)
        await until_published(admin, UNITS - 2)
        assert await shown_by_ebay(market) == UNITS - 2


async def shown_by_ebay(market: Market) -> Any:
    return (await market.state())["quantities"]["TEA-1"]


async def until_published(admin: Client, units: int) -> None:
    async with asyncio.timeout(30):
        while True:
            found = (await admin.data(LISTINGS, channel="main"))["listings"]["nodes"]
            if found and found[0]["published"] == found[0]["acknowledged"] == units:
                return
            await asyncio.sleep(0.1)
