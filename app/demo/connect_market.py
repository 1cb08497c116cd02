"""What connecting is the same for at every marketplace of the demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import orjson

from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.demo.accounts import Account
from app.demo.assortment import Product
from app.state import State
from domain.errors import Fault

_CONNECTED = """
SELECT EXISTS (
  SELECT FROM channels c WHERE c.code = $1 AND c.config @> $2::jsonb
  AND EXISTS (SELECT FROM listings l WHERE l.channel_id = c.id))
"""


async def is_connected(state: State, code: str, addresses: Mapping[str, str]) -> bool:
    """Whether the channel is there with listings, and these `addresses` in its configuration."""
    return bool(await state.database.hot.fetchval(_CONNECTED, code, orjson.dumps(dict(addresses)).decode()))


async def load_shelves(state: State, account: Account, products: Sequence[Product], headers: Mapping[str, str]) -> Any:
    """Make the products at the sandbox; its answer. Nothing is in stock there until Onhand says so. Raises `Fault`."""
    shelves = [
        {"sku": product.code, "title": product.title, "price": str(product.price), "barcode": product.barcode}
        for product in products
    ]
    return await ask_sandbox(state, account, "/admin-sandbox/products", shelves, headers)


async def ask_sandbox(state: State, account: Account, path: str, body: Any, headers: Mapping[str, str]) -> Any:
    """The answer's JSON. Raises a transient `Fault` when there is none."""
    try:
        answer = await state.http.post(account.url + path, json=body, headers=headers)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Fault(f"The sandbox at {account.url} does not do as asked: {error}.", transient=True) from error
    return answer.json()


async def connect_and_link(state: State, wanted: ChannelConnect, links: Sequence[ListingLink]) -> None:
    """Both again for a channel that is there already: it may have moved."""
    async with state.database.hot.acquire() as connection:
        channel_id = await connect_channel(connection, state.settings, wanted)
        await link_listings(connection, channel_id, links)
    state.doorbell.ring("push")
