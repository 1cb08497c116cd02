"""One tail of the change feed per process, however many listen.

Tables are the truth and rings only say when to look: the hub reads from its position in bounded pages, wakes on
a ring, looks again soon while a running transaction holds rows back, and every so often without any reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog

from adapters.postgres.database import Database
from adapters.postgres.feed import FeedEvent, has_pending, read_feed, read_horizon, read_snapshot
from app.feed.doorbell import Doorbell
from app.metrics import FEED_LAG_SECONDS, HUB_POLLS
from app.settings import Settings
from app.tasks import end_tasks, wait_until
from domain.cursor import Position, Snapshot

PAGE_MAX = 1_000
PENDING_SECONDS = 0.015
BREATH_SECONDS = 0.005
"""Between two reads: under load many commits are read together."""
RETRY_SECONDS = 0.25
Deliver = Callable[[list[FeedEvent]], None]
log = structlog.get_logger()

__all__ = ["FeedEvent", "Hub"]


class Hub:
    """Fans the feed out to whoever attached to a topic, in order, each row once."""

    def __init__(self, database: Database, doorbell: Doorbell, settings: Settings) -> None:
        self._database = database
        self._doorbell = doorbell
        self._poll_seconds = settings.feed_poll_seconds
        self._wake = asyncio.Event()
        self._deliver: dict[str, list[Deliver]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None
        self._stop_listening: Callable[[], None] = lambda: None
        self.position = Position(0, 0)
        """Everything up to here has been delivered."""

    async def __aenter__(self) -> Hub:
        async with self.take_snapshot() as (_, snapshot):
            self.position = snapshot.start()
        self._stop_listening = self._doorbell.listen("feed", lambda _: self._wake.set())
        self._task = asyncio.create_task(self._tail(), name="feed hub")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_listening()
        if self._task is not None:
            await end_tasks(self._task)

    def attach(self, topic: str, deliver: Deliver) -> Callable[[], None]:
        """Call `deliver` with every page of the topic from now on. Returns how to detach."""
        self._deliver[topic].append(deliver)

        def detach() -> None:
            with contextlib.suppress(ValueError):
                self._deliver[topic].remove(deliver)

        return detach

    @asynccontextmanager
    async def take_snapshot(self) -> AsyncIterator[tuple[Any, Snapshot]]:
        """A connection on one snapshot of the database, and which changes that snapshot holds."""
        async with (
            self._database.hot.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection, await read_snapshot(connection)

    async def horizon(self) -> Position:
        return await read_horizon(self._database.hot)

    async def read_between(self, after: Position, upto: Position) -> AsyncIterator[list[FeedEvent]]:
        """Pages of the feed after one position up to another, which must have been delivered already."""
        while after < upto:
            page = [event for event in await read_feed(self._database.hot, after, PAGE_MAX) if event.position <= upto]
            if not page:
                return
            after = page[-1].position
            yield page

    async def _tail(self) -> None:
        while True:
            try:
                wait_seconds = await self._poll()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("the feed cannot be read", error=str(error))
                wait_seconds = RETRY_SECONDS
            if wait_seconds:
                await asyncio.sleep(BREATH_SECONDS)
                await wait_until(self._wake, wait_seconds)

    async def _poll(self) -> float:
        """Read and deliver one page. Returns how long to wait for a ring before the next."""
        self._wake.clear()
        HUB_POLLS.inc()
        async with self._database.hot.acquire() as connection:
            page = await read_feed(connection, self.position, PAGE_MAX)
            pending = len(page) < PAGE_MAX and await has_pending(connection)
        if page:
            self._hand_out(page)
        if len(page) == PAGE_MAX:
            return 0
        return PENDING_SECONDS if pending else self._poll_seconds

    def _hand_out(self, page: list[FeedEvent]) -> None:
        by_topic: dict[str, list[FeedEvent]] = defaultdict(list)
        for event in page:
            by_topic[event.topic].append(event)
        self.position = page[-1].position
        now = datetime.datetime.now(datetime.UTC)
        FEED_LAG_SECONDS.observe(max(0.0, (now - page[0].created_at).total_seconds()))
        for topic, events in by_topic.items():
            for deliver in list(self._deliver[topic]):
                try:
                    deliver(events)
                except Exception:
                    log.exception("a feed listener failed", topic=topic)
