"""The adapter against the sandbox over real sockets, each exchange judged by Amazon's contract where it is here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.channels.amazon.channel import AmazonChannel, build_channel
from adapters.channels.amazon.connection import AmazonConnection
from adapters.channels.amazon.receive_messages import SqsQueue
from adapters.channels.amazon.sign_request import AwsCredentials
from adapters.channels.base import QuantityWrite, Throttled
from tests.adapters.amazon.contract import Contract
from tests.adapters.sandbox_amazon.serving import CLIENT_SECRET, REFRESH_TOKEN, SELLER, Served, serve

MARKETPLACE = "ATVPDKIKX0DER"
CONTRACTS = Path(__file__).parents[4] / "shared" / "contracts" / "amazon"
CONNECTION = AmazonConnection(
    SELLER,
    MARKETPLACE,
    "client",
    CLIENT_SECRET,
    REFRESH_TOKEN,
    base_url="http://api",
    lwa_url="http://lwa",
    search_lag_seconds=0.0,
)


@dataclass
class Ledger:
    """A quota that remembers, and refuses what it is told to refuse: operation -> waits in seconds, in order."""

    taken: list[tuple[str, bool]] = field(default_factory=list)
    announced: list[tuple[str, float | None, float | None]] = field(default_factory=list)
    refusals: dict[str, list[float]] = field(default_factory=dict)

    async def take(self, operation: str, cost: float = 1.0, *, urgent: bool = False) -> None:
        waits = self.refusals.get(operation)
        if waits:
            raise Throttled(f"no {operation} now", waits.pop(0))
        self.taken.append((operation, urgent))

    async def announce(
        self, operation: str, *, rate: float | None = None, burst: float | None = None, available: float | None = None
    ) -> None:
        self.announced.append((operation, rate, available))

    def count(self, operation: str) -> int:
        return sum(taken == operation for taken, _ in self.taken)


@cache
def read_contract() -> Contract | None:
    return Contract(CONTRACTS) if CONTRACTS.is_dir() else None


@dataclass
class Setup:
    market: Served
    channel: AmazonChannel
    quota: Ledger
    queue: SqsQueue
    contract: Contract | None


def hooks(contract: Contract | None) -> dict[str, list[Any]]:
    async def judge_request(request: httpx.Request) -> None:
        assert contract is not None
        await request.aread()
        assert contract.judge_request(request) == []

    async def judge_response(response: httpx.Response) -> None:
        assert contract is not None
        await response.aread()
        assert contract.judge_response(response) == []

    return {} if contract is None else {"request": [judge_request], "response": [judge_response]}


@asynccontextmanager
async def open_setup(connection: AmazonConnection = CONNECTION, **options: Any) -> AsyncIterator[Setup]:
    contract = read_contract()
    async with (
        serve(**options) as market,
        httpx.AsyncClient(event_hooks=hooks(contract), trust_env=False, verify=False) as http,
    ):
        connection = replace(connection, base_url=market.url, lwa_url=market.url)
        quota = Ledger()
        queue = SqsQueue(http, f"{market.url}/sqs", "us-east-1", AwsCredentials("AKID", "aws-hush"))
        yield Setup(market, build_channel(http, connection, quota), quota, queue, contract)


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with open_setup() as opened:
        yield opened


@pytest.fixture(scope="session")
def contract(contracts: Path) -> Contract:
    """Skips visibly where the contracts are not."""
    found = read_contract()
    assert found is not None
    return found


def answering(*answers: httpx.Response, quota: Ledger | None = None, **changes: Any) -> AmazonChannel:
    """A channel whose vendor gives these answers, one after another, and tokens whenever asked."""
    left: Sequence[httpx.Response] = list(answers)
    given = iter(left)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "lwa":
            return httpx.Response(200, json={"access_token": "Atza|token-hush", "expires_in": 3600})
        return next(given)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return build_channel(http, replace(CONNECTION, **changes), quota or Ledger())


def write(sku: str, quantity: int, reference: str | None = None, key: str | None = None) -> QuantityWrite:
    return QuantityWrite(sku, quantity, None, key or f"{sku}.{quantity}", reference=reference)
