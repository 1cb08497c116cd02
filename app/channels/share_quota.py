"""The quota port on the shared buckets in Redis: what is not there is `Throttled`, at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from adapters.channels.base import Throttled
from adapters.redis.quota import Bucket, RedisQuota
from app.metrics import QUOTA_WAIT_SECONDS, QUOTA_WAITS

HEADROOM = 0.2
"""Of each bucket, kept for urgent writes."""
IDLE_HEADROOM = 0.5
"""Kept from what can wait: read-back, while nothing differs, takes what nobody else needs."""
_idle: ContextVar[bool] = ContextVar("idle quota", default=False)


@contextmanager
def taking_idle_quota() -> Iterator[None]:
    """Whatever is asked of a channel in this block can wait."""
    token = _idle.set(True)
    try:
        yield
    finally:
        _idle.reset(token)


@dataclass(frozen=True, slots=True)
class SharedQuota:
    """`adapters.channels.base.Quota` of one channel. The buckets are its account's, maybe of others too."""

    channel: str
    buckets: RedisQuota

    async def take(self, operation: str, cost: float = 1.0, *, urgent: bool = False) -> None:
        floor = 0.0 if urgent else IDLE_HEADROOM if _idle.get() else HEADROOM
        wait = await self.buckets.take(operation, cost, floor)
        if wait > 0:
            QUOTA_WAITS.labels(self.channel, operation).inc()
            QUOTA_WAIT_SECONDS.labels(self.channel, operation).inc(wait)
            raise Throttled(f"The budget of {operation} is used up.", wait)

    async def announce(
        self, operation: str, *, rate: float | None = None, burst: float | None = None, available: float | None = None
    ) -> None:
        await self.buckets.announce(operation, rate=rate, burst=burst, available=available)


def open_quota(client: Any, channel: str, account: str, buckets: Mapping[str, tuple[float, float]]) -> SharedQuota:
    """`buckets`: (tokens a second, most it holds) by operation, until the vendor says otherwise."""
    return SharedQuota(channel, RedisQuota(client, account, {name: Bucket(*given) for name, given in buckets.items()}))
