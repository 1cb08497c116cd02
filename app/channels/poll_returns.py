"""Ask a channel for returns that it tells of no other way. Each state of each is stored raw, once, as an event is.

It is asked from as long ago as a return may take, since its list is by creation: so every change is seen, however often
the worker was down, and what was stored before is not stored again. Its place is kept after each page: a long list goes
on where quota stopped it.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from adapters.channels.base import Throttled
from adapters.channels.returns import ReturnListingChannel
from app.channels.health import Scope, read_health
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.open_channel import OpenChannel
from app.channels.receive_event import store_record
from app.state import State
from domain.errors import Fault

PAGES_MAX = 50
"""In one go; then it is another loop's turn, and the next page is where it goes on."""
LIST_AGE_MAX = datetime.timedelta(hours=1)
"""Vendors forget where a page was after a while: a list that is not through by then begins again."""
_CLAIM = """
INSERT INTO channel_health AS h (channel_id, returns_polled_at) VALUES ($1, now())
ON CONFLICT (channel_id) DO UPDATE SET returns_polled_at = now()
WHERE h.returns_polled_at IS NULL OR h.returns_polled_at < now() - make_interval(secs => $2)
RETURNING h.returns_list::text AS list
"""
_KEEP = "UPDATE channel_health SET returns_list = $2::jsonb WHERE channel_id = $1"
_GO_ON = "UPDATE channel_health SET returns_polled_at = NULL WHERE channel_id = $1"


@dataclass(frozen=True, slots=True)
class _Listing:
    """A list that is being read. `cursor`: of the next page, None for the first."""

    begun: datetime.datetime
    since: datetime.datetime
    cursor: str | None = None
    done: bool = False


async def poll_returns(state: State, channel: OpenChannel) -> tuple[int, float]:
    """When it is due, whichever worker comes first. Returns records seen and how long to wait.

    That is for quota, or behind an open circuit.
    """
    adapter: object = channel.adapter
    if not isinstance(adapter, ReturnListingChannel) or not adapter.lists_returns:
        return 0, 0.0
    health = await read_health(state.database.hot, channel.id, Scope.RETURNS)
    if health.wait_seconds:
        return 0, health.wait_seconds
    claimed = await state.database.hot.fetchrow(_CLAIM, channel.id, state.settings.returns_poll_seconds)
    if claimed is None:
        return 0, 0.0
    started, now = time.monotonic(), datetime.datetime.now(datetime.UTC)
    listing, seen, fault, wait_seconds = _open_list(state, claimed["list"], now), 0, None, 0.0
    try:
        for _ in range(PAGES_MAX):
            count, listing = await _read_page(state, channel, adapter, listing)
            seen += count
            if listing.done:
                break
    except Throttled as throttled:
        wait_seconds = throttled.wait_seconds
    except Fault as raised:
        fault, wait_seconds = raised, 1.0
    if fault is not None and not fault.transient:
        await _keep(state, channel, None)  # the place itself may be what does not work
    elif not listing.done and fault is None:
        await state.database.hot.execute(_GO_ON, channel.id)
    await note_attempt(state, Attempt(channel, "RETURNS", now, time.monotonic() - started, seen, seen, 0), fault)
    return seen, wait_seconds


def _open_list(state: State, kept: str | None, now: datetime.datetime) -> _Listing:
    """The one that is not through, else a new one from its beginning."""
    if kept is not None:
        raw = orjson.loads(kept)
        begun, since = (datetime.datetime.fromisoformat(raw[name]) for name in ("begun", "since"))
        if now - begun < LIST_AGE_MAX:
            return _Listing(begun, since, raw["cursor"])
    return _Listing(now, now - datetime.timedelta(days=state.settings.return_expected_days))


async def _read_page(
    state: State, channel: OpenChannel, adapter: ReturnListingChannel, listing: _Listing
) -> tuple[int, _Listing]:
    """Store a page's records, then keep the place: after a crash in between they are read twice, and stored once."""
    page = await adapter.list_returns(listing.since, listing.cursor)
    for event, body in page.records:
        await store_record(state, channel.id, event, body)
    listing = replace(listing, cursor=page.cursor, done=page.cursor is None)
    await _keep(state, channel, None if listing.done else listing)
    return len(page.records), listing


async def _keep(state: State, channel: OpenChannel, listing: _Listing | None) -> None:
    given: dict[str, Any] | None = None if listing is None else asdict(listing)
    await state.database.hot.execute(_KEEP, channel.id, None if given is None else orjson.dumps(given).decode())
