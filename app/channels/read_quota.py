"""What a channel's budgets hold at this moment, shared by all processes and by all channels of its vendor's account."""

from __future__ import annotations

from adapters.redis.quota import BucketLevel
from app.channels.open_channel import COLUMNS
from app.channels.share_quota import HEADROOM, SharedQuota
from app.state import State
from domain.errors import Fault

_CHANNEL = f"SELECT {COLUMNS} FROM channels WHERE id = $1"  # noqa: S608


async def read_quota(state: State, channel_id: int) -> list[BucketLevel] | None:
    """By the vendor's operation; None when Redis cannot be asked, the channel cannot be opened, or has no budgets."""
    record = await state.database.hot.fetchrow(_CHANNEL, channel_id)
    try:
        quota = state.channels.open(record).quota
    except Fault:
        return None
    return await quota.buckets.peek(HEADROOM) if isinstance(quota, SharedQuota) else None
