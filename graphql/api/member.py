"""One client's subscription: a place in the feed, and an outlet.

A member joins in three steps, so that it gets every change after its start once and none before it:

1. fresh, it gets a snapshot and READY; resuming, it starts at its cursor, and READY comes when it is past all that
   had been delivered when it joined;
2. it reads what the hub has delivered meanwhile, from the hub's memory or from the feed itself;
3. as soon as nothing is left it is live, and its group writes to it directly.

A live member whose outlet is full goes back to step 2 once it takes more. It keeps nothing but its place, so a slow
client costs no memory. When it is a whole page behind, it gets the latest of that page per key; when the hub does
not remember its place any more, a fresh snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import structlog

from api.outlet import Outlet
from app.feed.hub import PAGE_MAX, FeedEvent, Swept
from app.metrics import CONFLATED, DELIVERIES, SUBSCRIBERS
from domain.cursor import UNFINISHED, Cursor, Position, parse_cursor

if TYPE_CHECKING:
    from api.streams import Group

T = TypeVar("T")
READ_ATTEMPTS_MAX = 6
READ_RETRY_SECONDS = 0.25
SLICE = 50
"""Changes made before other members get their turn."""
log = structlog.get_logger()


class Member:
    """Owned by the task that runs it. Raises `Refusal` for a cursor that is none."""

    def __init__(self, group: Group, outlet: Outlet, after: str | None) -> None:
        self.group = group
        self.live = False
        self.cursor = Cursor(Position(0, 0)) if after is None or after == UNFINISHED else parse_cursor(after)
        self._outlet = outlet
        self._fresh = after is None
        self._expired = after == UNFINISHED
        self._slow = False
        self._wake = asyncio.Event()

    def give(self, cursor: Cursor, payload: bytes) -> None:
        """A live member gets a change."""
        self.cursor = cursor
        if not self._outlet.write(payload):
            self.live = False
            self._slow = True
            self._wake.set()

    def expire(self) -> None:
        """Changes went undelivered: it needs a fresh snapshot."""
        self._expired = True
        self.live = False
        self._wake.set()

    async def run(self) -> None:
        """Join, then stay in step until cancelled. Raises `Gone`."""
        field = self.group.field
        SUBSCRIBERS.labels(field).inc()
        try:
            await self._catch_up(await self._join())
            while True:
                self.live = True  # nothing was awaited since it was found in step
                self._wake.clear()
                await self._wake.wait()
                await self._catch_up(self.cursor.position)
        finally:
            self.live = False
            SUBSCRIBERS.labels(field).dec()

    async def _join(self) -> Position:
        """Send the start. Returns how far that is."""
        hub, source = self.group.hub, self.group.source
        place, upto = self.cursor.position, hub.position
        if self._fresh:
            return await self._send_snapshot(expired=False)
        if not await _persist(lambda: hub.knows(self.cursor)):
            self._expired = True
        while place < upto and not self._expired:
            place = await self._replay(place)
        if not self._expired:
            self.cursor = self.cursor.at(place)
            await self._send(self.group.encode(source.ready(str(self.cursor), False)))
        return place

    async def _catch_up(self, place: Position) -> None:
        """Get in step with the hub. Between the last look and the return nothing is awaited."""
        hub = self.group.hub
        while True:
            await self._outlet.drain()
            if self._expired or (self._slow and not hub.remembers(place)):
                place = await self._send_snapshot(expired=True)
            elif place < hub.position:
                place = await self._replay(place)
            else:
                self._slow = False
                return

    async def _replay(self, place: Position) -> Position:
        """Send what was delivered after a place, a page at most. Returns how far that is."""
        source = self.group.source
        try:
            events, upto = await _persist(lambda: self.group.hub.read_after(place))
        except Swept:
            self._expired = True
            return place
        behind = len(events) == PAGE_MAX
        wanted = [event for event in events if event.topic == source.topic and self.group.accepts(event)]
        wanted = [event for event in wanted if not self.cursor.skips(event.position)]
        if self._slow and behind:
            latest = {event.key: event for event in wanted}
            CONFLATED.labels(self.group.field).inc(len(wanted) - len(latest))
            wanted = sorted(latest.values(), key=lambda event: event.position)
        if not all(map(source.knows, wanted)):
            await _persist(lambda: source.load(wanted))
        with self.group.replaying():
            await self._send_changes(wanted)
        return upto

    async def _send_changes(self, events: list[FeedEvent]) -> None:
        for number, event in enumerate(events, 1):
            if not self.group.source.knows(event):
                continue
            cursor = self.cursor.at(event.position)
            try:
                payload = self.group.encode_change(event, cursor)
            except Exception:  # it would stop this client at every resume: a snapshot leads past it
                log.exception("a change cannot be shown", key=event.key)
                self._expired = True
                return
            self.cursor = cursor
            await self._send(payload)
            if number % SLICE == 0:
                await asyncio.sleep(0)
        DELIVERIES.labels(self.group.field).inc(len(events))

    async def _send_snapshot(self, *, expired: bool) -> Position:
        """Send a snapshot taken from now on, and READY. Returns up to where it holds every change."""
        self._expired = self._slow = False
        taken = await _persist(lambda: self.group.snapshots.take(expired))
        for payload in taken.payloads:
            await self._send(payload)
        self.cursor = taken.cursor
        return taken.cursor.position

    async def _send(self, payload: bytes) -> None:
        if not self._outlet.write(payload):
            await self._outlet.drain()


async def _persist(read: Callable[[], Awaitable[T]]) -> T:
    """Read, a bounded number of times: a database that restarts need not end every stream."""
    for attempt in range(READ_ATTEMPTS_MAX - 1):
        try:
            return await read()
        except Swept:
            raise
        except Exception as error:
            log.warning("a stream cannot read", error=repr(error), attempt=attempt + 1)
            await asyncio.sleep(READ_RETRY_SECONDS * 2**attempt)
    return await read()
