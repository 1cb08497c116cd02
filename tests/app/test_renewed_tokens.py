"""Tokens that end: renewed once whatever the number of processes, kept sealed, and there after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from cryptography.fernet import Fernet

from adapters.channels.base import Secrets
from adapters.channels.shopify.channel import ShopifyChannel
from app.channels.check_connection import merge_secrets
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.run_channels import list_channels
from app.channels.seal_credentials import open_credentials, seal_credentials
from app.settings import Settings
from app.state import State, open_state
from domain.errors import CauseClass, Fault
from tests.adapters.shopify.conftest import EXPIRING, REFRESH_TOKEN, SECRET, TOKEN, Setup, open_setup
from tests.seed import make_catalog

PROCESSES = 3


@asynccontextmanager
async def another(settings: Settings) -> AsyncIterator[State]:
    """Another process, as far as locks and memory go: pools, book and adapters of its own."""
    async with open_state(settings, "onhand tests") as state:
        yield state


@pytest.fixture
async def store() -> AsyncIterator[Setup]:
    async with open_setup(refresh_token=REFRESH_TOKEN, client_id="client", client_secret="client-hush") as opened:
        yield opened


@pytest.fixture
async def sealed(settings: Settings, store: Setup) -> Settings:
    """Settings with a key, and the store connected."""
    given = settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    async with another(given) as state:
        await make_catalog(state, ("BER",), 1)
        secrets = {"access_token": TOKEN, "webhook_secret": SECRET, **EXPIRING}
        wanted = ChannelConnect("shop", "Shop", "SHOPIFY", {"BER": ""}, {"base_url": store.url}, secrets)
        async with state.database.hot.acquire() as connection:
            await connect_channel(connection, given, wanted)
    return given


async def open_shop(state: State) -> ShopifyChannel:
    (channel,) = await list_channels(state)
    assert isinstance(channel.adapter, ShopifyChannel)
    return channel.adapter


async def read_kept(state: State) -> dict[str, str]:
    return open_credentials(state.settings, await state.database.hot.fetchval("SELECT credentials FROM channels"))


async def count_locks(state: State) -> int:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    return int(await state.database.hot.fetchval(query))


async def test_processes_that_race_renew_once_and_all_go_on(store: Setup, sealed: Settings) -> None:
    async with another(sealed) as one, another(sealed) as two, another(sealed) as three:
        shops = [await open_shop(state) for state in (one, two, three)]
        await store.strike("token_expired")
        seen = await asyncio.gather(*(shop.observe([store.ref("TEA-1")]) for shop in shops for _ in range(2)))
        assert [found[0].quantity for found in seen] == [10] * 2 * PROCESSES
        kept = await read_kept(one)
        assert store.store.tokens.access == kept["access_token"], "the last pair given is the one that is kept"
        assert store.store.tokens.previous == REFRESH_TOKEN, "the first refresh token was used once, and no other"
        assert (kept["webhook_secret"], kept["client_id"]) == (SECRET, "client")
        assert await count_locks(one) == 0
    async with another(sealed) as restarted:
        shop = await open_shop(restarted)
        assert [found.quantity for found in await shop.observe([store.ref("TEA-1")])] == [10]
        assert (await read_kept(restarted)) == kept, "nothing was renewed again"


async def test_what_people_change_during_a_renewal_stays(store: Setup, sealed: Settings) -> None:
    async with another(sealed) as state:
        known = await read_kept(state)

        async def change(secrets: Secrets) -> None:
            await state.database.hot.execute(
                "UPDATE channels SET credentials = $1", seal_credentials(state.settings, secrets)
            )

        async def renew(secrets: Secrets) -> Secrets:
            await change({**secrets, "webhook_secret": "changed meanwhile"})
            return {**secrets, "access_token": "new", "refresh_token": "newer"}

        made = await state.channels.keeper.keep_for(1)(known, renew)
        assert (made["access_token"], made["webhook_secret"]) == ("new", "changed meanwhile")
        assert made == await read_kept(state)

        async def reconnect(secrets: Secrets) -> Secrets:
            await change({**secrets, "access_token": "by hand"})
            return {**secrets, "access_token": "of the machine"}

        assert (await state.channels.keeper.keep_for(1)(made, reconnect))["access_token"] == "by hand"
        assert (await read_kept(state))["access_token"] == "by hand"


async def test_a_renewal_that_fails_lets_the_next_one_try(store: Setup, sealed: Settings) -> None:
    async with another(sealed) as state:
        known = await read_kept(state)

        async def fail(_: Secrets) -> Secrets:
            raise Fault("away", transient=True, cause=CauseClass.OUTAGE)

        async def hang(_: Secrets) -> Secrets:
            await asyncio.sleep(60)
            return {}

        keep = state.channels.keeper.keep_for(1)
        with pytest.raises(Fault, match="away"):
            await keep(known, fail)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await keep(known, hang)
        assert await count_locks(state) == 0
        assert await read_kept(state) == known


def test_a_new_access_token_ends_what_belonged_to_the_one_before() -> None:
    known = {"access_token": "a", "refresh_token": "r", "access_token_expires_at": "1", "webhook_secret": "w"}
    assert merge_secrets(known, {"access_token": "b"}) == {"access_token": "b", "webhook_secret": "w"}
    assert merge_secrets(known, {"client_id": "c"}) == {**known, "client_id": "c"}
