"""A token bucket for each principal, within one process: a guard against a client that runs wild.

It is off by default: what one operation may cost is limited anyway. With several processes each allows the rate.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

REMEMBERED_MAX = 10_000


class RateLimiter:
    """Args: `per_second`: operations a second, 0 for no limit; `burst`: how many at once after a rest."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, principal_id: str) -> float:
        """Take one operation. Returns 0, or how many seconds to wait for the next."""
        if not self._per_second:
            return 0.0
        now = self._clock()
        left, at = self._buckets.get(principal_id, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        taken = left >= 1
        self._buckets[principal_id] = (left - taken, now)
        self._buckets.move_to_end(principal_id)
        if len(self._buckets) > REMEMBERED_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1 - left) / self._per_second
