"""From a signed webhook to the quantity acknowledged by the sandbox store, on real servers."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from cryptography.fernet import Fernet

from adapters.sandbox.shopify.config import StoreConfig
from adapters.sandbox.shopify.create_store import create_store
from app.channels.claim_listings import Lane
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.channels.push_quantities import push_quantities
from app.channels.run_channels import list_channels
from app.orders.erase_contact import erase_contacts
from app.settings import Settings
from app.state import State, open_state
from app.tasks import end_tasks
from app.worker import start_loops
from domain.errors import Refusal
from tests.company import Client, make_company, make_secret, running_app

SECRET = "sandbox-secret"
HEADERS = {"X-Shopify-Access-Token": "sandbox-token"}


@dataclass
class Shop:
    """Onhand's API and worker state, the sandbox store, and one channel between them."""

    api: httpx.AsyncClient
    store: httpx.AsyncClient
    state: State
    channel_id: int

    async def deliver(
        self, body: bytes, event: str = "w-1", secret: str = SECRET, topic: str = "orders/create", at: str | None = None
    ) -> int:
        signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
        headers = {"X-Shopify-Topic": topic, "X-Shopify-Webhook-Id": event}
        headers |= {} if at is None else {"X-Shopify-Triggered-At": at}
        answer = await self.api.post(
            "/webhooks/shopify/shop", content=body, headers={**headers, "X-Shopify-Hmac-Sha256": signature}
        )
        return answer.status_code

    async def count(self, table: str) -> int:
        return int(await self.state.database.hot.fetchval(f"SELECT count(*) FROM {table}"))

    async def quantity(self, sku: str) -> Any:
        return (await self.store.get("/state")).json()["quantities"][sku]

    async def wait_until(self, query: str, seconds: float = 45.0) -> None:
        end = time.monotonic() + seconds
        while not await self.state.database.hot.fetchval(query):
            assert time.monotonic() < end, query
            await asyncio.sleep(0.02)


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    sealed = settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    app = create_store(StoreConfig())
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop", headers=HEADERS) as store,
        open_state(sealed, "onhand tests") as state,
        running_app(sealed) as (_, api),
    ):
        state.channels.http = store
        await make_company(Client(api, await make_secret(state)), units=10)
        products = [{"sku": f"SKU-{n}", "title": "Thing", "quantity": 0} for n in range(3)]
        items = (await store.post("/admin-sandbox/products", json=products)).json()["inventory_items"]
        query = {"query": "{ locations(first: 1) { nodes { id } } }"}
        located = (await store.post("/admin/api/2026-07/graphql.json", json=query)).json()
        location = located["data"]["locations"]["nodes"][0]["id"]
        wanted = ChannelConnect(
            "shop",
            "Shop",
            "SHOPIFY",
            {"BER": location, "NYC": location},
            {"base_url": "http://shop"},
            {"access_token": "sandbox-token", "webhook_secret": SECRET},
            status="LIVE",
        )
        links = [ListingLink(sku, item, location) for sku, item in items.items()]
        async with state.database.hot.acquire() as connection:
            channel_id = await connect_channel(connection, sealed, wanted)
            assert await link_listings(connection, channel_id, links) == 3
        yield Shop(api, store, state, channel_id)


@pytest.fixture
async def worker(shop: Shop) -> AsyncIterator[None]:
    tasks = start_loops(shop.state)
    yield
    await end_tasks(*tasks)


def order(quantity: int, sku: str = "SKU-0", number: int = 1) -> bytes:
    line = {"admin_graphql_api_id": f"gid://shopify/LineItem/{number}", "sku": sku, "quantity": quantity}
    return orjson.dumps({"admin_graphql_api_id": f"gid://shopify/Order/{number}", "name": "#1", "line_items": [line]})


async def test_an_order_is_allocated_and_the_new_quantity_acknowledged(shop: Shop, worker: None) -> None:
    assert await shop.deliver(order(4)) == 200
    await shop.wait_until("SELECT EXISTS (SELECT FROM orders WHERE status = 'ALLOCATED')")
    await shop.wait_until("SELECT EXISTS (SELECT FROM listings WHERE acknowledged = 16)")
    assert await shop.quantity("SKU-0") == 16
    assert await shop.state.database.hot.fetchval("SELECT sum(committed) FROM stock_levels") == 4
    event = await shop.state.database.hot.fetchval("SELECT id FROM inbound_events")
    kept = await shop.state.database.hot.fetchval("SELECT request_id FROM stock_movements WHERE reason = 'ORDER'")
    assert kept == f"event:{event}"


