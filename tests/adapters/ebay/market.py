"""The sandbox on a real socket, everything on the wire judged by eBay's contract, and a channel connected to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.channels.base import QuantityWrite
from adapters.channels.ebay.channel import EbayChannel, open_channel
from adapters.channels.ebay.settings import EbayCredentials, EbaySettings
from adapters.sandbox.ebay import AccountConfig, ProductConfig, create_account
from adapters.sandbox.ebay.state import State
from adapters.trust_system import trust_system
from tests.adapters.ebay.contract import FOLDER, Exchange, judge
from tests.adapters.ebay.quota import MemoryQuota

PRODUCTS = (
    ProductConfig("TEA-1", "Green tea", "4.50", "4006381333931", 10),
    ProductConfig("CUP-1", "Cup", "12.00", "123456789012", 3),
    ProductConfig("POT-1", "Pot", "30.00", None, 5),
)
CREDENTIALS = EbayCredentials("app", "very-secret-cert", "very-secret-refresh")
API_PATHS = ("/sell/", "/commerce/", "/developer/")


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)


class Server(uvicorn.Server):
    """Leaves the signals to the test run, and ends at once."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await until(lambda: self.should_exit)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self.lifespan.shutdown()


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncIterator[str]:
    config = uvicorn.Config(app, log_level="critical", ws="none", timeout_graceful_shutdown=1)
    server = Server(config)
    # The protocol is named, or asyncio leaves Nagle's delay of 40 ms on.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as own:
        own.bind(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve(sockets=[own]))
        try:
            async with asyncio.timeout(10):
                await until(lambda: server.started)
            yield f"http://127.0.0.1:{own.getsockname()[1]}"
        finally:
            for _ in range(6):  # connections just closed are still heard of
                if not server.server_state.connections:
                    break
                await asyncio.sleep(0.005)
            server.should_exit = True
            await running


@dataclass
class Recorder:
    """Hears every API call of an application."""

    app: ASGIApp
    exchanges: list[Exchange] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(API_PATHS):
            await self.app(scope, receive, send)
            return
        asked, told = bytearray(), bytearray()
        started: dict[str, Any] = {"status": 0}
        whole = False

        async def hear(message: Message | None = None) -> Message:
            heard = await receive()
            asked.extend(heard.get("body", b""))
            return heard

        async def tell(message: Message) -> None:
            nonlocal whole
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                told.extend(message.get("body", b""))
                whole = whole or not message.get("more_body", False)
            await send(message)

        await self.app(scope, hear, tell)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        self.exchanges.append(
            Exchange(
                scope["method"],
                scope["path"],
                scope["query_string"].decode(),
                headers.get("content-type"),
                bytes(asked),
                started["status"],
                bytes(told),
                cut=not whole,
            )
        )

    def faults(self) -> list[str]:
        return [fault for exchange in self.exchanges for fault in judge(exchange)] if FOLDER.is_dir() else []

    def count(self, ending: str, method: str | None = None) -> int:
        return sum(one.path.endswith(ending) and method in {None, one.method} for one in self.exchanges)


@dataclass
class Market:
    """The sandbox under test, with the calls every test makes."""

    url: str
    account: State
    recorder: Recorder
    client: httpx.AsyncClient

    async def buy(self, sku: str, quantity: int = 1, **more: Any) -> dict[str, Any]:
        answer = await self.client.post("/buy", json={"lines": [{"sku": sku, "quantity": quantity}], **more})
        assert answer.status_code == 201, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt

    async def state(self) -> dict[str, Any]:
        body: dict[str, Any] = (await self.client.get("/state")).json()
        return body

    async def break_it(self, kind: str, count: int = 1) -> None:
        answer = await self.client.post("/faults", json={"kind": kind, "count": count})
        assert answer.is_success, answer.text

    async def faults(self, **faults: Any) -> None:
        answer = await self.client.post("/faults", json=faults)
        assert answer.is_success, answer.text

    async def change(self, door: str, order: str, **more: Any) -> None:
        answer = await self.client.post(f"/{door}", json={"order": order, **more})
        assert answer.is_success, answer.text

    def reference(self, sku: str) -> str:
        offer = self.account.offers_by_sku[sku][0]
        return f"{offer.offer_id}/{offer.listing_id}"

    def write(self, sku: str, quantity: int, version: int = 1) -> QuantityWrite:
        return QuantityWrite(sku, quantity, None, f"{sku}:{version}", reference=self.reference(sku))


@asynccontextmanager
async def open_market(**options: Any) -> AsyncIterator[Market]:
    """The sandbox, running. At the end everything that went over the wire must have met the contract."""
    options = {
        "client_id": CREDENTIALS.client_id,
        "client_secret": CREDENTIALS.client_secret,
        "refresh_token": CREDENTIALS.refresh_token,
        "products": PRODUCTS,
        **options,
    }
    config = AccountConfig(**options)
    app = create_account(config)
    recorder = Recorder(app)
    async with (
        serve(recorder) as url,
        httpx.AsyncClient(
            base_url=url, verify=trust_system(), headers={"Authorization": f"Bearer {config.token}"}
        ) as client,
    ):
        yield Market(url, app.state.account, recorder, client)
    faults = recorder.faults()
    assert not faults, "\n".join(faults)


@asynccontextmanager
async def connect(
    market: Market,
    quota: MemoryQuota | None = None,
    credentials: EbayCredentials = CREDENTIALS,
    timeout_seconds: float = 10.0,
    **settings: Any,
) -> AsyncIterator[EbayChannel]:
    settings = {"out_of_stock_control": True, **settings}
    async with httpx.AsyncClient(timeout=timeout_seconds, verify=trust_system()) as http:
        yield open_channel(http, credentials, quota or MemoryQuota(), EbaySettings(base_url=market.url, **settings))
