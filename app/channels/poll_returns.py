"""Ask a channel for returns that it tells of no other way. Each state of each is stored raw, once, as an event is.

It is asked from as long ago as a return may take, since its list is by creation: so every change is seen, however often
the worker was down, and what was stored before is not stored again.
"""

from __future__ import annotations

import datetime
import time

from adapters.channels.base import Throttled
from adapters.channels.returns import ReturnListingChannel
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.open_channel import OpenChannel
from app.channels.receive_event import store_record
from app.state import State
from domain.errors import Fault

PAGES_MAX = 50
_CLAIM = """
INSERT INTO channel_health AS h (channel_id, returns_polled_at) VALUES ($1, now())
ON CONFLICT (channel_id) DO UPDATE SET returns_polled_at = now()
WHERE h.returns_polled_at IS NULL OR h.returns_polled_at < now() - make_interval(secs => $2)
RETURNING h.channel_id
"""


async def poll_returns(state: State, channel: OpenChannel) -> tuple[int, float]:
    """When it is due, whichever worker comes first. Returns records seen and how long to wait for quota."""
    adapter: object = channel.adapter
    if not isinstance(adapter, ReturnListingChannel) or not adapter.lists_returns:
        return 0, 0.0
    claimed = await state.database.hot.fetchval(_CLAIM, channel.id, state.settings.returns_poll_seconds)
    if claimed is None:
        return 0, 0.0
    started, now = time.monotonic(), datetime.datetime.now(datetime.UTC)
    since = now - datetime.timedelta(days=state.settings.return_expected_days)
    seen, fault, wait_seconds, cursor = 0, None, 0.0, None
    try:
        for _ in range(PAGES_MAX):
            page = await adapter.list_returns(since, cursor)
            for event, body in page.records:
                await store_record(state, channel.id, event, body)
            seen, cursor = seen + len(page.records), page.cursor
            if cursor is None:
                break
    except Throttled as throttled:
        wait_seconds = throttled.wait_seconds
    except Fault as raised:
        fault, wait_seconds = raised, 1.0
    await note_attempt(state, Attempt(channel, "ORDERS", now, time.monotonic() - started, seen, seen, 0), fault)
    return seen, wait_seconds
