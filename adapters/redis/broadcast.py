"""broadcaster's backend on Redis that outlives a lost connection, and notices one that hangs.

The stock one's listener ends with its connection and says nothing. This one connects again for as long as it
lives, and rings every channel once the server has confirmed it, since anything may have been missed until then.
A server that answers no ping is lost too, though the system may not say so for hours.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from broadcaster import BroadcastBackend, Event
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

BACKOFF_SECONDS_MIN = 0.05
BACKOFF_SECONDS_MAX = 2.0
COMMAND_SECONDS_MAX = 1.0
PING_SECONDS = 5.0
SILENCE_SECONDS_MAX = 2 * PING_SECONDS
END_ATTEMPTS_MAX = 5
END_SECONDS = 0.25
QUEUE_MAX = 10_000
log = structlog.get_logger()


class ReconnectingRedisBackend(BroadcastBackend):
    """Carries rings, which hold no truth: nothing here fails its caller, and a lost ring is only late.

    Args:
        url: Redis or Valkey; it need not be up yet.
        on_reconnect: Called each time a lost connection is back.
        on_drop: Called for each ring that could not be published or kept.
    """

    def __init__(
        self, url: str, on_reconnect: Callable[[], object] = lambda: None, on_drop: Callable[[], object] = lambda: None
    ) -> None:
        self._publisher = _connect_lazily(url, retries=1)
        # A reconnection that redis-py made by itself would not ring the channels.
        self._client = _connect_lazily(url, retries=0)
        self._on_reconnect = on_reconnect
        self._on_drop = on_drop
        self._channels: set[str] = set()
        self._has_channels = asyncio.Event()
        self._pubsub: Any = None
        self._queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_MAX)
        self._listener: asyncio.Task[None] | None = None
        self._lost = False
        self._delay_seconds = BACKOFF_SECONDS_MIN
        self.ping_seconds = PING_SECONDS
        self.silence_seconds_max = SILENCE_SECONDS_MAX

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
        await self._publisher.aclose()

    async def subscribe(self, channel: str) -> None:
        self._channels.add(channel)
        self._has_channels.set()
        if self._pubsub is not None:
            await _try(self._pubsub.subscribe(channel))

    async def unsubscribe(self, channel: str) -> None:
        self._channels.discard(channel)
        if self._pubsub is not None:
            await _try(self._pubsub.unsubscribe(channel))

    async def publish(self, channel: str, message: Any) -> None:
        if not await _try(self._publisher.publish(channel, message)):
            self._on_drop()

    async def next_published(self) -> Event:
        return await self._queue.get()

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # whatever it was, a listener that ends is deaf for ever
                log.warning(
                    "redis connection lost",
                    error=repr(error),
                    again_in_seconds=round(self._delay_seconds, 2),
                    exc_info=not isinstance(error, RedisError | OSError),
                )
            self._lost = True
            await asyncio.sleep(self._delay_seconds * (0.5 + random.random() / 2))  # noqa: S311
            self._delay_seconds = min(self._delay_seconds * 2, BACKOFF_SECONDS_MAX)

    async def _listen(self) -> None:
        """Listen on one connection until it fails."""
        pubsub = self._client.pubsub()
        try:
            await self._has_channels.wait()
            asked: set[str] = set()
            while missing := self._channels - asked:
                await pubsub.subscribe(*missing)
                asked |= missing
            self._pubsub = pubsub  # whoever subscribes from now on tells the server itself
            await self._receive(pubsub)
        finally:
            self._pubsub = None
            await _try(pubsub.aclose())

    async def _receive(self, pubsub: Any) -> None:
        heard_at = time.monotonic()
        while True:
            message = await pubsub.get_message(timeout=self.ping_seconds)
            if message is not None:
                heard_at = time.monotonic()
                self._take(message)
            elif time.monotonic() - heard_at >= self.silence_seconds_max:
                raise ConnectionError("nothing heard, not even an answer to a ping")
            else:
                await pubsub.ping()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "message":
            self._put(message["channel"].decode(), message["data"].decode(errors="replace"))
        elif message["type"] == "subscribe":
            self._delay_seconds = BACKOFF_SECONDS_MIN
            if self._lost:
                self._lost = False
                self._on_reconnect()
            self._put(message["channel"].decode(), "")

    def _put(self, channel: str, message: str) -> None:
        try:
            self._queue.put_nowait(Event(channel, message))
        except asyncio.QueueFull:
            self._on_drop()


def _connect_lazily(url: str, *, retries: int) -> Any:
    return redis.Redis.from_url(
        url, socket_connect_timeout=2, socket_keepalive=True, protocol=2, retry=Retry(NoBackoff(), retries)
    )


async def _try(command: Awaitable[object]) -> bool:
    """Whether a command was done, `COMMAND_SECONDS_MAX` at most. What else depends on the connection sees it itself."""
    try:
        async with asyncio.timeout(COMMAND_SECONDS_MAX):
            await command
    except (RedisError, OSError):
        return False
    except Exception:
        log.exception("a redis command failed")
        return False
    return True
