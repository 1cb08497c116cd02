"""What the store sends, as a stranger on a socket sees it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json

from tests.adapters.sandbox.conftest import SECRET, Listener, open_store

HEADERS = ("topic", "hmac-sha256", "shop-domain", "api-version", "webhook-id", "event-id", "triggered-at")


def sign(body: bytes) -> str:
    return base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()


async def test_order_is_announced_signed_over_the_raw_body(listener: Listener) -> None:
    async with open_store(webhook_url=listener.url) as store:
        placed = await store.buy("TEA-1", 2, shipping_address={"city": "Berlin", "country_code": "DE"})
        [(headers, body)] = await listener.wait("orders/create", 1)
    assert all(f"x-shopify-{name}" in headers for name in HEADERS)
    assert headers["x-shopify-hmac-sha256"] == sign(body) != sign(body + b" ")
    assert headers["x-shopify-api-version"] == "2026-07"
    payload = json.loads(body)
    assert payload["admin_graphql_api_id"] == placed.json()["id"]
    assert payload["name"] == placed.json()["name"]
    assert [(line["sku"], line["quantity"]) for line in payload["line_items"]] == [("TEA-1", 2)]
    assert payload["shipping_address"]["city"] == "Berlin"


async def test_every_change_of_a_level_is_announced(listener: Listener) -> None:
    async with open_store(webhook_url=listener.url) as store:
        await store.buy("TEA-1", 2)
        [(_, body)] = await listener.wait("inventory_levels/update", 1)
    assert json.loads(body)["available"] == 8


async def test_retry_keeps_the_webhook_id(listener: Listener) -> None:
    listener.statuses = [500, 500]
    async with open_store(webhook_url=listener.url, webhook_retry_seconds=(0.01, 0.01)) as store:
        await store.buy("TEA-1", 1)
        async with asyncio.timeout(5), listener.arrived:
            await listener.arrived.wait_for(lambda: len(listener.received) >= 4)
    ids = {headers["x-shopify-webhook-id"] for headers, _ in listener.received}
    assert len(ids) == 2


async def test_duplicate_repeats_the_id_and_missing_never_arrives(listener: Listener) -> None:
    async with open_store() as store:
        await store.query(
            "mutation($u: String) { webhookSubscriptionCreate(topic: ORDERS_CREATE, webhookSubscription:"
            " {uri: $u}) { webhookSubscription { id topic } userErrors { message } } }",
            u=listener.url,
        )
        await store.break_it("duplicate_webhook")
        await store.buy("TEA-1", 1)
        twice = await listener.wait("orders/create", 2)
        await store.break_it("missing_webhook")
        await store.buy("TEA-1", 1)
        await store.buy("TEA-1", 1)
        await listener.wait("orders/create", 3)
        await asyncio.sleep(0.1)
    assert twice[0][0]["x-shopify-webhook-id"] == twice[1][0]["x-shopify-webhook-id"]
    assert len(listener.of("orders/create")) == 3