async def test_a_forged_webhook_is_refused_and_nothing_stored(shop: Shop) -> None:
    assert await shop.deliver(order(1), secret="wrong") == 401
    assert (await shop.api.post("/webhooks/shopify/shop", content=order(1))).status_code == 401
    assert await shop.count("inbound_events") == 0


async def test_a_webhook_that_trickles_is_given_up(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.webhooks.BODY_SECONDS_MAX", 0.2)

    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x"
            await asyncio.sleep(0.05)

    assert (await shop.api.post("/webhooks/shopify/shop", content=trickle())).status_code == 408
    assert await shop.count("inbound_events") == 0


async def test_a_repeated_webhook_makes_one_order(shop: Shop, worker: None) -> None:
    assert [await shop.deliver(order(1), event) for event in ("w-1", "w-1", "w-2")] == [200, 200, 200]
    await shop.wait_until("SELECT count(*) = 2 FROM inbound_events WHERE processed_at IS NOT NULL")
    assert (await shop.count("orders"), await shop.count("fulfillment_orders")) == (1, 1)


async def test_an_oversell_is_a_state_of_the_order(shop: Shop, worker: None) -> None:
    assert await shop.deliver(order(23)) == 200
    assert await shop.deliver(order(1, "UNKNOWN", 2), "w-2") == 200
    await shop.wait_until("SELECT count(*) = 2 FROM orders")
    found = await shop.state.database.hot.fetch("SELECT status FROM orders ORDER BY external_id")
    assert [row[0] for row in found] == ["PARTLY_ALLOCATED", "BACKORDERED"]
    problems = [
        row[0] for row in await shop.state.database.hot.fetch("SELECT problem FROM orders ORDER BY external_id")
    ]
    assert "SKU-0: 3 missing" in problems[0]
    assert "UNKNOWN" in problems[1]


async def test_what_the_store_says_late_counts_from_when_it_happened(shop: Shop, worker: None) -> None:
    """A webhook an hour late, by its header or by its signed body, does not unsay what the store was told since; one of
    now is seen.
    """
    shown = "SELECT EXISTS (SELECT FROM listings WHERE acknowledged = 20 AND observed = 20)"
    await shop.wait_until(shown)
    query = "SELECT external_id, location FROM listings ORDER BY id LIMIT 1"
    item, location = await shop.state.database.hot.fetchrow(query)
    level = {"inventory_item_id": int(item.rsplit("/", 1)[-1]), "location_id": int(location.rsplit("/", 1)[-1])}
    at_once = datetime.datetime.now(datetime.UTC)
    late, now = ((at_once + datetime.timedelta(seconds=more)).isoformat() for more in (-3600, 1))
    late_body, body = (orjson.dumps({**level, "available": 7, "updated_at": when}) for when in (late, now))
    assert await shop.deliver(body, "late", topic="inventory_levels/update", at=late) == 200
    assert await shop.deliver(late_body, "sent again as new", topic="inventory_levels/update", at=now) == 200
    await shop.wait_until("SELECT count(*) = 2 FROM inbound_events WHERE processed_at IS NOT NULL")
    assert not await shop.state.database.hot.fetchval("SELECT EXISTS (SELECT FROM listings WHERE observed = 7)")
    assert await shop.deliver(body, "now", topic="inventory_levels/update", at=now) == 200
    await shop.wait_until("SELECT EXISTS (SELECT FROM listings WHERE observed = 7)")


async def test_a_goodbye_sent_again_pauses_nothing_while_the_store_lets_us_in(shop: Shop, worker: None) -> None:
    """Its headers are anybody's: the body may be of an earlier time, or an order's."""
    for number, body in enumerate((b'{"id": 1, "myshopify_domain": "store.test"}', b'{"id": 2, "line_items": []}')):
        now = datetime.datetime.now(datetime.UTC).isoformat()
        assert await shop.deliver(body, f"bye-{number}", topic="app/uninstalled", at=now) == 200
    done = "processed_at IS NOT NULL AND topic = 'app/uninstalled'"
    await shop.wait_until(f"SELECT count(*) = 2 FROM inbound_events WHERE {done}")
    hot = shop.state.database.hot
    assert await hot.fetchval("SELECT status FROM channels") == "LIVE"
    assert await hot.fetchval("SELECT count(*) FROM exception_cases WHERE kind = 'CHANNEL_DOWN'") == 0
    assert await hot.fetchval(f"SELECT count(*) FROM inbound_events WHERE {done} AND error IS NOT NULL") == 1


async def test_throttled_pushes_converge(shop: Shop, worker: None) -> None:
    await shop.store.post("/faults", json={"throttled": {"rate": 1, "times": 3}})
    await shop.deliver(order(2))
    await shop.wait_until("SELECT EXISTS (SELECT FROM listings WHERE acknowledged = 18)")
    assert await shop.quantity("SKU-0") == 18


async def test_a_version_that_moved_during_the_push_stays_dirty(shop: Shop) -> None:
    moved = "UPDATE listings SET desired = 7, desired_version = desired_version + 1"

    async def move(_: httpx.Request) -> None:
        await shop.state.database.hot.execute(moved)

    shop.store.event_hooks["request"].append(move)
    (channel,) = await list_channels(shop.state)
    assert await push_quantities(shop.state, channel, Lane.BULK, "me") == (3, 0.0)
    shop.store.event_hooks["request"].clear()
    dirty = "SELECT count(*) FROM listings WHERE desired_version > acknowledged_version AND acknowledged = 20"
    assert await shop.state.database.hot.fetchval(dirty) == 3
    assert await push_quantities(shop.state, channel, Lane.BULK, "me") == (3, 0.0)
    assert await shop.quantity("SKU-1") == 7


@pytest.mark.contract
async def test_the_vendors_own_payload_is_accepted_when_signed(shop: Shop, worker: None, contracts: Path) -> None:
    page = orjson.loads((contracts / "shopify/webhooks/orders/create.json").read_bytes())
    body = orjson.dumps(page["response"])
    assert await shop.deliver(body, secret="wrong") == 401
    assert await shop.count("inbound_events") == 0
    assert await shop.deliver(body) == 200
    await shop.wait_until("SELECT EXISTS (SELECT FROM orders)")
    assert await shop.state.database.hot.fetchval("SELECT error FROM inbound_events") is None


async def test_without_a_key_no_credentials_are_kept(state: State, settings: Settings) -> None:
    wanted = ChannelConnect("shop", "Shop", "SHOPIFY", {"BER": ""}, secrets={"access_token": "t"})
    async with state.database.hot.acquire() as connection:
        with pytest.raises(Refusal, match="ONHAND_SECRET_KEY"):
            await connect_channel(connection, settings, wanted)


async def test_what_a_webhook_told_of_a_person_goes_with_the_orders_contact(shop: Shop, worker: None) -> None:
    told = orjson.loads(order(1))
    told["shipping_address"] = {"name": "Ada Adler", "address1": "1 Market Square", "country_code": "DE"}
    assert await shop.deliver(orjson.dumps(told)) == 200
    await shop.wait_until("SELECT EXISTS (SELECT FROM inbound_events WHERE order_external_id IS NOT NULL)")
    assert await shop.state.database.hot.fetchval(
        "SELECT position('Ada' in convert_from(body, 'UTF8')) FROM inbound_events"
    )
    told["cancelled_at"] = told["updated_at"] = "2026-11-02T00:00:00Z"
    assert await shop.deliver(orjson.dumps(told), "w-2", topic="orders/cancelled") == 200
    await shop.wait_until("SELECT EXISTS (SELECT FROM orders WHERE status = 'CANCELLED')")
    await shop.wait_until("SELECT EXISTS (SELECT FROM order_contacts WHERE erase_at IS NULL OR erase_at > now())")
    await shop.state.database.hot.execute("UPDATE order_contacts SET erase_at = now() - interval '1 second'")
    await erase_contacts(shop.state)
    await shop.wait_until("SELECT count(*) = 2 FROM inbound_events WHERE body = ''")
    assert await shop.deliver(orjson.dumps(told), "w-3", topic="orders/updated") == 200
    await shop.wait_until("SELECT count(*) = 3 FROM inbound_events WHERE processed_at IS NOT NULL")
    assert await shop.count("inbound_events WHERE body <> ''") == 0, "a late one is not kept either"
    assert await shop.count("order_contacts WHERE sealed IS NOT NULL") == 0
