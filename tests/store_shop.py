"""A company that sells in a sandbox Shopify store over real sockets; what the store says is handed in when told so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import Fernet

from adapters.sandbox.shopify import ProductConfig
from adapters.sandbox.shopify.state import Order
from api.ids import encode_id
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.channels.process_events import process_events
from app.settings import Settings
from app.state import State
from tests.adapters.shopify.conftest import BERLIN, SECRET, TOKEN, Setup, open_setup
from tests.app.orders.world import available
from tests.channel_company import ChannelCompany
from tests.company import Client, make_company, make_secret, running_app

UNITS = 10


@dataclass
class StoreShop:
    """A store with ten units of SKU-0 and so on in BER, connected as `shop`. `calls`: what was asked of it."""

    company: ChannelCompany
    store: Setup
    listener: Any
    heard: int = 0
    calls: list[str] = field(default_factory=list)

    async def buy(self, units: int) -> str:
        """Sold by the store, and heard of here: the order's id at the store."""
        placed = await self.store.buy(("SKU-0", units))
        await self.hear("orders/create")
        return placed

    async def hear(self, topic: str, count: int = 1) -> None:
        """Everything that the store has sent, once there are so many of `topic`."""
        await self.listener.wait(topic, count)
        sent, self.heard = self.listener.received[self.heard :], len(self.listener.received)
        await self.deliver(sent)

    async def deliver(self, sent: list[tuple[dict[str, str], bytes]]) -> None:
        for headers, body in sent:
            passed = {name: value for name, value in headers.items() if name.startswith("x-shopify")}
            answer = await self.company.http.post("/webhooks/shopify/shop", content=body, headers=passed)
            assert answer.status_code == 200
        while await process_events(self.company.state):
            pass

    async def key(self, placed: str) -> str:
        return encode_id("Order", str(await self.company.value("SELECT id FROM orders WHERE external_id = $1", placed)))

    async def line(self, placed: str) -> str:
        order = await self.store.channel.read_order(placed)
        assert order is not None
        return order.lines[0].external_id

    async def level(self, sku: str = "SKU-0") -> tuple[int, int, int]:
        """What is available here, what the store shows, and what it has committed."""
        await self.company.settle("shop")
        found = self.store.store.levels[1, self.store.store.item_by_sku[sku]]
        return await available(self.company, sku), found.available, found.committed

    @property
    def order(self) -> Order:
        (order,) = self.store.store.orders.values()
        return order


@asynccontextmanager
async def open_store_shop(settings: Settings, listener: Any, skus: int = 1) -> AsyncIterator[StoreShop]:
    sealed = settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    products = tuple(ProductConfig(f"SKU-{number}", "Thing", "10.00", quantity=0) for number in range(skus))
    options = {"webhook_url": listener.url, "products": products, "cancel_seconds": 0.0}
    async with open_setup(**options) as store, running_app(sealed) as (app, http):
        state: State = app._rest.state.onhand
        company = ChannelCompany(app, http, state, Client(http, await make_secret(state)), {})
        await make_company(company.admin, ("BER",), skus, UNITS)
        await _connect(state, store, skus)
        opened = StoreShop(company, store, listener)

        async def note(request: Any) -> None:
            opened.calls.append(request.content.decode(errors="replace"))

        state.channels.http.event_hooks = {"request": [note], "response": []}
        await company.settle("shop")
        yield opened


async def _connect(state: State, store: Setup, skus: int) -> None:
    config, secrets = {"base_url": store.url}, {"access_token": TOKEN, "webhook_secret": SECRET}
    wanted = ChannelConnect("shop", "Shop", "SHOPIFY", {"BER": BERLIN}, config, secrets, status="LIVE")
    links = [ListingLink(f"SKU-{number}", store.item(f"SKU-{number}"), BERLIN) for number in range(skus)]
    async with state.database.hot.acquire() as connection:
        channel_id = await connect_channel(connection, state.settings, wanted)
        await link_listings(connection, channel_id, links)
