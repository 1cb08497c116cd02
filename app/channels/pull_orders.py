"""The catch-up poll: orders that changed at a channel, whether or not it told us. Windows overlap on purpose."""

from __future__ import annotations

import datetime
import time
from typing import Any

from adapters.channels.base import ChannelOrder, Throttled
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.open_channel import OpenChannel
from app.orders.take_order import take_order
from app.state import State
from domain.errors import Fault

PAGES_MAX = 50
FIRST_WINDOW = datetime.timedelta(days=1)
_CLAIM = """
INSERT INTO channel_health AS h (channel_id, orders_polled_at) VALUES ($1, now())
ON CONFLICT (channel_id) DO UPDATE SET orders_polled_at = now()
WHERE h.orders_polled_at IS NULL OR h.orders_polled_at < now() - make_interval(secs => $2)
RETURNING h.orders_until
"""
_ADVANCE = "UPDATE channel_health SET orders_until = greatest(orders_until, $2) WHERE channel_id = $1"


async def pull_orders(state: State, channel: OpenChannel) -> tuple[int, float]:
    """Poll when it is due, whichever worker comes first. Returns orders seen and how long to wait for quota."""
    assert channel.adapter is not None
    claimed = await state.database.hot.fetchrow(_CLAIM, channel.id, state.settings.orders_poll_seconds)
    if claimed is None:
        return 0, 0.0
    until = datetime.datetime.now(datetime.UTC)
    overlap = datetime.timedelta(seconds=state.settings.orders_overlap_seconds)
    since = until - FIRST_WINDOW if claimed[0] is None else claimed[0] - overlap
    started = time.monotonic()
    try:
        seen, reached = await _pull_window(state, channel, since, until)
    except Throttled as throttled:
        return 0, throttled.wait_seconds
    except Fault as fault:
        await note_attempt(state, Attempt(channel, "ORDERS", until, time.monotonic() - started, 0, 0, 0), fault)
        return 0, 1.0
    await state.database.hot.execute(_ADVANCE, channel.id, reached)
    await note_attempt(state, Attempt(channel, "ORDERS", until, time.monotonic() - started, seen, seen, 0))
    return seen, 0.0


async def _pull_window(
    state: State, channel: OpenChannel, since: datetime.datetime, until: datetime.datetime
) -> tuple[int, datetime.datetime]:
    """The orders seen, and up to when the channel has told everything; a window too full is gone on with next time."""
    adapter: Any = channel.adapter
    cursor, seen, reached, last = None, 0, until, since
    for _ in range(PAGES_MAX):
        page = await adapter.pull_orders(since, until, cursor)
        for order in page.orders:
            await take_order(state, channel.id, order)
            last = max(last, _changed_at(order))
        seen += len(page.orders)
        reached = min(reached, page.until or until)
        cursor = page.cursor
        if cursor is None:
            return seen, reached
    return seen, min(reached, last)


def _changed_at(order: ChannelOrder) -> datetime.datetime:
    return order.placed_at
