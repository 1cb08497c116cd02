"""Events keep coming: subscribed on connecting, looked at on a schedule; access that is taken away pauses a channel."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from cryptography.fernet import Fernet

from adapters.channels.shopify.renew_subscriptions import TOPICS
from app.channels import keep_subscribed as keeping
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.keep_subscribed import keep_subscribed, subscribe_again, write_address
from app.channels.open_channel import OpenChannel
from app.channels.process_events import process_events
from app.channels.revoke_access import CLOCKS_APART, revoke_access
from app.channels.run_channels import list_channels
from app.settings import Settings
from app.state import State
from tests.adapters.ebay.market import CREDENTIALS, Market, open_market
from tests.adapters.shopify.conftest import SECRET, TOKEN, Setup, open_setup
from tests.seed import make_catalog
from tests.serving import serving

EBAY_SECRETS = {
    "client_id": CREDENTIALS.client_id,
    "client_secret": CREDENTIALS.client_secret,
    "refresh_token": CREDENTIALS.refresh_token,
    "verification_token": "a-verification-token-of-our-own-0123456789",
}
SHOPIFY_SECRETS = {"access_token": TOKEN, "webhook_secret": SECRET}


@pytest.fixture
async def public(settings: Settings) -> AsyncIterator[State]:
    """The API on a socket, which is its public address."""
    sealed = settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    async with serving(sealed) as site:
        site.state.settings = sealed.model_copy(update={"public_url": f"{site.url}/"})
        await make_catalog(site.state, ("BER",), 1)
        yield site.state


async def connect(state: State, kind: str, config: Mapping[str, Any], secrets: Mapping[str, str]) -> OpenChannel:
    async with state.database.hot.acquire() as connection:
        wanted = ChannelConnect("main", "Main", kind, {"BER": ""}, config, secrets, status="LIVE")
        await connect_channel(connection, state.settings, wanted)
    (channel,) = await list_channels(state)
    return channel


@asynccontextmanager
async def shopify(state: State) -> AsyncIterator[tuple[Setup, OpenChannel]]:
    async with open_setup() as store:
        yield store, await connect(state, "SHOPIFY", {"base_url": store.url}, SHOPIFY_SECRETS)


@asynccontextmanager
async def ebay(state: State, **config: Any) -> AsyncIterator[tuple[Market, OpenChannel]]:
    async with open_market() as market:
        yield market, await connect(state, "EBAY", {"base_url": market.url, **config}, EBAY_SECRETS)


async def value(state: State, query: str) -> Any:
    return await state.database.hot.fetchval(query)


async def wait_for(state: State, query: str) -> None:
    for _ in range(500):
        if await value(state, query):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(query)


async def cases(state: State) -> list[Any]:
    rows = await state.database.hot.fetch("SELECT kind, cause, state, count FROM exception_cases ORDER BY id")
    return [tuple(row) for row in rows]


async def make_due(state: State) -> None:
    await state.database.hot.execute("UPDATE channel_health SET subscriptions_due_at = now() - interval '1 second'")


async def test_a_store_is_subscribed_when_connected_and_again_when_it_dropped_one(public: State) -> None:
    async with shopify(public) as (store, channel):
        await keep_subscribed(public, channel)
        uris = {one.uri for one in store.store.subscriptions.values()}
        assert uris == {write_address(public.settings, "SHOPIFY", "main")}
        assert len(store.store.subscriptions) == len(TOPICS)
        await store.buy(("BAG-1", 1))
        await store.buy(("BAG-1", 1))
        await wait_for(public, "SELECT count(*) >= 2 FROM inbound_events WHERE topic = 'orders/create'")
        store.store.subscriptions.clear()
        await keep_subscribed(public, channel)
        assert not store.store.subscriptions, "not before it is due"
        await make_due(public)
        await keep_subscribed(public, channel)
        assert len(store.store.subscriptions) == len(TOPICS)
        due = await value(public, "SELECT subscriptions_due_at - now() FROM channel_health")
        assert due > datetime.timedelta(minutes=10)


async def test_another_address_and_another_connection_are_subscribed_at_once(public: State) -> None:
    async with shopify(public) as (store, channel):
        await keep_subscribed(public, channel)
        public.settings = public.settings.model_copy(update={"public_url": "http://elsewhere.test"})
        await keep_subscribed(public, channel)
        assert len(store.store.subscriptions) == 2 * len(TOPICS)
        store.store.subscriptions.clear()
        await subscribe_again(public.database.hot, channel.id)
        await keep_subscribed(public, channel)
        assert {one.uri for one in store.store.subscriptions.values()} == {
            "http://elsewhere.test/webhooks/shopify/main"
        }


async def test_ebay_is_subscribed_and_switched_on_again(public: State) -> None:
    async with ebay(public, alert_email="ops@example.org") as (market, channel):
        await keep_subscribed(public, channel)
        (destination,) = market.account.destinations.values()
        assert destination.endpoint == write_address(public.settings, "EBAY", "main")
        assert len(market.account.subscriptions) == 2
        destination.status = "MARKED_DOWN"
        await make_due(public)
        await keep_subscribed(public, channel)
        assert [one.status for one in market.account.destinations.values()] == ["ENABLED"]
        await market.buy("TEA-1")
        await wait_for(public, "SELECT count(*) > 0 FROM inbound_events WHERE topic = 'ORDER_CONFIRMATION'")
        assert await cases(public) == []


async def test_what_cannot_be_subscribed_is_said_once_and_polled(
    public: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_told", set())
    monkeypatch.setattr(keeping, "log", structlog.wrap_logger(structlog.PrintLogger()))
    async with ebay(public) as (market, channel):
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                await keep_subscribed(public, channel)
            public.settings = public.settings.model_copy(update={"public_url": None})
            for _ in range(3):
                await keep_subscribed(public, channel)
        assert [one["reason"] for one in logs if "reason" in one] == [
            "the connection has no alert_email",
            "ONHAND_PUBLIC_URL is not set",
        ]
        assert not market.account.destinations
        assert await value(public, "SELECT count(*) FROM channel_health") == 0


async def test_a_refused_subscription_is_a_case_until_it_is_there(public: State) -> None:
    async with shopify(public) as (_, channel):
        right = public.settings
        public.settings = right.model_copy(update={"public_url": "ftp://nowhere"})
        for _ in range(2):
            await keep_subscribed(public, channel)
            await make_due(public)
        assert await cases(public) == [("NOT_SUBSCRIBED", "AUTH", "OPEN", 2)]
        public.settings = right
        await keep_subscribed(public, channel)
        assert await cases(public) == [("NOT_SUBSCRIBED", "AUTH", "RESOLVED", 2)]


async def test_an_uninstalled_app_pauses_the_channel_and_old_news_does_not(public: State) -> None:
    async with shopify(public) as (store, channel):
        await keep_subscribed(public, channel)
        assert (await store.client.post("/uninstall")).is_success
        await wait_for(public, "SELECT count(*) > 0 FROM inbound_events WHERE topic = 'app/uninstalled'")
        await process_events(public)
        assert await value(public, "SELECT status FROM channels") == "PAUSED"
        assert await cases(public) == [("CHANNEL_DOWN", "AUTH", "OPEN", 1)]
    happened = await value(
        public, "SELECT coalesce(occurred_at, received_at) FROM inbound_events ORDER BY id DESC LIMIT 1"
    )
    await connect(public, "SHOPIFY", {"base_url": "http://again.test"}, SHOPIFY_SECRETS)
    await public.database.hot.execute("UPDATE channels SET status = 'LIVE'")
    await revoke_access(public, channel, "The same event, processed again.", happened - CLOCKS_APART)
    assert await value(public, "SELECT status FROM channels") == "LIVE"
    assert await cases(public) == [("CHANNEL_DOWN", "AUTH", "OPEN", 1)]
