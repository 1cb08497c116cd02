"""Subscriptions that the store drops are made again; nobody is told twice."""

from __future__ import annotations

import asyncio

import pytest

from adapters.channels.shopify import renew_subscriptions as renewing
from adapters.channels.shopify.read_event import IGNORED, PART_TOPICS, READERS
from adapters.channels.subscribe_events import ChallengedChannel, SubscribedChannel
from domain.errors import CauseClass, Fault
from tests.adapters.shopify.conftest import Listener, Setup, open_setup

ADDRESS = "http://127.0.0.1:9/webhooks/shopify/shop"


async def test_all_that_is_missing_and_nothing_twice(setup: Setup) -> None:
    assert await setup.channel.renew_subscriptions(ADDRESS) == renewing.TOPICS
    assert await setup.channel.renew_subscriptions(ADDRESS) == ()
    assert len(setup.store.subscriptions) == len(renewing.TOPICS)
    del setup.store.subscriptions[3]
    assert len(await setup.channel.renew_subscriptions(ADDRESS)) == 1
    assert await setup.channel.renew_subscriptions(f"{ADDRESS}-2") == renewing.TOPICS, "another address has none"


async def test_one_dropped_after_failed_deliveries_is_made_again(listener: Listener) -> None:
    listener.statuses = [500] * 3
    async with open_setup(webhook_retry_seconds=(0.01, 0.01)) as setup:
        await setup.channel.renew_subscriptions(listener.url)
        await setup.buy(("BAG-1", 1))
        for _ in range(500):
            if len(setup.store.subscriptions) < len(renewing.TOPICS):
                break
            await asyncio.sleep(0.01)
        assert await setup.channel.renew_subscriptions(listener.url) == ("ORDERS_CREATE",)
        await setup.buy(("BAG-1", 1))
        assert len(await listener.wait("orders/create", 4)) == 4


async def test_pages_of_subscriptions(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewing, "PAGE", 3)
    await setup.channel.renew_subscriptions(ADDRESS)
    assert await setup.channel.renew_subscriptions(ADDRESS) == ()


async def test_what_the_store_refuses_is_said_after_all_were_tried(setup: Setup) -> None:
    with pytest.raises(Fault, match=r"refused 10 webhook subscriptions.*APP_UNINSTALLED: Address is invalid") as caught:
        await setup.channel.renew_subscriptions("ftp://nowhere")
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.AUTH)
    assert len(setup.quota.taken) == 1 + len(renewing.TOPICS)


def test_every_topic_asked_for_is_one_we_read() -> None:
    known = {topic.replace("/", "_").upper() for topic in READERS}
    parts = PART_TOPICS.replace("/", "_").upper()
    assert {topic for topic in renewing.TOPICS if not topic.startswith(parts)} <= known
    assert not {topic.replace("/", "_").upper() for topic in IGNORED} & set(renewing.TOPICS)


async def test_the_port(setup: Setup) -> None:
    assert isinstance(setup.channel, SubscribedChannel)
    assert not isinstance(setup.channel, ChallengedChannel)
