"""The marketplace by itself: its API called as a client that knows nothing of our adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.adapters.sandbox_amazon.serving import CLIENT_SECRET, REFRESH_TOKEN, SELLER, Served, serve

PLACE = {"marketplaceIds": "ATVPDKIKX0DER"}
ITEMS = f"/listings/2021-08-01/items/{SELLER}"
ORDERS = "/orders/2026-01-01/orders"
FEEDS = "/feeds/2021-06-30"


@dataclass
class Client:
    """Signs in once, and returns answers as they come."""

    served: Served
    token: str = ""

    async def sign_in(self, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": REFRESH_TOKEN,
            "client_id": "client",
            "client_secret": CLIENT_SECRET,
            **changes,
        }
        answer = await self.served.client.post("/auth/o2/token", data=form)
        if answer.is_success:
            self.token = answer.json()["access_token"]
        return answer

    async def send(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        headers = {"x-amz-access-token": self.token}
        return await self.served.client.request(method, path, json=body, params=query, headers=headers)

    async def patch(self, sku: str, operation: str = "replace", **entry: Any) -> httpx.Response:
        value = {"fulfillment_channel_code": "DEFAULT", **entry}
        patch = {"op": operation, "path": "/attributes/fulfillment_availability", "value": [value]}
        return await self.send("PATCH", f"{ITEMS}/{sku}", {"productType": "PRODUCT", "patches": [patch]}, **PLACE)

    async def attributes(self, sku: str) -> list[dict[str, Any]]:
        item = (await self.send("GET", f"{ITEMS}/{sku}", includedData="attributes", **PLACE)).json()
        entries: list[dict[str, Any]] = item["attributes"]["fulfillment_availability"]
        return entries

    async def submit(self, messages: list[dict[str, Any]], **header: Any) -> httpx.Response:
        content_type = "application/json"
        document = (await self.send("POST", f"{FEEDS}/documents", {"contentType": content_type})).json()
        feed = {"header": {"sellerId": SELLER, "version": "2.0", **header}, "messages": messages}
        put = await self.served.client.put(document["url"], json=feed, headers={"content-type": content_type})
        assert put.is_success, put.text
        body = {
            "feedType": "JSON_LISTINGS_FEED",
            "marketplaceIds": ["ATVPDKIKX0DER"],
            "inputFeedDocumentId": document["feedDocumentId"],
        }
        return await self.send("POST", f"{FEEDS}/feeds", body)


@asynccontextmanager
async def open_client(**options: Any) -> AsyncIterator[Client]:
    async with serve(**options) as served:
        client = Client(served)
        await client.sign_in()
        yield client


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client() as opened:
        yield opened


def message(number: int, sku: str, quantity: int, **changes: Any) -> dict[str, Any]:
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": quantity}]
    patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}
    whole = {"messageId": number, "sku": sku, "operationType": "PATCH", "productType": "PRODUCT", "patches": [patch]}
    return {**whole, **changes}
