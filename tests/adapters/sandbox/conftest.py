"""A store in this process, and a listener on a real socket for what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from adapters.sandbox.shopify import ProductConfig, StoreConfig, create_store

TOKEN = "shpat_test"
SECRET = "hush"
GRAPHQL = "/admin/api/2026-07/graphql.json"
PRODUCTS = (
    ProductConfig("TEA-1", "Green tea", "4.50", "4006381333931", 10),
    ProductConfig("CUP-1", "Cup", "12.00", None, 3),
)


@dataclass
class Store:
    """The store under test, with the calls every test makes."""

    client: httpx.AsyncClient

    async def query(self, document: str, **variables: Any) -> dict[str, Any]:
        answer = await self.client.post(GRAPHQL, json={"query": document, "variables": variables})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def ids(self, sku: str) -> tuple[str, str]:
        """(inventory item, location)."""
        body = await self.query(
            "query($q: String) { inventoryItems(first: 1, query: $q) { nodes { id } }"
            " locations(first: 1) { nodes { id } } }",
            q=f"sku:{sku}",
        )
        return body["data"]["inventoryItems"]["nodes"][0]["id"], body["data"]["locations"]["nodes"][0]["id"]

    async def buy(self, sku: str, quantity: int, **more: Any) -> httpx.Response:
        return await self.client.post("/buy", json={"lines": [{"sku": sku, "quantity": quantity}], **more})

    async def state(self) -> dict[str, Any]:
        body: dict[str, Any] = (await self.client.get("/state")).json()
        return body

    async def break_it(self, kind: str, count: int = 1) -> None:
        answer = await self.client.post("/faults", json={"kind": kind, "count": count})
        assert answer.is_success, answer.text


@asynccontextmanager
async def open_store(**options: Any) -> AsyncIterator[Store]:
    options = {"token": TOKEN, "webhook_secret": SECRET, "products": PRODUCTS, **options}
    app = create_store(StoreConfig(**options))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
            base_url="http://store",
            headers={"X-Shopify-Access-Token": TOKEN},
        ) as client,
    ):
        yield Store(client)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with open_store() as opened:
        yield opened


@dataclass
class Listener:
    """Answers webhooks with the statuses it is given, then 200, and keeps each request whole."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:]
                headers = {name.lower(): value for line in lines if line for name, value in [line.split(": ", 1)]}
                body = await reader.readexactly(int(headers["content-length"]))
                async with self.arrived:
                    self.received.append((headers, body))
                    self.arrived.notify_all()
                status = self.statuses.pop(0) if self.statuses else 200
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def of(self, topic: str) -> list[tuple[dict[str, str], bytes]]:
        return [entry for entry in self.received if entry[0]["x-shopify-topic"] == topic]

    async def wait(self, topic: str, count: int) -> list[tuple[dict[str, str], bytes]]:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.of(topic)) >= count)
        return self.of(topic)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    opened = Listener()
    server = await asyncio.start_server(opened.handle, "127.0.0.1", 0)
    opened.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks"
    yield opened
    server.close()
