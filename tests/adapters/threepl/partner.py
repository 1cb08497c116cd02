"""A sandbox partner on a real socket whose clock the test moves, a client of it, and a record of what was said."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.channels.base import Address
from adapters.channels.threepl.base import DelegatedLine, Delegation, PartnerOrder
from adapters.channels.threepl.call_provider import ConnectSettings
from adapters.channels.threepl.provider import ConnectProvider, open_provider
from adapters.sandbox.threepl.config import ProviderConfig
from adapters.sandbox.threepl.create_provider import create_provider
from adapters.sandbox.threepl.inject_faults import FaultKind
from adapters.sandbox.threepl.serve_api import METHODS
from adapters.sandbox.threepl.state import State
from adapters.trust_system import trust_system
from tests.adapters.ebay.market import serve
from tests.adapters.threepl.contract import Exchange

START = datetime.datetime(2026, 11, 25, 8, 0, tzinfo=datetime.UTC)
STOCK = {"TEA-1": 10, "CUP-1": 3, "POT-1": 0}
ADDRESS = Address("Ada Lovelace", ("1 Main Street", "Back door"), "Berlin", "BE", "10115", "DE")


@dataclass
class Recorder:
    """Hears every method of the contract."""

    app: ASGIApp
    exchanges: list[Exchange] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"][1:] not in METHODS:
            await self.app(scope, receive, send)
            return
        asked, told, status = bytearray(), bytearray(), 0

        async def hear() -> Message:
            heard = await receive()
            asked.extend(heard.get("body", b""))
            return heard

        async def tell(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            told.extend(message.get("body", b""))
            await send(message)

        await self.app(scope, hear, tell)
        self.exchanges.append(Exchange(scope["path"], bytes(asked), status, bytes(told)))


@dataclass
class SandboxPartner:
    """`partner`: our client of it. `state`: what it knows."""

    url: str
    http: httpx.AsyncClient
    partner: ConnectProvider
    state: State
    exchanges: list[Exchange]
    clock: list[float]

    def now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.clock[0], datetime.UTC)

    def pass_seconds(self, seconds: float) -> None:
        self.clock[0] += seconds

    def break_(self, kind: FaultKind, times: int | None = 1, seconds: float = 0.0) -> None:
        self.state.faults.add(kind, times, seconds)

    async def changes(self, since: datetime.datetime = START) -> list[PartnerOrder]:
        found: list[PartnerOrder] = []
        cursor = None
        for _ in range(100):
            page = await self.partner.recent_changes(since, cursor)
            found += page.orders
            cursor = page.cursor
            if cursor is None:
                return found
        raise AssertionError("no end")


@asynccontextmanager
async def sandbox_partner(**config: Any) -> AsyncIterator[SandboxPartner]:
    """It takes an order on after a minute and ships it after an hour, by the test's clock."""
    clock = [START.timestamp()]
    given = {"stock": STOCK, "accept_seconds": 60.0, "ship_seconds": 3_600.0, "clock": lambda: clock[0], **config}
    app = create_provider(ProviderConfig(**given))
    recorder = Recorder(app)
    async with serve(recorder) as url, httpx.AsyncClient(verify=trust_system(), timeout=5) as http:
        settings = ConnectSettings(url, "onhand_sandbox", {"api_key": "sandbox-key"})
        opened = SandboxPartner(url, http, None, app.state.provider, recorder.exchanges, clock)  # type: ignore[arg-type]
        opened.partner = open_provider(http, settings, opened.now)
        yield opened


def work(number: int = 1, **quantities: int) -> Delegation:
    """An order of SKUs, as in `TEA_1=2`; lines are named by their SKUs."""
    skus = {name.replace("_", "-"): units for name, units in (quantities or {"TEA_1": 2}).items()}
    lines = tuple(DelegatedLine(f"line-{sku}", sku, f"A {sku}", units) for sku, units in skus.items())
    key = f"00000000-0000-4000-8000-{number:012d}"
    return Delegation(key, f"#{number}", lines, ADDRESS, "ada@example.com", START, START + datetime.timedelta(days=1))
