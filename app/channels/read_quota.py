"""What a channel's budgets hold at this moment, shared by all processes."""

from __future__ import annotations

from adapters.redis.quota import BucketLevel
from app.channels.openers import OPENERS
from app.channels.share_quota import HEADROOM, SharedQuota
from app.state import State


async def read_quota(state: State, code: str, kind: str) -> list[BucketLevel] | None:
    """By the vendor's operation; None when Redis cannot be asked, or the kind of channel has no budgets."""
    if kind not in OPENERS:
        return None
    quota = state.channels.quota_of(code, OPENERS[kind].buckets)
    return await quota.buckets.peek(HEADROOM) if isinstance(quota, SharedQuota) else None
