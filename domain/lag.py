"""How long something took, counted in buckets that grow by a tenth: percentiles over any window, a few rows each."""

from __future__ import annotations

import math
from collections.abc import Mapping

GROWTH = 1.1
UNIT_SECONDS = 0.001
BUCKETS_MAX = 200


def bucket_of(seconds: float) -> int:
    """The bucket of a time; bucket n holds up to `GROWTH ** n` milliseconds."""
    if seconds <= UNIT_SECONDS:
        return 0
    return min(BUCKETS_MAX, math.ceil(math.log(seconds / UNIT_SECONDS) / math.log(GROWTH) - 1e-9))


def seconds_of(bucket: int) -> float:
    """The longest time that a bucket holds."""
    return float(UNIT_SECONDS * GROWTH**bucket)


def percentile_of(counts: Mapping[int, int], share: float) -> float | None:
    """Seconds within which `share` (0 to 1) of what was counted was done, at most a tenth too long; None for none."""
    total = sum(counts.values())
    if total == 0:
        return None
    wanted, seen = math.ceil(total * share), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            return seconds_of(bucket)
    return None
