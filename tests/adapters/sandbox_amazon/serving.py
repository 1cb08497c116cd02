"""A marketplace on a real socket in this process, with the calls every test makes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn

from adapters.sandbox.amazon import Limit, MarketConfig, ProductConfig, create_market
from adapters.sandbox.amazon.config import LIMITS
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.state import shown_quantity

SELLER = "A1SELLER"
CLIENT_SECRET = "client-hush"
REFRESH_TOKEN = "Atzr|refresh-hush"
PRODUCTS = (
    ProductConfig("TEA-1", "Green tea", "4.50", "4006381333931", 10, "TEA", lead_time_days=3),
    ProductConfig("CUP-1", "Cup", "12.00", None, 3),
    ProductConfig("POT/1 a", "A pot", quantity=7, lead_time_days=5),
    ProductConfig("FBA-1", "Kettle at Amazon", fulfillment_channel="AMAZON_NA"),
)
GENEROUS = dict.fromkeys(LIMITS, Limit(1_000, 1_000))
QUICK = {"apply_seconds": 0.02, "feed_queue_seconds": 0.02, "feed_work_seconds": 0.02, "pending_seconds": 0.0}


async def until(is_true: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_true():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came true")


class QuietServer(uvicorn.Server):
    """Leaves the test runner's signals alone, and ends when told instead of at its next tick: clients are gone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    async def main_loop(self) -> None:
        await self.ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0.005)
        await self.lifespan.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Served:
    url: str
    market: Market
    client: httpx.AsyncClient

    async def buy(self, sku: str, quantity: int = 1, **more: Any) -> httpx.Response:
        return await self.client.post("/buy", json={"lines": [{"sku": sku, "quantity": quantity}], **more})

    async def cancel(self, order_id: str, **more: Any) -> httpx.Response:
        return await self.client.post("/cancel", json={"order_id": order_id, **more})

    async def state(self) -> dict[str, Any]:
        body: dict[str, Any] = (await self.client.get("/state")).json()
        return body

    async def break_it(self, kind: str, count: int = 1) -> None:
        answer = await self.client.post("/faults", json={"kind": kind, "count": count})
        assert answer.is_success, answer.text

    async def set_faults(self, **faults: Any) -> None:
        answer = await self.client.post("/faults", json=faults)
        assert answer.is_success, answer.text

    async def wait_for(self, sku: str, quantity: int) -> None:
        """Until the marketplace sells from that quantity."""
        listing = self.market.state.listings[sku]
        await until(lambda: shown_quantity(self.market.state, listing) == quantity)


@asynccontextmanager
async def serve(**options: Any) -> AsyncIterator[Served]:
    """Quick and without limits, unless told otherwise."""
    options = {
        "client_id": "client",
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
        "seller_id": SELLER,
        "products": PRODUCTS,
        "limits": GENEROUS,
        "search_age_seconds": 0.0,
        **QUICK,
        **options,
    }
    app = create_market(MarketConfig(**options))
    # The protocol must be named: asyncio sends small packets at once only on what it sees is TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = QuietServer(uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    headers = {"X-Sandbox-Token": options["refresh_token"]}
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False) as client:
            yield Served(url, app.state.market, client)
    finally:
        server.ended.set()
        await task
