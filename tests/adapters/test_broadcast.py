"""The broadcast backend on a real Valkey that dies, hangs and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from broadcaster import Broadcast
from redis import asyncio as redis

from adapters.redis.broadcast import ReconnectingRedisBackend
from app.embedded import Servers, start_servers
from app.feed.doorbell import Doorbell

LIMIT_SECONDS = 10


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One of its own: these tests kill it."""
    found = start_servers(tmp_path_factory.mktemp("valkey"), durable=False, postgres=False)
    yield found
    found.stop()


@pytest.fixture
async def backend(valkey: Servers) -> ReconnectingRedisBackend:
    return ReconnectingRedisBackend(valkey.redis_url)


async def hear(subscriber: object, message: str) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while (await subscriber.get()).message != message:  # type: ignore[attr-defined]
            pass


async def test_a_late_subscriber_hears_at_once(backend: ReconnectingRedisBackend) -> None:
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        Broadcast(backend=backend) as broadcast,
        broadcast.subscribe("first") as first,
    ):
        await hear(first, "")
        async with broadcast.subscribe("second") as second:
            async with asyncio.timeout(1):
                await hear(second, "")
            await broadcast.publish("second", "a word")
            await hear(second, "a word")


async def test_every_channel_rings_after_a_restart(backend: ReconnectingRedisBackend, valkey: Servers) -> None:
    async with (
        asyncio.timeout(2 * LIMIT_SECONDS),
        Broadcast(backend=backend) as broadcast,
        broadcast.subscribe("one") as one,
        broadcast.subscribe("two") as two,
    ):
        await hear(one, "")
        await hear(two, "")
        await asyncio.to_thread(valkey.restart_valkey)
        await hear(one, "")
        await hear(two, "")
        await broadcast.publish("one", "again")
        await hear(one, "again")
    assert backend.reconnects == 1


async def test_a_lost_connection_rings_though_the_server_stayed(
    backend: ReconnectingRedisBackend, valkey: Servers
) -> None:
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        Broadcast(backend=backend) as broadcast,
        broadcast.subscribe("one") as one,
        redis.Redis.from_url(valkey.redis_url) as admin,
    ):
        await hear(one, "")
        await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await hear(one, "")


async def test_a_hanging_server_is_noticed(backend: ReconnectingRedisBackend, valkey: Servers) -> None:
    backend.ping_seconds, backend.silence_seconds_max = 0.1, 0.3
    pid = valkey.valkey_pid
    assert pid is not None
    async with (
        asyncio.timeout(3 * LIMIT_SECONDS),
        Broadcast(backend=backend) as broadcast,
        broadcast.subscribe("one") as one,
    ):
        await hear(one, "")
        os.kill(pid, signal.SIGSTOP)
        try:
            await broadcast.publish("one", "nobody hears this")
            await asyncio.sleep(0.5)
        finally:
            os.kill(pid, signal.SIGCONT)
        await hear(one, "")
    assert backend.reconnects == 1
    assert backend.dropped == 1


async def test_without_a_server_nothing_fails() -> None:
    dropped: list[int] = []
    backend = ReconnectingRedisBackend("redis://127.0.0.1:1/0", on_drop=lambda: dropped.append(1))
    async with asyncio.timeout(LIMIT_SECONDS), Broadcast(backend=backend) as broadcast, broadcast.subscribe("one"):
        await broadcast.publish("one", "lost")
    assert dropped == [1]


async def test_each_payload_reaches_the_other_process(valkey: Servers) -> None:
    here, there = (Doorbell(Broadcast(backend=ReconnectingRedisBackend(valkey.redis_url))) for _ in range(2))
    async with asyncio.timeout(LIMIT_SECONDS), here, there:
        heard: asyncio.Queue[str] = asyncio.Queue()
        stop = there.listen("tokens", heard.put_nowait)
        assert await heard.get() == ""
        for payload in ("a", "b", "a"):
            here.ring("tokens", payload)
        assert {await heard.get(), await heard.get()} == {"a", "b"}
        stop()
        here.ring("tokens", "c")
        await asyncio.sleep(0.1)
        assert heard.empty()
