"""One tail of the change feed per process, however many listen.

Tables are the truth and rings only say when to look: the hub reads from its position in bounded pages, wakes on
a ring, looks again soon while a running transaction holds rows back, and every so often without any reason. While
nobody listens it reads nothing.

It remembers the last events, so that clients that come back, or were slow for a moment, are served from memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog

from adapters.postgres.database import Database
from adapters.postgres.feed import FeedEvent, FeedPage, find_blockers, read_page, read_recent, read_start
from app.feed.doorbell import Doorbell
from app.metrics import FEED_HORIZON_LAG_SECONDS, FEED_LAG_SECONDS, HUB_POLLS
from app.settings import Settings
from app.tasks import end_tasks, wait_until
from domain.cursor import Cursor, Position

PAGE_MAX = 1_000
RECENT_MAX = 4_000
"""Events remembered; up to twice as many before the older half is forgotten."""
READERS_MAX = 2
"""Connections that joining clients may take at once: the hub itself and mutations need the others."""
SLICE = 50
"""Events handed out before the event loop gets its turn."""
PENDING_SECONDS = 0.015
PENDING_SECONDS_MAX = 0.25
PENDING_SHARE = 0.1
"""Rows held back for long are looked for less often: their delay grows by a tenth at most."""
WARN_SECONDS = 5.0
BREATH_SECONDS = 0.005
"""Between two reads: under load many commits are read together."""
RETRY_SECONDS = 0.25
RETRY_SECONDS_MAX = 5.0
BELLS = ("feed", "listings", "push")
"""After each of them there may be new rows; what is to be pushed was published first."""
Deliver = Callable[[list[FeedEvent]], None]
Lost = Callable[[], None]
log = structlog.get_logger()

__all__ = ["PAGE_MAX", "FeedEvent", "Hub", "Swept"]


class Swept(Exception):
    """Rows after this position may be gone: only a fresh snapshot helps."""


class Hub:
    """Fans the feed out to whoever attached to a topic, in order, each row once."""

    def __init__(self, database: Database, doorbell: Doorbell, settings: Settings) -> None:
        self._database = database
        self._doorbell = doorbell
        self._poll_seconds = settings.feed_poll_seconds
        self._wake = asyncio.Event()
        self._listeners: dict[str, list[tuple[Deliver, Lost]]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None
        self._stop_listening: list[Callable[[], None]] = []
        self._readers = asyncio.Semaphore(READERS_MAX)
        self._settling = asyncio.Lock()
        self._held = Held()
        self._next_xid = 0
        self._recent: list[FeedEvent] = []
        self._recent_after = Position(0, 0)
        self.position = Position(0, 0)
        """Everything up to here has been delivered."""

    async def __aenter__(self) -> Hub:
        self._stop_listening = [self._doorbell.listen(bell, lambda _: self._wake.set()) for bell in BELLS]
        self._task = asyncio.create_task(self._tail(), name="feed hub")
        return self

    async def __aexit__(self, *_: object) -> None:
        for stop in self._stop_listening:
            stop()
        if self._task is not None:
            await end_tasks(self._task)

    def attach(self, topic: str, deliver: Deliver, lost: Lost) -> Callable[[], None]:
        """Call `deliver` with every page of the topic from now on, and `lost` when rows went undelivered.

        Settle first. Returns how to detach.
        """
        listener = (deliver, lost)
        self._listeners[topic].append(listener)
        self._wake.set()

        def detach() -> None:
            with contextlib.suppress(ValueError):
                self._listeners[topic].remove(listener)

        return detach

    async def settle(self) -> None:
        """Go to the present, unless somebody listens already: while nobody does, nothing is read.

        Who attaches before anything else is awaited spares all others the same.
        """
        async with self._settling:
            if self._has_listeners():
                return
            async with self._reading() as connection:
                start, next_xid = await read_start(connection)
                recent = await read_recent(connection, start.position, RECENT_MAX)
            if start.position > self.position:
                self._next_xid = next_xid
                self._move(start.position, recent)

    @asynccontextmanager
    async def take_snapshot(self) -> AsyncIterator[tuple[Any, Cursor]]:
        """A connection on one snapshot of the database, and where a client stands that has it."""
        async with self._reading() as connection:
            yield connection, (await read_start(connection))[0]

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Any]:
        async with (
            self._readers,
            self._database.hot.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    async def knows(self, cursor: Cursor) -> bool:
        """Whether the database can have given this cursor: it is not from the future of a restored backup."""
        if cursor.next_xid_min() <= self._next_xid:
            return True
        async with self._readers:
            return cursor.next_xid_min() <= (await read_page(self._database.hot, cursor.position, 1)).next_xid

    def remembers(self, after: Position) -> bool:
        """Whether all that was delivered after a position is still in memory."""
        return after >= self._recent_after

    async def read_after(self, after: Position) -> tuple[list[FeedEvent], Position]:
        """At most `PAGE_MAX` delivered events after a position, and up to where that was all of them.

        Raises `Swept` when some of them may be gone.
        """
        upto = self.position
        if self.remembers(after):
            start = bisect_right(self._recent, after, key=lambda event: event.position)
            events = self._recent[start : start + PAGE_MAX]
        else:
            async with self._readers:
                page = await read_page(self._database.hot, after, PAGE_MAX)
            if not page.holds(after):
                raise Swept
            events = [event for event in page.events if event.position <= upto]
        return events, events[-1].position if len(events) == PAGE_MAX else max(after, upto)

    def _has_listeners(self) -> bool:
        return any(self._listeners.values())

    async def _tail(self) -> None:
        retry_seconds = RETRY_SECONDS
        while True:
            try:
                wait_seconds = await self._poll()
                retry_seconds = RETRY_SECONDS
            except Exception as error:  # whatever it was, a hub that ends is silence for every client
                expected = isinstance(error, OSError | asyncpg.PostgresError | asyncpg.InterfaceError)
                log.warning("the feed cannot be read", error=repr(error), exc_info=not expected)
                await asyncio.sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, RETRY_SECONDS_MAX)
                continue
            if wait_seconds:
                await asyncio.sleep(BREATH_SECONDS)
                await wait_until(self._wake, wait_seconds)

    async def _poll(self) -> float:
        """Read and deliver one page. Returns how long to wait for a ring before the next."""
        self._wake.clear()
        if not self._has_listeners():
            return self._poll_seconds
        HUB_POLLS.inc()
        after = self.position
        page = await read_page(self._database.hot, after, PAGE_MAX)
        if self.position != after:
            return 0  # settled elsewhere meanwhile
        self._next_xid = page.next_xid
        if not page.holds(after):
            self._lose(page)
            return 0
        for start in range(0, len(page.events), SLICE):
            if self.position != after:
                return 0
            self._hand_out(page.events[start : start + SLICE])
            after = self.position
            await asyncio.sleep(0)  # let what was written leave, and others have their turn
        held_seconds = self._held.observe(page)
        if self._held.is_due():
            pids = await find_blockers(self._database.hot, page.line)
            log.warning("a transaction holds the feed back", seconds=round(held_seconds), xid=page.line, pids=pids)
        if len(page.events) == PAGE_MAX:
            return 0
        if not page.pending:
            return self._poll_seconds
        return min(max(PENDING_SECONDS, PENDING_SHARE * held_seconds), PENDING_SECONDS_MAX)

    def _hand_out(self, events: list[FeedEvent]) -> None:
        by_topic: dict[str, list[FeedEvent]] = defaultdict(list)
        for event in events:
            by_topic[event.topic].append(event)
        self.position = events[-1].position
        self._remember(events)
        now = datetime.datetime.now(datetime.UTC)
        FEED_LAG_SECONDS.observe(max(0.0, (now - events[0].created_at).total_seconds()))
        for topic, found in by_topic.items():
            for deliver, lost in list(self._listeners[topic]):
                try:
                    deliver(found)
                except Exception:
                    log.exception("a feed listener failed", topic=topic)
                    lost()

    def _remember(self, events: list[FeedEvent]) -> None:
        self._recent += events
        if len(self._recent) > 2 * RECENT_MAX:
            self._recent_after = self._recent[-RECENT_MAX - 1].position
            del self._recent[:-RECENT_MAX]

    def _lose(self, page: FeedPage) -> None:
        """The rows after our position are swept, or it is the future of a restored backup: begin anew, say so."""
        log.warning("the feed went on without us", position=self.position, horizon=page.horizon)
        self._move(page.end(), [])
        for listeners in list(self._listeners.values()):
            for _, lost in list(listeners):
                lost()

    def _move(self, position: Position, recent: list[FeedEvent]) -> None:
        self.position = position
        self._recent = recent[1:]
        self._recent_after = recent[0].position if recent else position


class Held:
    """Since when one and the same transaction holds back rows that others have committed."""

    def __init__(self) -> None:
        self._line = 0
        self._since = 0.0
        self._warned = False

    def observe(self, page: FeedPage) -> float:
        """Seconds so far; 0 while nothing is held back."""
        now = time.monotonic()
        if not page.pending or page.line != self._line:
            self._line, self._since, self._warned = (page.line if page.pending else 0), now, False
        FEED_HORIZON_LAG_SECONDS.set(now - self._since)
        return now - self._since

    def is_due(self) -> bool:
        """Whether it is long enough for a warning, which each transaction gets once."""
        if self._warned or not self._line or time.monotonic() - self._since < WARN_SECONDS:
            return False
        self._warned = True
        return True
