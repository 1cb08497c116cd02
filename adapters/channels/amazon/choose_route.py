"""Which way is sooner for a number of writes: one patch each, or a feed of many. Plain arithmetic on the quotas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

FEED_MESSAGES_MAX = 25_000
PATCH_SECONDS = 2.0


class Route(StrEnum):
    PATCH = "PATCH"
    FEED = "FEED"


@dataclass(frozen=True, slots=True)
class Pace:
    """Rates per second. `feed_seconds`: from a feed's creation until it is applied. `feed_wait_seconds`: until the
    next feed may be created.
    """

    patch_rate: float
    patch_burst: float
    feed_rate: float
    feed_burst: float
    feed_seconds: float
    feed_wait_seconds: float = 0.0


def estimate_patches(writes: int, pace: Pace) -> float:
    """Seconds until the last of `writes` patches is sent, from a full bucket."""
    return max(0.0, writes - pace.patch_burst) / pace.patch_rate


def estimate_feeds(writes: int, pace: Pace) -> float:
    """Seconds until the last of `writes` messages is applied."""
    feeds = math.ceil(writes / FEED_MESSAGES_MAX)
    return pace.feed_wait_seconds + max(0.0, feeds - pace.feed_burst) / pace.feed_rate + pace.feed_seconds


def choose_route(writes: int, pace: Pace, *, urgent: bool) -> Route:
    """Urgent writes never wait for a feed. While no feed may be created, patches use the time."""
    if urgent or pace.feed_wait_seconds > 0:
        return Route.PATCH
    return Route.FEED if estimate_feeds(writes, pace) < estimate_patches(writes, pace) else Route.PATCH


def size_batch(pending: int, pace: Pace, *, urgent: bool) -> int:
    """How many of `pending` writes to send in one call: what a feed holds, or what the patches' quota allows soon."""
    if choose_route(pending, pace, urgent=urgent) is Route.FEED:
        return min(pending, FEED_MESSAGES_MAX)
    return min(pending, size_patches(pace))


def size_patches(pace: Pace) -> int:
    return max(1, int(pace.patch_rate * PATCH_SECONDS))
