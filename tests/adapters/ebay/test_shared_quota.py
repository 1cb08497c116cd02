"""The engine's own quota, in Valkey, carries eBay's windows and a listing's revisions, for two processes at once."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from adapters.channels.base import Throttled, WriteOutcome
from adapters.channels.ebay.channel import EbayChannel, open_ebay
from adapters.redis.quota import open_quota_client
from adapters.sandbox.ebay.config import CALLS_PER_DAY
from adapters.trust_system import trust_system
from app.channels.openers import EBAY_BUCKETS
from app.channels.share_quota import open_quota
from app.embedded import Servers
from domain.errors import CauseClass, Fault
from tests.adapters.ebay.market import CREDENTIALS, Market, open_market

SECRETS = {
    "client_id": CREDENTIALS.client_id,
    "client_secret": CREDENTIALS.client_secret,
    "refresh_token": CREDENTIALS.refresh_token,
}


@pytest.fixture
async def client(servers: Servers) -> AsyncIterator[Any]:
    found = open_quota_client(servers.redis_url)
    yield found
    await found.aclose()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=trust_system()) as opened:
        yield opened


def open_two(market: Market, client: Any, http: httpx.AsyncClient, **config: Any) -> list[EbayChannel]:
    """The same account in two processes."""
    account, config = uuid.uuid4().hex, {"base_url": market.url, "out_of_stock_control": True, **config}
    return [open_ebay(http, open_quota(client, "channel", account, EBAY_BUCKETS), config, SECRETS) for _ in range(2)]


async def test_two_processes_share_the_revisions_of_a_listing(client: Any, http: httpx.AsyncClient) -> None:
    """Twenty in a day; the engine keeps a fifth of each bucket back for zeros."""
    async with open_market(revisions_per_day=20) as market:
        both = open_two(market, client, http, revisions_per_day=20)
        sent = [(await both[n % 2].set_quantities([market.write("TEA-1", n + 1)]))[0] for n in range(20)]
        assert [result.outcome for result in sent] == [WriteOutcome.OK] * 16 + [WriteOutcome.TRANSIENT] * 4
        assert {result.cause for result in sent[16:]} == {CauseClass.QUOTA}
        zeros = [(await both[n % 2].set_quantities([market.write("TEA-1", 0)]))[0] for n in range(5)]
        assert [result.outcome for result in zeros] == [WriteOutcome.OK] * 4 + [WriteOutcome.TRANSIENT]
        listing = market.account.offers_by_sku["TEA-1"][0].listing_id
        assert (await market.state())["revisions"][listing] == 20


async def test_two_processes_share_the_calls_of_the_day(client: Any, http: httpx.AsyncClient) -> None:
    async with open_market(calls_per_day={**CALLS_PER_DAY, "inventory": 20}) as market:
        both = open_two(market, client, http)
        for n in range(16):
            await both[n % 2].set_quantities([market.write("TEA-1", n + 1)])
        for process in both:
            with pytest.raises(Throttled):
                await process.set_quantities([market.write("TEA-1", 1)])
        zeros = [(await both[n % 2].set_quantities([market.write("TEA-1", 0)], urgent=True))[0] for n in range(4)]
        assert {result.outcome for result in zeros} == {WriteOutcome.OK}
        with pytest.raises(Throttled):
            await both[0].set_quantities([market.write("TEA-1", 0)], urgent=True)
        assert 429 not in {exchange.status for exchange in market.recorder.exchanges}


@pytest.mark.parametrize(
    ("config", "secrets", "word"),
    [
        ({}, {**SECRETS, "refresh_token": None}, "refresh_token"),
        ({"time_zone": "Mars/Olympus"}, SECRETS, "Mars"),
        ({"revisions_per_day": 0}, SECRETS, "revisions_per_day"),
        ({}, {**SECRETS, "verification_token": "short"}, "verification_token"),
    ],
)
async def test_a_wrong_connection_is_told_in_one_sentence(
    client: Any, http: httpx.AsyncClient, config: dict[str, Any], secrets: dict[str, Any], word: str
) -> None:
    given = {name: value for name, value in secrets.items() if value is not None}
    with pytest.raises(Fault, match=word) as caught:
        open_ebay(http, open_quota(client, "channel", "x", EBAY_BUCKETS), config, given)
    assert not caught.value.transient
