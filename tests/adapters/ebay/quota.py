"""A quota in memory, as the port describes it: token buckets, a tenth of each kept back for what is urgent."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from adapters.channels.base import Throttled

RESERVE_SHARE = 0.1


@dataclass
class Bucket:
    rate: float
    burst: float
    level: float
    at: float

    def fill(self, now: float) -> None:
        self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now


@dataclass
class MemoryQuota:
    """A bucket nobody announced has no bottom."""

    clock: float | None = None
    buckets: dict[str, Bucket] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)

    def now(self) -> float:
        return time.time() if self.clock is None else self.clock

    async def take(self, operation: str, cost: float = 1.0, *, urgent: bool = False) -> None:
        bucket = self.buckets.get(operation)
        if bucket is not None:
            bucket.fill(self.now())
            missing = cost + (0.0 if urgent else bucket.burst * RESERVE_SHARE) - bucket.level
            if missing > 1e-6:
                raise Throttled(f"No {operation} left.", missing / bucket.rate)
            bucket.level -= cost
        self.taken[operation] += 1

    async def announce(
        self, operation: str, *, rate: float | None = None, burst: float | None = None, available: float | None = None
    ) -> None:
        known = self.buckets.get(operation)
        if known is None:
            assert rate is not None
            assert burst is not None
            known = self.buckets[operation] = Bucket(rate, burst, burst, self.now())
        known.fill(self.now())
        known.rate = known.rate if rate is None else rate
        known.burst = known.burst if burst is None else burst
        known.level = known.level if available is None else available
