"""The adapter against the store over real sockets, each exchange judged by the vendor's schemas where they are here.

Every call's price is compared with what the adapter took from its quota for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
import uvicorn

from adapters.channels.base import ListingRef, QuantityWrite, RenewSecrets, Secrets, Throttled
from adapters.channels.shopify.channel import ShopifyChannel, open_shopify
from adapters.sandbox.shopify import ProductConfig, StoreConfig, create_store
from adapters.sandbox.shopify.config import LocationConfig
from adapters.sandbox.shopify.ids import write_gid
from adapters.sandbox.shopify.state import State
from adapters.trust_system import trust_system
from tests.adapters.sandbox.conftest import Listener, listener
from tests.adapters.shopify.contract import read_contract

__all__ = ["listener"]

TOKEN = "shpat_test"
SECRET = "hush"
REFRESH_TOKEN = "shprt_first"
EXPIRING = {"refresh_token": REFRESH_TOKEN, "client_id": "client", "client_secret": "client-hush"}
PRODUCTS = (
    ProductConfig("TEA-1", "Green tea", "4.50", "4006381333931", quantities=(10, 4)),
    ProductConfig("CUP-1", "Cup", "12.00", None, 3),
    ProductConfig("BAG-1", "Gift bag", tracked=False),
)
LOCATIONS = (LocationConfig("Berlin"), LocationConfig("New York"))
BERLIN, NEW_YORK = (write_gid("Location", index) for index in (1, 2))
OVERESTIMATE_MAX = 2.0


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
class Ledger:
    """A quota that remembers what was taken and announced, and refuses what it is told to refuse."""

    taken: list[float] = field(default_factory=list)
    urgent: list[bool] = field(default_factory=list)
    announced: list[tuple[float | None, float | None, float | None]] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)

    async def take(self, operation: str, cost: float = 1.0, *, urgent: bool = False) -> None:
        if self.refusals:
            raise Throttled(f"no {operation} now", self.refusals.pop(0))
        self.taken.append(cost)
        self.urgent.append(urgent)

    async def announce(
        self, operation: str, *, rate: float | None = None, burst: float | None = None, available: float | None = None
    ) -> None:
        self.announced.append((rate, burst, available))


@dataclass
class Vault:
    """Where credentials are kept, as the engine would: one renewal at a time. `broken`: it cannot keep the next ones."""

    kept: Secrets
    renewals: int = 0
    broken: Exception | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, known: Secrets, renew: RenewSecrets) -> Secrets:
        async with self.lock:
            if self.kept["access_token"] != known["access_token"]:
                return self.kept
            made = await renew(self.kept)
            if self.broken is not None:
                broken, self.broken = self.broken, None
                raise broken
            self.kept, self.renewals = made, self.renewals + 1
            return made


@dataclass
class Setup:
    """A store that runs, a channel on it, and what a test does to either."""

    store: State
    url: str
    client: httpx.AsyncClient
    http: httpx.AsyncClient
    quota: Ledger
    vault: Vault
    config: dict[str, Any]
    channel: ShopifyChannel

    def open_another(self) -> ShopifyChannel:
        """The same channel in another process."""
        return open_shopify(self.http, self.quota, self.config, self.vault.kept, self.vault)

    def item(self, sku: str) -> str:
        return write_gid("InventoryItem", self.store.item_by_sku[sku])

    def ref(self, sku: str, location: str = BERLIN) -> ListingRef:
        return ListingRef(self.item(sku), location)

    def write(self, sku: str, quantity: int, expected: int | None = None, key: str = "1", at: str = BERLIN) -> Any:
        return QuantityWrite(self.item(sku), quantity, expected, f"{sku}.{key}", at)

    def shown(self, sku: str, location: int = 1) -> int:
        return self.store.levels[location, self.store.item_by_sku[sku]].available

    async def buy(self, *lines: tuple[str, int], **more: Any) -> str:
        """The order's global id."""
        body = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines], **more}
        answer = await self.client.post("/buy", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def tell(self, verb: str, order: str, **more: Any) -> None:
        answer = await self.client.post(f"/orders/{verb}", json={"order": order, **more})
        assert answer.is_success, answer.text

    async def set_faults(self, **faults: Any) -> None:
        answer = await self.client.post("/faults", json=faults)
        assert answer.is_success, answer.text

    async def strike(self, kind: str, times: int = 1, **more: Any) -> None:
        await self.set_faults(**{kind: {"rate": 1, "times": times, **more}})


def make_hook(quota: Ledger) -> Any:
    contract = read_contract()

    async def judge(response: httpx.Response) -> None:
        if response.is_success and response.request.url.path.endswith("/graphql.json"):
            await response.aread()
            asked, answered = orjson.loads(response.request.content), orjson.loads(response.content)
            check_cost(quota, answered)
            if contract is not None:
                data = None if "errors" in answered else answered["data"]
                assert contract.judge(asked["query"], asked["variables"], data) == []

    return judge


def check_cost(quota: Ledger, answered: dict[str, Any]) -> None:
    requested = (answered.get("extensions") or {}).get("cost", {}).get("requestedQueryCost")
    if requested is not None:
        assert requested <= quota.taken[-1] <= max(10.0, OVERESTIMATE_MAX * requested)


@asynccontextmanager
async def open_setup(**options: Any) -> AsyncIterator[Setup]:
    """A store with plenty of points and orders routed at once, unless told otherwise."""
    given = {
        "token": TOKEN,
        "webhook_secret": SECRET,
        "products": PRODUCTS,
        "locations": LOCATIONS,
        "restore_rate": 2_000,
        "routing_seconds": 0.0,
        **options,
    }
    app = create_store(StoreConfig(**given))
    # The protocol must be named: asyncio sends small packets at once only on what it sees is TCP.
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.bind(("127.0.0.1", 0))
    door.listen()
    server = QuietServer(uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[door]))
    url = f"http://127.0.0.1:{door.getsockname()[1]}"
    quota = Ledger()
    hooks = {"response": [make_hook(quota)]}
    secrets = {"access_token": TOKEN, "webhook_secret": SECRET}
    secrets |= EXPIRING if "refresh_token" in options else {}
    try:
        async with (
            httpx.AsyncClient(
                base_url=url, headers={"X-Shopify-Access-Token": TOKEN}, trust_env=False, verify=trust_system()
            ) as client,
            httpx.AsyncClient(event_hooks=hooks, trust_env=False, verify=trust_system()) as http,
        ):
            config = {"base_url": url, "shop_domain": "sandbox.myshopify.com"}
            vault = Vault(secrets)
            channel = open_shopify(http, quota, config, secrets, vault)
            yield Setup(app.state.store, url, client, http, quota, vault, config, channel)
    finally:
        server.ended.set()
        await task


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with open_setup() as opened:
        yield opened


def window() -> tuple[datetime.datetime, datetime.datetime]:
    """The last minute."""
    now = datetime.datetime.now(datetime.UTC)
    return now - datetime.timedelta(seconds=60), now


__all__ += ["Listener"]
