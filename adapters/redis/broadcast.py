"""broadcaster's backend on Redis that outlives a lost connection.

The stock one's listener ends with its connection and says nothing. This one connects again for as long as it
lives, subscribes again, and then rings every channel once, since anything may have been missed meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import structlog
from broadcaster import BroadcastBackend, Event
from redis import asyncio as redis
from redis.exceptions import RedisError

BACKOFF_SECONDS_MAX = 2.0
PUBLISH_SECONDS_MAX = 1.0
POLL_SECONDS = 5.0
END_ATTEMPTS_MAX = 5
END_SECONDS = 0.25
QUEUE_MAX = 10_000
log = structlog.get_logger()


class ReconnectingRedisBackend(BroadcastBackend):
    """Carries rings, which hold no truth: publishing never fails its caller, and a lost ring is only late."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_connect_timeout=2, protocol=2)
        self._channels: set[str] = set()
        self._changed = asyncio.Event()
        self._queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_MAX)
        self._listener: asyncio.Task[None] | None = None
        self.reconnects = 0
        self.dropped = 0

    async def connect(self) -> None:
        self._listener = asyncio.create_task(self._listen_forever(), name="broadcast listener")

    async def disconnect(self) -> None:
        """redis-py loses a cancellation now and then, before Python 3.12: ask again, a bounded number of times."""
        for _ in range(END_ATTEMPTS_MAX):
            if self._listener is None or self._listener.done():
                break
            self._listener.cancel()
            await asyncio.wait([self._listener], timeout=END_SECONDS)
        await self._client.aclose()

    async def subscribe(self, channel: str) -> None:
        self._channels.add(channel)
        self._changed.set()

    async def unsubscribe(self, channel: str) -> None:
        self._channels.discard(channel)
        self._changed.set()

    async def publish(self, channel: str, message: Any) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS_MAX):
                await self._client.publish(channel, message)
        except (RedisError, OSError, TimeoutError):
            self.dropped += 1

    async def next_published(self) -> Event:
        return await self._queue.get()

    async def _listen_forever(self) -> None:
        delay = 0.05
        while True:
            try:
                await self._listen()
                delay = 0.05
            except (RedisError, OSError) as error:
                self.reconnects += 1
                log.warning("redis connection lost", error=str(error), again_in_seconds=round(delay, 2))
            await asyncio.sleep(delay * (0.5 + random.random() / 2))  # noqa: S311
            delay = min(delay * 2, BACKOFF_SECONDS_MAX)

    async def _listen(self) -> None:
        """Listen on one connection until it fails."""
        pubsub = self._client.pubsub(ignore_subscribe_messages=True)
        subscribed: set[str] = set()
        try:
            while True:
                subscribed = await self._follow_channels(pubsub, subscribed)
                if not subscribed:
                    await self._changed.wait()
                    continue
                message = await pubsub.get_message(timeout=POLL_SECONDS)
                if message is None:
                    await pubsub.ping()
                elif message["type"] == "message":
                    self._put(message["channel"].decode(), message["data"].decode())
        finally:
            with contextlib.suppress(RedisError, OSError):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _follow_channels(self, pubsub: Any, subscribed: set[str]) -> set[str]:
        self._changed.clear()
        wanted = set(self._channels)
        if added := wanted - subscribed:
            await pubsub.subscribe(*added)
            for channel in added:
                self._put(channel, "")
        if removed := subscribed - wanted:
            await pubsub.unsubscribe(*removed)
        return wanted

    def _put(self, channel: str, message: str) -> None:
        try:
            self._queue.put_nowait(Event(channel, message))
        except asyncio.QueueFull:
            self.dropped += 1
