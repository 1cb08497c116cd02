"""broadcaster's backend on Redis that outlives a lost connection.

The stock one's listener ends with its connection and says nothing. This one connects again for as long as it
lives, subscribes again, and then rings every channel once, since anything may have been missed meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import Any

import structlog
from broadcaster import BroadcastBackend, Event
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

BACKOFF_SECONDS_MIN = 0.05
BACKOFF_SECONDS_MAX = 2.0
PUBLISH_SECONDS_MAX = 1.0
PING_SECONDS = 5.0
SILENCE_SECONDS_MAX = 2 * PING_SECONDS
END_SECONDS = 0.5
QUEUE_MAX = 10_000
log = structlog.get_logger()


def _ignore() -> None:
    """Nobody counts."""


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel until it ends: one cancellation can be lost within redis-py while it writes."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=END_SECONDS)
    if not task.cancelled():
        task.exception()


class ReconnectingRedisBackend(BroadcastBackend):
    """Carries rings, which hold no truth: publishing never fails its caller, and a lost ring is only late.

    Args:
        url: Redis or Valkey; it need not be up yet.
        on_reconnect: Called each time a lost connection is back.
        on_drop: Called for each ring that could not be published or kept.
    """

    def __init__(
        self, url: str, on_reconnect: Callable[[], object] = _ignore, on_drop: Callable[[], object] = _ignore
    ) -> None:
        self._publisher = redis.Redis.from_url(url, socket_connect_timeout=2, protocol=2, retry=Retry(NoBackoff(), 1))
        # No retries below us: a reconnection that redis-py makes by itself would not ring the channels.
        self._client = redis.Redis.from_url(url, socket_connect_timeout=2, protocol=2, retry=Retry(NoBackoff(), 0))
        self._on_reconnect = on_reconnect
        self._on_drop = on_drop
        self._channels: set[str] = set()
        self._changed = asyncio.Event()
        self._queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_MAX)
        self._listener: asyncio.Task[None] | None = None
        self._lost = False
        self._delay_seconds = BACKOFF_SECONDS_MIN
        self.ping_seconds = PING_SECONDS
        self.silence_seconds_max = SILENCE_SECONDS_MAX
        self.reconnects = 0
        self.dropped = 0

    async def connect(self) -> None:
        self._listener = asyncio.create_task(self._listen_forever(), name="broadcast listener")

    async def disconnect(self) -> None:
        if self._listener is not None:
            await _end(self._listener)
        await self._client.aclose()
        await self._publisher.aclose()

    async def subscribe(self, channel: str) -> None:
        self._channels.add(channel)
        self._changed.set()

    async def unsubscribe(self, channel: str) -> None:
        self._channels.discard(channel)
        self._changed.set()

    async def publish(self, channel: str, message: Any) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS_MAX):
                await self._publisher.publish(channel, message)
        except (RedisError, OSError):
            self._drop()

    async def next_published(self) -> Event:
        return await self._queue.get()

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # whatever it was, a dead listener would be deaf for ever
                log.warning("redis connection lost", error=str(error), again_in_seconds=round(self._delay_seconds, 2))
            self._lost = True
            await asyncio.sleep(self._delay_seconds * (0.5 + random.random() / 2))  # noqa: S311
            self._delay_seconds = min(self._delay_seconds * 2, BACKOFF_SECONDS_MAX)

    async def _listen(self) -> None:
        """Listen on one connection until it fails."""
        pubsub = self._client.pubsub()
        following: asyncio.Task[None] | None = None
        try:
            subscribed = await self._update_channels(pubsub, set())
            following = asyncio.create_task(self._follow_channels(pubsub, subscribed), name="broadcast channels")
            await self._receive(pubsub, following)
        finally:
            if following is not None:
                await _end(following)
            with contextlib.suppress(RedisError, OSError):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _receive(self, pubsub: Any, following: asyncio.Task[None]) -> None:
        """Take messages; a connection that answers no ping is lost, though the system may not say so for hours."""
        heard_at = time.monotonic()
        while not following.done():
            message = await pubsub.get_message(timeout=self.ping_seconds)
            silence_seconds = time.monotonic() - heard_at
            if message is not None:
                heard_at = time.monotonic()
                self._take(message)
            elif silence_seconds >= self.silence_seconds_max:
                raise ConnectionError("nothing heard, not even an answer to a ping")
            else:
                await pubsub.ping()
        await following

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "message":
            self._put(message["channel"].decode(), message["data"].decode(errors="replace"))
        elif message["type"] == "subscribe":
            # Only now does the server send us what is published; what came before may have been missed.
            self._has_connected()
            self._put(message["channel"].decode(), "")

    async def _follow_channels(self, pubsub: Any, subscribed: set[str]) -> None:
        """Subscribe and unsubscribe as asked, while the connection lives."""
        while True:
            await self._changed.wait()
            subscribed = await self._update_channels(pubsub, subscribed)

    async def _update_channels(self, pubsub: Any, subscribed: set[str]) -> set[str]:
        while not (self._channels or subscribed):
            self._changed.clear()
            await self._changed.wait()
        self._changed.clear()
        wanted = set(self._channels)
        if added := wanted - subscribed:
            await pubsub.subscribe(*added)
        if removed := subscribed - wanted:
            await pubsub.unsubscribe(*removed)
        return wanted

    def _has_connected(self) -> None:
        self._delay_seconds = BACKOFF_SECONDS_MIN
        if self._lost:
            self._lost = False
            self.reconnects += 1
            self._on_reconnect()

    def _put(self, channel: str, message: str) -> None:
        try:
            self._queue.put_nowait(Event(channel, message))
        except asyncio.QueueFull:
            self._drop()

    def _drop(self) -> None:
        self.dropped += 1
        self._on_drop()
