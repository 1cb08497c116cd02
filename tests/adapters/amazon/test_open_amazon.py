"""From a stored configuration to a channel that shares its quota with others."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from typing import Any

import httpx
import pytest

from adapters.channels.amazon.open_amazon import AMAZON_BUCKETS, open_amazon, open_queue
from adapters.channels.base import Throttled, WriteOutcome
from adapters.redis.quota import open_quota_client
from app.channels.share_quota import open_quota
from app.embedded import Servers
from domain.errors import CauseClass, Fault
from tests.adapters.amazon.conftest import Ledger, write
from tests.adapters.sandbox_amazon.serving import CLIENT_SECRET, REFRESH_TOKEN, SELLER, serve

CONFIG = {"seller_id": SELLER, "marketplace_id": "ATVPDKIKX0DER", "client_id": "client"}
SECRETS = {"client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
QUEUE = {"queue_url": "https://sqs.test/1/q", "queue_region": "eu-west-1"}
AWS = {"aws_access_key_id": "AKID", "aws_secret_access_key": "aws-hush"}


async def test_configuration_is_read_and_secrets_are_not_shown() -> None:
    config = {**CONFIG, "base_url": "http://api", "fulfillment_channel": "X", "feed_seconds": 60, "unknown": 1}
    async with httpx.AsyncClient() as http:
        channel = open_amazon(http, Ledger(), config, SECRETS)
        connection = channel.connection
        assert (connection.base_url, connection.fulfillment_channel, connection.feed_seconds) == ("http://api", "X", 60)
        assert connection.lwa_url == "https://api.amazon.com"
        assert CLIENT_SECRET not in repr(channel)
        assert open_queue(http, config, {}) is None
        assert "aws-hush" not in repr(open_queue(http, {**config, **QUEUE}, AWS))


@pytest.mark.parametrize(
    ("config", "secrets", "missing"),
    [
        ({}, SECRETS, "seller_id, marketplace_id, client_id"),
        (CONFIG, {"client_secret": "x"}, "refresh_token"),
        ({**CONFIG, "seller_id": ""}, SECRETS, "seller_id"),
    ],
)
async def test_what_is_missing_is_named(config: dict[str, Any], secrets: dict[str, str], missing: str) -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(Fault) as caught:
            open_amazon(http, Ledger(), config, secrets)
        assert (caught.value.transient, caught.value.cause) == (False, CauseClass.VALIDATION)
        assert str(caught.value) == f"An Amazon channel needs {missing}."
        with pytest.raises(Fault):
            open_queue(http, QUEUE, {})


async def test_zeros_pass_a_queue_of_others_and_amazon_never_says_429(servers: Servers) -> None:
    """At the published limits: one process sends all it may, another a zero now and then, on one shared budget."""
    redis = open_quota_client(servers.redis_url)
    account = uuid.uuid4().hex
    async with serve(limits={}) as market, httpx.AsyncClient(trust_env=False) as http:
        config = {**CONFIG, "base_url": market.url, "lwa_url": market.url}
        bulk, zeros = (
            open_amazon(http, open_quota(redis, "channel", account, AMAZON_BUCKETS), config, SECRETS) for _ in "ab"
        )
        sent = 0

        async def push_all() -> None:
            nonlocal sent
            while True:
                size = bulk.batch_size(1_000, urgent=False)
                with contextlib.suppress(Throttled):
                    results = await bulk.set_quantities([write("CUP-1", n, "PRODUCT:") for n in range(size)])
                    sent += sum(result.outcome is WriteOutcome.ACCEPTED for result in results)

        async with asyncio.timeout(30):
            pushing = asyncio.create_task(push_all())
            await asyncio.sleep(1.5)
            waits = []
            for _ in range(4):
                began = time.monotonic()
                [result] = await zeros.set_quantities([write("TEA-1", 0, "TEA:3")], urgent=True)
                waits.append(time.monotonic() - began)
                assert result.outcome is WriteOutcome.ACCEPTED
                await asyncio.sleep(0.3)
            pushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pushing
        throttled = (await market.state())["throttled"]
    await redis.aclose()
    assert max(waits) < 1.0
    assert sent >= 8
    assert throttled.get("patchListingsItem", 0) <= 1
