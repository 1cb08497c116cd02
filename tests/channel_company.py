"""A company with two channels in memory, its API in process, and the engine's steps to be taken one by one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from adapters.channels.memory import MemoryChannel
from app.channels.claim_listings import Lane
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.channels.observe_listings import observe_listings
from app.channels.open_channel import OpenChannel
from app.channels.openers import OPENERS, Opener
from app.channels.push_quantities import push_quantities
from app.channels.relay_stock import relay_stock
from app.channels.run_channels import list_channels
from app.settings import Settings
from app.state import State
from domain.identity import Role
from tests.company import Client, make_company, make_secret, running_app

SKUS = 3
BUCKETS = {"write": (10.0, 50.0)}


@dataclass
class ChannelCompany:
    """`shop` sells from BER and NYC, `market` from NYC alone; each lists SKU-0 to SKU-2 as item-0 to item-2."""

    app: Any
    http: httpx.AsyncClient
    state: State
    admin: Client
    shops: Mapping[str, MemoryChannel]

    async def client(self, *roles: Role, **limits: Any) -> Client:
        return Client(self.http, await make_secret(self.state, *roles, **limits))

    async def channel(self, code: str) -> OpenChannel:
        return next(found for found in await list_channels(self.state) if found.code == code)

    async def relay(self) -> None:
        while (await relay_stock(self.state))[0]:
            pass

    async def push(self, code: str, lane: Lane = Lane.BULK) -> int:
        return (await push_quantities(self.state, await self.channel(code), lane, "tests"))[0]

    async def observe(self, code: str) -> int:
        await self.state.database.hot.execute("UPDATE listings SET observed_at = observed_at - interval '1 hour'")
        return (await observe_listings(self.state, await self.channel(code)))[0]

    async def settle(self, *codes: str) -> None:
        """Relay and push until these channels have nothing left to be told."""
        for _ in range(20):
            await self.relay()
            await self.execute("UPDATE listings SET next_attempt_at = NULL")
            pushed = [await self.push(code, lane) for code in codes for lane in (Lane.ZERO, Lane.BULK)]
            if not any(pushed):
                return
        raise AssertionError("does not settle")

    async def execute(self, query: str, *values: Any) -> Any:
        return await self.state.database.hot.execute(query, *values)

    async def value(self, query: str, *values: Any) -> Any:
        return await self.state.database.hot.fetchval(query, *values)

    async def wait_until(self, query: str, seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not await self.value(query):
            assert time.monotonic() < end, query
            await asyncio.sleep(0.02)


@asynccontextmanager
async def open_channel_company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    """Both channels LIVE, with ten units of each SKU in each warehouse, and nothing pushed yet."""
    sealed = settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    shops = {"shop": MemoryChannel(), "market": MemoryChannel()}
    monkeypatch.setitem(OPENERS, "SHOPIFY", Opener(lambda _h, _q, config, _s: shops[config["base_url"]], BUCKETS))
    async with running_app(sealed) as (app, http):
        state: State = app._rest.state.onhand
        admin = Client(http, await make_secret(state))
        await make_company(admin, units=10)
        async with state.database.hot.acquire() as connection:
            for code, houses in (("shop", ("BER", "NYC")), ("market", ("NYC",))):
                wanted = ChannelConnect(
                    code, code.title(), "SHOPIFY", dict.fromkeys(houses, ""), {"base_url": code}, status="LIVE"
                )
                channel_id = await connect_channel(connection, sealed, wanted)
                links = [ListingLink(f"SKU-{n}", f"item-{n}") for n in range(SKUS)]
                assert await link_listings(connection, channel_id, links) == SKUS
        yield ChannelCompany(app, http, state, admin, shops)
