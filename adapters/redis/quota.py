"""Token buckets shared by all processes, in Redis: one per account at a vendor and its operation.

A bucket holds at most `burst` tokens and gains `rate` a second, by Redis' own clock, in one script that no other
command can come between. Who is less urgent leaves a share of each bucket to who is more so. Without Redis a
process counts for itself: too much may be asked then, and the vendor's own throttling is the last word.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import asyncio as redis
from redis.exceptions import RedisError

PREFIX = "onhand:quota:"
IDLE_SECONDS = 172_800
WAIT_SECONDS_MAX = 60.0
BUCKETS_MAX = 10_000
_TAKE = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
local b = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'rate', 'burst')
local rate, burst = tonumber(b[3] or ARGV[3]), tonumber(b[4] or ARGV[4])
local tokens = math.min(burst, tonumber(b[1] or burst) + (now - tonumber(b[2] or now)) * rate)
local cost, floor = tonumber(ARGV[1]), burst * tonumber(ARGV[2])
local missing = math.min(cost + floor, burst) - tokens
if missing <= 1e-6 then tokens = tokens - cost end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('HSET', KEYS[1], 'rate', tostring(rate), 'burst', tostring(burst))
redis.call('EXPIRE', KEYS[1], ARGV[5])
if missing <= 1e-6 then return '0' end
return tostring(rate > 0 and missing / rate or 1e9)
"""
_ANNOUNCE = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
local b = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'rate', 'burst')
local rate, burst = tonumber(b[3] or ARGV[4]), tonumber(b[4] or ARGV[5])
local tokens = math.min(burst, tonumber(b[1] or burst) + (now - tonumber(b[2] or now)) * rate)
if ARGV[1] ~= '' then rate = tonumber(ARGV[1]) end
if ARGV[2] ~= '' then burst = tonumber(ARGV[2]) end
if ARGV[3] ~= '' then tokens = tonumber(ARGV[3]) elseif not b[1] then tokens = burst end
tokens = math.min(tokens, burst)
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('HSET', KEYS[1], 'rate', tostring(rate), 'burst', tostring(burst))
redis.call('EXPIRE', KEYS[1], ARGV[6])
return '0'
"""
_PEEK = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
local found = {}
for i, key in ipairs(KEYS) do
  local b = redis.call('HMGET', key, 'tokens', 'at', 'rate', 'burst')
  local rate, burst = tonumber(b[3] or ARGV[2 * i - 1]), tonumber(b[4] or ARGV[2 * i])
  local tokens = math.min(burst, tonumber(b[1] or burst) + (now - tonumber(b[2] or now)) * rate)
  found[#found + 1] = {tostring(tokens), tostring(rate), tostring(burst)}
end
return found
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a bucket is like until the vendor says otherwise: tokens a second, and the most it holds."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class BucketLevel:
    """What a bucket holds now. `headroom`: tokens kept for urgent work."""

    operation: str
    tokens: float
    rate: float
    burst: float
    headroom: float


UNLIMITED = Bucket(1_000.0, 1_000.0)


@dataclass(slots=True)
class _Local:
    tokens: float
    at: float


@dataclass(slots=True)
class RedisQuota:
    """The buckets of one account at a vendor."""

    client: Any
    account: str
    defaults: Mapping[str, Bucket]
    _local: dict[str, _Local] = field(default_factory=dict)

    async def take(self, operation: str, cost: float, floor: float) -> float:
        """Seconds until the budget is there, at most `WAIT_SECONDS_MAX`; 0 when it was taken.

        `floor`: share of the bucket to leave in it.
        """
        bucket = self.defaults.get(operation, UNLIMITED)
        given = (cost, floor, bucket.rate, bucket.burst, IDLE_SECONDS)
        try:
            wait = float(await self.client.eval(_TAKE, 1, self._key(operation), *given))
        except (RedisError, OSError):
            wait = self._take_locally(operation, bucket, cost, floor)
        return min(wait, WAIT_SECONDS_MAX)

    async def announce(
        self, operation: str, *, rate: float | None = None, burst: float | None = None, available: float | None = None
    ) -> None:
        """What the vendor said; a bucket that is new is full. Lost when Redis is away: it will say so again."""
        bucket = self.defaults.get(operation, UNLIMITED)
        given = ["" if value is None else value for value in (rate, burst, available)]
        try:
            await self.client.eval(_ANNOUNCE, 1, self._key(operation), *given, bucket.rate, bucket.burst, IDLE_SECONDS)
        except (RedisError, OSError):
            return

    async def peek(self, headroom: float) -> list[BucketLevel] | None:
        """Every known bucket, nothing taken; None without Redis. `headroom`: the share kept for urgent work."""
        names = sorted(self.defaults)
        given = [value for name in names for value in (self.defaults[name].rate, self.defaults[name].burst)]
        try:
            levels = await self.client.eval(_PEEK, len(names), *map(self._key, names), *given)
        except (RedisError, OSError):
            return None
        found = [tuple(map(float, level)) for level in levels]
        return [
            BucketLevel(name, tokens, rate, burst, burst * headroom)
            for name, (tokens, rate, burst) in zip(names, found, strict=True)
        ]

    def _key(self, operation: str) -> str:
        return f"{PREFIX}{self.account}:{operation}"

    def _take_locally(self, operation: str, bucket: Bucket, cost: float, floor: float) -> float:
        now = time.monotonic()
        if len(self._local) > BUCKETS_MAX:
            self._local.clear()
        known = self._local.setdefault(operation, _Local(bucket.burst, now))
        known.tokens = min(bucket.burst, known.tokens + (now - known.at) * bucket.rate)
        known.at = now
        missing = min(cost + bucket.burst * floor, bucket.burst) - known.tokens
        if missing <= 0:
            known.tokens -= cost
            return 0.0
        return missing / bucket.rate if bucket.rate > 0 else WAIT_SECONDS_MAX


def open_quota_client(url: str) -> Any:
    """A client that gives up soon: a quota that cannot be read must not stop what it guards."""
    return redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, protocol=2)
