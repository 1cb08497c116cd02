"""Token buckets in Redis: shared, with headroom, by announced numbers, and without Redis."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.channels.base import Throttled
from adapters.redis.quota import Bucket, RedisQuota, open_quota_client
from app.channels.share_quota import SharedQuota, open_quota, taking_idle_quota
from app.embedded import Servers, free_port

BUCKETS = {"write": (1.0, 10.0)}


@pytest.fixture
async def client(servers: Servers) -> AsyncIterator[Any]:
    found = open_quota_client(servers.redis_url)
    yield found
    await found.aclose()


@pytest.fixture
def account() -> str:
    return uuid.uuid4().hex


async def take_all(quota: SharedQuota, *, urgent: bool = False) -> int:
    """How many tokens there are to take."""
    for taken in range(100):
        try:
            await quota.take("write", urgent=urgent)
        except Throttled:
            return taken
    raise AssertionError("no end")


async def test_bulk_leaves_headroom_for_what_is_urgent(client: Any, account: str) -> None:
    quota = open_quota(client, "channel", account, BUCKETS)
    assert await take_all(quota) == 8
    assert await take_all(quota, urgent=True) == 2


async def test_what_can_wait_leaves_half(client: Any, account: str) -> None:
    quota = open_quota(client, "channel", account, BUCKETS)
    with taking_idle_quota():
        assert await take_all(quota) == 5
    assert await take_all(quota) == 3


async def test_many_processes_share_one_bucket(client: Any, account: str) -> None:
    quotas = [open_quota(client, "channel", account, {"write": (0.0001, 40.0)}) for _ in range(8)]
    taken = await asyncio.gather(*(take_all(quota, urgent=True) for quota in quotas))
    assert sum(taken) == 40


async def test_the_wait_is_what_is_missing_by_the_rate(client: Any, account: str) -> None:
    quota = open_quota(client, "channel", account, {"write": (0.5, 10.0)})
    await quota.announce("write", available=0)
    with pytest.raises(Throttled) as caught:
        await quota.take("write", 2, urgent=True)
    assert caught.value.wait_seconds == pytest.approx(4.0, abs=0.2)


async def test_the_vendor_has_the_last_word(client: Any, account: str) -> None:
    quota = open_quota(client, "channel", account, BUCKETS)
    await quota.announce("write", rate=100.0, burst=20.0, available=20.0)
    assert await take_all(quota, urgent=True) >= 20
    await asyncio.sleep(0.2)
    assert await take_all(quota, urgent=True) >= 10


async def test_a_bucket_that_is_new_is_full_by_what_was_announced(client: Any, account: str) -> None:
    quota = open_quota(client, "channel", account, {})
    await quota.announce("write", rate=0.0001, burst=5_000.0)
    with taking_idle_quota():
        await quota.take("write", 2_000)


async def test_without_redis_a_process_counts_for_itself(account: str) -> None:
    lost = open_quota_client(f"redis://127.0.0.1:{free_port()}/0")
    quota = SharedQuota("channel", RedisQuota(lost, account, {"write": Bucket(0.0001, 5.0)}))
    assert await take_all(quota, urgent=True) == 5
    await quota.announce("write", rate=9.0)
    await lost.aclose()
