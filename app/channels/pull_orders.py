"""The catch-up poll: orders that changed at a channel, whether or not it told us. Windows overlap on purpose.

An order that cannot be taken keeps none behind it waiting: it becomes an event, tried and told of as every other one.

A window is through when its last page came, in whatever order the channel lists orders. Until then its place is kept
after each page, so that quota, a lost reply or a killed worker costs a page and not the window.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson
import structlog

from adapters.channels.base import ChannelOrder, InboundEvent, Throttled
from app.channels.health import Scope, read_health
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.open_channel import OpenChannel
from app.channels.process_events import PULLED
from app.channels.receive_event import store_record
from app.returns.note_refunds import take_seen_order
from app.state import State
from domain.errors import Fault

PAGES_MAX = 50
"""In one go; then it is another loop's turn, and the next page is where it goes on."""
FIRST_WINDOW = datetime.timedelta(days=1)
WINDOW_AGE_MAX = datetime.timedelta(hours=1)
"""Vendors forget where a page was after a while: a window that is not through by then begins again."""
FAILURES_MAX = 3
"""At one page, until the window begins again: the place itself may be what does not work."""
log = structlog.get_logger()
_CLAIM = """
INSERT INTO channel_health AS h (channel_id, orders_polled_at) VALUES ($1, now())
ON CONFLICT (channel_id) DO UPDATE SET orders_polled_at = now()
WHERE h.orders_polled_at IS NULL OR h.orders_polled_at < now() - make_interval(secs => $2)
RETURNING h.orders_until, h.orders_window::text AS window
"""
_KEEP = "UPDATE channel_health SET orders_window = $2::jsonb WHERE channel_id = $1"
_GO_ON = "UPDATE channel_health SET orders_polled_at = NULL WHERE channel_id = $1"
_ADVANCE = """
UPDATE channel_health SET orders_until = greatest(orders_until, $2), orders_window = NULL WHERE channel_id = $1
"""


@dataclass(frozen=True, slots=True)
class Window:
    """`cursor`: of the next page, None for the first. `reached`: up to when the channel has told everything.

    `done`: its last page came. `failures`: at this page, one after another.
    """

    begun: datetime.datetime
    since: datetime.datetime
    until: datetime.datetime
    reached: datetime.datetime
    cursor: str | None = None
    done: bool = False
    failures: int = 0


async def pull_orders(state: State, channel: OpenChannel) -> tuple[int, float]:
    """Poll when it is due, whichever worker comes first. Returns orders seen and how long to wait.

    That is for quota, or behind an open circuit.
    """
    assert channel.adapter is not None
    health = await read_health(state.database.hot, channel.id, Scope.ORDERS)
    if health.wait_seconds:
        return 0, health.wait_seconds
    claimed = await state.database.hot.fetchrow(_CLAIM, channel.id, state.settings.orders_poll_seconds)
    if claimed is None:
        return 0, 0.0
    started, now = time.monotonic(), datetime.datetime.now(datetime.UTC)
    window, seen, wait_seconds = _open_window(state, claimed, now), 0, 0.0
    try:
        for _ in range(PAGES_MAX):
            count, window = await _pull_page(state, channel, window)
            seen += count
            if window.done:
                break
    except Throttled as throttled:
        wait_seconds = throttled.wait_seconds
    except Fault as fault:
        await _note_failure(state, channel, window, fault)
        await note_attempt(state, Attempt(channel, "ORDERS", now, time.monotonic() - started, seen, seen, 0), fault)
        return seen, 1.0
    if not window.done:
        await state.database.hot.execute(_GO_ON, channel.id)
    if wait_seconds == 0.0:
        await note_attempt(state, Attempt(channel, "ORDERS", now, time.monotonic() - started, seen, seen, 0))
    return seen, wait_seconds


def _open_window(state: State, claimed: Any, now: datetime.datetime) -> Window:
    """The one that is not through, else the next: from where the last one ended, and a little before."""
    kept = None if claimed["window"] is None else _load(claimed["window"])
    if kept is not None and now - kept.begun < WINDOW_AGE_MAX:
        return kept
    overlap = datetime.timedelta(seconds=state.settings.orders_overlap_seconds)
    upto = claimed["orders_until"]
    return Window(now, now - FIRST_WINDOW if upto is None else upto - overlap, now, now)


async def _pull_page(state: State, channel: OpenChannel, window: Window) -> tuple[int, Window]:
    """Take a page's orders, then keep the place: after a crash in between they are taken twice, which is harmless."""
    adapter: Any = channel.adapter
    page = await adapter.pull_orders(window.since, window.until, window.cursor)
    for order in page.orders:
        await _take(state, channel, order)
    reached = min(window.reached, page.until or window.until)
    window = replace(window, cursor=page.cursor, reached=reached, done=page.cursor is None, failures=0)
    if window.done:
        await state.database.hot.execute(_ADVANCE, channel.id, window.reached)
    else:
        await _keep(state, channel, window)
    return len(page.orders), window


async def _take(state: State, channel: OpenChannel, order: ChannelOrder) -> None:
    """Raises `Fault`, and whatever keeps the event from being stored: then nothing works at all."""
    try:
        await take_seen_order(state, channel.id, order)
    except Fault:
        raise
    except Exception:
        log.exception("a pulled order cannot be taken", channel=channel.code)
        event = InboundEvent(f"pulled:{order.external_id}@{order.version or ''}", PULLED)
        await store_record(state, channel.id, event, order.external_id.encode())


async def _note_failure(state: State, channel: OpenChannel, window: Window, fault: Fault) -> None:
    """Go on from here, or from the beginning where that leads nowhere."""
    failures = window.failures + 1
    hopeless = not fault.transient or failures >= FAILURES_MAX
    await _keep(state, channel, None if hopeless else replace(window, failures=failures))


async def _keep(state: State, channel: OpenChannel, window: Window | None) -> None:
    text = None if window is None else orjson.dumps(asdict(window)).decode()
    await state.database.hot.execute(_KEEP, channel.id, text)


def _load(text: str) -> Window:
    raw = orjson.loads(text)
    begun, since, until, reached = (
        datetime.datetime.fromisoformat(raw[name]) for name in ("begun", "since", "until", "reached")
    )
    return Window(begun, since, until, reached, raw["cursor"], failures=raw["failures"])
