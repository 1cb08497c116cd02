"""What the store sends: verified on the raw body, read, and found again by the catch-up poll when it never came."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from adapters.channels.base import InboundEvent, Observation, Shipment
from adapters.channels.news import (
    AccessRevoked,
    ChannelNews,
    OrderSeen,
    OrderToPull,
    QuantitySeen,
    QuantityToLook,
    ReturnToPull,
)
from adapters.channels.shopify.channel import ShopifyChannel, open_shopify
from adapters.channels.shopify.read_event import IGNORED, PART_TOPICS, READERS, read_event
from adapters.sandbox.shopify.deliver_webhooks import sign_body
from adapters.sandbox.shopify.ids import write_gid
from domain.errors import CauseClass, Fault
from tests.adapters.shopify.conftest import BERLIN, SECRET, Listener, Setup, open_setup, window

DOMAIN = "sandbox.myshopify.com"


async def take(channel: ShopifyChannel, entry: tuple[Mapping[str, str], bytes]) -> list[ChannelNews]:
    """What an arrived webhook means; it must be genuine."""
    event = await channel.verify_event(*entry)
    assert event is not None
    return list(channel.read_event(event.topic, entry[1]))


async def listen(setup: Setup, listener: Listener) -> None:
    await setup.channel.renew_subscriptions(listener.url)


async def test_an_order_says_the_same_as_when_it_is_read(setup: Setup, listener: Listener) -> None:
    await listen(setup, listener)
    placed = await setup.buy(("TEA-1", 2), ("CUP-1", 1), email="a@b.c", pending=True, shipping_address={"zip": "1"})
    [entry] = await listener.wait("orders/create", 1)
    [news] = await take(setup.channel, entry)
    assert isinstance(news, OrderSeen)
    read = await setup.channel.read_order(placed)
    assert read is not None
    assert [line.unit_price for line in news.order.lines] == [Decimal("4.50"), Decimal("12.00")]
    assert (read.total, read.currency, read.cancel_requested) == (Decimal("21.00"), "USD", False)
    lines = tuple(replace(line, unit_price=None) for line in news.order.lines)
    untold = replace(read, cancel_requested=None)
    assert replace(news.order, lines=lines) == untold, "only the API says it, and prices only the webhook"


async def test_later_news_of_an_order_are_in_order_by_their_version(setup: Setup, listener: Listener) -> None:
    await listen(setup, listener)
    await setup.strike("webhook_late", seconds=1.5)
    placed = await setup.buy(("BAG-1", 2))
    await asyncio.sleep(1.05)  # the vendor tells times to the second
    await setup.tell("edit", placed, lines=[{"sku": "BAG-1", "quantity": 1}])
    [updated] = await take(setup.channel, (await listener.wait("orders/updated", 1))[0])
    assert listener.of("orders/create") == [], "it is late"
    [created] = await take(setup.channel, (await listener.wait("orders/create", 1))[0])
    assert isinstance(updated, OrderSeen)
    assert isinstance(created, OrderSeen)
    assert (created.order.version or 0) < (updated.order.version or 0)
    assert [order.lines[0].quantity for order in (created.order, updated.order)] == [2, 1]


async def test_a_cancellation_is_seen_with_nothing_wanted_any_more(setup: Setup, listener: Listener) -> None:
    await listen(setup, listener)
    await setup.tell("cancel", await setup.buy(("TEA-1", 2)))
    [news] = await take(setup.channel, (await listener.wait("orders/cancelled", 1))[0])
    assert isinstance(news, OrderSeen)
    assert (news.order.cancelled, news.order.lines) == (True, ())


@pytest.mark.parametrize(
    ("verb", "topic", "more"),
    [
        ("edit", "orders/edited", {"lines": [{"sku": "TEA-1", "quantity": 1}]}),
        ("refund", "refunds/create", {"lines": [{"sku": "TEA-1", "quantity": 1}], "restock": True}),
    ],
)
async def test_events_that_only_name_an_order(
    setup: Setup, listener: Listener, verb: str, topic: str, more: dict[str, Any]
) -> None:
    await listen(setup, listener)
    placed = await setup.buy(("TEA-1", 2))
    await setup.tell(verb, placed, **more)
    assert await take(setup.channel, (await listener.wait(topic, 1))[0]) == [OrderToPull(placed)]
    order = await setup.channel.read_order(placed)
    assert order is not None
    assert [line.quantity for line in order.lines] == [1]


async def test_a_buyer_who_asks_for_a_cancellation_is_read_by_the_part_that_names(
    setup: Setup, listener: Listener
) -> None:
    await listen(setup, listener)
    placed = await setup.buy(("TEA-1", 2))
    await setup.tell("request-cancellation", placed)
    topic = "fulfillment_orders/cancellation_request_submitted"
    [news] = await take(setup.channel, (await listener.wait(topic, 1))[0])
    assert isinstance(news, OrderToPull)
    order = await setup.channel.read_order(news.external_id)
    assert order is not None
    assert (order.external_id, order.cancel_requested) == (placed, True)


async def test_our_own_write_comes_back_as_an_echo(setup: Setup, listener: Listener) -> None:
    await listen(setup, listener)
    await setup.channel.set_quantities([setup.write("TEA-1", 6, 10)])
    [news] = await take(setup.channel, (await listener.wait("inventory_levels/update", 1))[0])
    assert isinstance(news, QuantitySeen)
    assert news.observation == Observation(setup.item("TEA-1"), 6, BERLIN)
    assert news.at is not None


async def test_stock_that_comes_to_a_location_and_goes(setup: Setup, listener: Listener) -> None:
    await listen(setup, listener)
    await setup.client.post("/unstock", json={"sku": "CUP-1"})
    [gone] = await take(setup.channel, (await listener.wait("inventory_levels/disconnect", 1))[0])
    assert gone == QuantityToLook(setup.item("CUP-1"), BERLIN)
    [seen] = await setup.channel.observe([setup.ref("CUP-1")])
    assert seen.quantity is None
    await setup.channel.set_quantities([setup.write("CUP-1", 2)])
    [back] = await take(setup.channel, (await listener.wait("inventory_levels/connect", 1))[0])
    assert isinstance(back, QuantitySeen)
    assert back.observation.external_id == setup.item("CUP-1")


async def test_an_event_twice_is_one_by_its_id(setup: Setup, listener: Listener) -> None:
    await listen(setup, listener)
    await setup.strike("webhook_duplicate")
    await setup.buy(("BAG-1", 1))
    first, second = [await setup.channel.verify_event(*entry) for entry in await listener.wait("orders/create", 2)]
    assert first == second
    assert isinstance(first, InboundEvent)
    assert first.occurred_at is not None


async def test_an_event_that_never_comes_is_found_by_the_poll(setup: Setup, listener: Listener) -> None:
    await listen(setup, listener)
    await setup.set_faults(webhook_missing=1)
    placed = await setup.buy(("TEA-1", 1))
    await asyncio.sleep(0.1)
    assert listener.received == []
    assert [order.external_id for order in (await setup.channel.pull_orders(*window())).orders] == [placed]


async def test_the_app_taken_away(setup: Setup, listener: Listener) -> None:
    await listen(setup, listener)
    assert await setup.channel.has_access()
    await setup.client.post("/uninstall")
    [news] = await take(setup.channel, (await listener.wait("app/uninstalled", 1))[0])
    assert news == AccessRevoked(f"The app was uninstalled from {DOMAIN}.")
    assert not await setup.channel.has_access()
    with pytest.raises(Fault, match="connect the channel again"):
        await setup.channel.observe([setup.ref("TEA-1")])


def signed(body: bytes, secret: str = SECRET, **headers: str) -> dict[str, str]:
    given = {
        "topic": "orders/create",
        "webhook-id": "w-1",
        "shop-domain": DOMAIN,
        "hmac-sha256": sign_body(secret, body),
    }
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return {f"x-shopify-{name}": value for name, value in given.items() if value}


async def test_what_is_forged_is_nothing(setup: Setup) -> None:
    body = b'{"a": 1}'
    assert await setup.channel.verify_event(signed(body), body) == InboundEvent("w-1", "orders/create")
    forged = [
        signed(body, "other"),
        signed(body, hmac_sha256=""),
        signed(body + b" "),
        signed(body, shop_domain="evil"),
    ]
    nameless = [signed(body, webhook_id=""), signed(body, topic="")]
    assert [await setup.channel.verify_event(headers, body) for headers in (*forged, *nameless)] == [None] * 6


async def test_the_secret_before_may_still_sign_and_an_app_signs_with_its_client_secret() -> None:
    async with open_setup() as opened:
        secrets = {"access_token": "t", "client_secret": "new", "previous_webhook_secret": "old"}
        channel = open_shopify(opened.http, opened.quota, {"base_url": opened.url}, secrets)
        answers = [await channel.verify_event(signed(b"{}", secret), b"{}") for secret in ("new", "old", "older", "")]
        assert [answer is not None for answer in answers] == [True, True, False, False]


@pytest.mark.parametrize("topic", [*READERS, f"{PART_TOPICS}moved"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b'{"order_id": "x", "order_edit": 3, "line_items": 3}'])
def test_a_broken_payload_is_a_permanent_fault(topic: str, body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        read_event(topic, body)
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.VALIDATION)


@pytest.mark.parametrize("topic", [*sorted(IGNORED), "shop/update"])
def test_what_means_nothing_here_is_left_alone(topic: str) -> None:
    assert read_event(topic, b"whatever") == ()


def test_a_level_that_is_not_counted_is_seen_as_such() -> None:
    body = {"inventory_item_id": 7, "location_id": 8, "available": None, "updated_at": "2026-11-01T10:00:00+01:00"}
    [news] = read_event("inventory_levels/update", orjson.dumps(body))
    seen = Observation("gid://shopify/InventoryItem/7", None, "gid://shopify/Location/8", tracked=False)
    assert news == QuantitySeen(seen, datetime.datetime(2026, 11, 1, 9, 0, 1, tzinfo=datetime.UTC))
    del body["updated_at"]
    [news] = read_event("inventory_levels/update", orjson.dumps(body))
    assert news == QuantityToLook("gid://shopify/InventoryItem/7", "gid://shopify/Location/8")


async def test_a_body_under_another_topic_says_what_it_is(setup: Setup, listener: Listener) -> None:
    """Only bodies are signed: each one that the store sent is sent again under every topic."""
    await listen(setup, listener)
    placed = await setup.buy(("TEA-1", 2), ("CUP-1", 1))
    [order] = setup.store.orders.values()
    cup = write_gid("LineItem", order.lines[1].index)
    now = datetime.datetime.now(datetime.UTC)
    await setup.channel.confirm_shipment(Shipment(placed, ((cup, 1),), "DHL", "1Z", now, "parcel"))
    await setup.tell("edit", placed, lines=[{"sku": "TEA-1", "quantity": 1}])
    await setup.tell("return", placed, lines=[{"sku": "CUP-1", "quantity": 1}])
    await setup.tell("refund", placed, lines=[{"sku": "TEA-1", "quantity": 1}], restock=True)
    await setup.client.post("/unstock", json={"sku": "CUP-1"})
    topics = {
        *("orders/create", "orders/edited", "refunds/create", "returns/approve"),
        *("inventory_levels/update", "inventory_levels/disconnect"),
    }
    for topic in topics:
        await listener.wait(topic, 1)
    looked = 0
    for headers, body in list(listener.received):
        for topic in [*READERS, f"{PART_TOPICS}moved"]:
            try:
                found = setup.channel.read_event(topic, body)
            except Fault:
                continue
            right = setup.channel.read_event(headers["x-shopify-topic"], body)
            for news in found:
                looked += 1
                asks = isinstance(news, OrderToPull | ReturnToPull | QuantityToLook)
                assert asks or news in right, (headers["x-shopify-topic"], topic)
    assert looked > len(topics)


def test_a_parcel_is_no_order() -> None:
    """It has lines, times and an id as well."""
    line = {"admin_graphql_api_id": write_gid("LineItem", 1), "quantity": 3}
    parcel = {"admin_graphql_api_id": write_gid("Fulfillment", 1), "line_items": [line], "updated_at": "2026-11-01"}
    with pytest.raises(Fault, match="not an order"):
        read_event("orders/create", orjson.dumps(parcel))


def test_an_order_of_a_subscription_with_few_fields() -> None:
    line = {"admin_graphql_api_id": write_gid("LineItem", 1), "quantity": 3}
    body = orjson.dumps({"admin_graphql_api_id": write_gid("Order", 1), "line_items": [line]})
    [news] = read_event("orders/create", body)
    assert isinstance(news, OrderSeen)
    assert (news.order.version, [entry.quantity for entry in news.order.lines]) == (None, [3])
