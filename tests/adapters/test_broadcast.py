"""The broadcast backend on a real Valkey that dies, hangs and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from broadcaster import Broadcast
from redis import asyncio as redis

from adapters.redis.broadcast import BACKOFF_SECONDS_MIN, ReconnectingRedisBackend
from app.embedded import Servers, start_servers
from app.feed.doorbell import BELLS, Doorbell
from app.metrics import BROADCAST_DROPPED, BROADCAST_RECONNECTS
from app.state import State
from tests.within import until

LIMIT_SECONDS = 10


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One of its own: these tests kill it."""
    found = start_servers(tmp_path_factory.mktemp("valkey"), durable=False, postgres=False)
    yield found
    found.stop()


class Counted:
    """A backend, and what it says it lost."""

    def __init__(self, url: str) -> None:
        self.reconnects = self.dropped = 0
        self.backend = ReconnectingRedisBackend(url, self._reconnect, self._drop)

    def _reconnect(self) -> None:
        self.reconnects += 1

    def _drop(self) -> None:
        self.dropped += 1


@pytest.fixture
async def counted(valkey: Servers) -> Counted:
    return Counted(valkey.redis_url)


async def hear(subscriber: object, message: str) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while (await subscriber.get()).message != message:  # type: ignore[attr-defined]
            pass


async def test_a_late_subscriber_hears_at_once(counted: Counted) -> None:
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        Broadcast(backend=counted.backend) as broadcast,
        broadcast.subscribe("first") as first,
    ):
        await hear(first, "")
        async with broadcast.subscribe("second") as second:
            async with asyncio.timeout(1):
                await hear(second, "")
            await broadcast.publish("second", "a word")
            await hear(second, "a word")


async def test_every_channel_rings_after_a_restart(counted: Counted, valkey: Servers) -> None:
    async with (
        asyncio.timeout(2 * LIMIT_SECONDS),
        Broadcast(backend=counted.backend) as broadcast,
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
    assert counted.reconnects == 1
    assert counted.backend._delay_seconds == BACKOFF_SECONDS_MIN


async def test_a_lost_connection_rings_though_the_server_stayed(counted: Counted, valkey: Servers) -> None:
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        Broadcast(backend=counted.backend) as broadcast,
        broadcast.subscribe("one") as one,
        redis.Redis.from_url(valkey.redis_url) as admin,
    ):
        await hear(one, "")
        await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await hear(one, "")


async def test_a_hanging_server_is_noticed(counted: Counted, valkey: Servers) -> None:
    counted.backend.ping_seconds, counted.backend.silence_seconds_max = 0.1, 0.3
    pid = valkey.valkey_pid
    assert pid is not None
    async with (
        asyncio.timeout(3 * LIMIT_SECONDS),
        Broadcast(backend=counted.backend) as broadcast,
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
    assert counted.reconnects == 1
    assert counted.dropped == 1


async def test_without_a_server_nothing_fails() -> None:
    dropped: list[int] = []
    backend = ReconnectingRedisBackend("redis://127.0.0.1:1/0", on_drop=lambda: dropped.append(1))
    async with asyncio.timeout(LIMIT_SECONDS), Broadcast(backend=backend) as broadcast, broadcast.subscribe("one"):
        await broadcast.publish("one", "lost")
    assert dropped == [1]


async def test_whatever_fails_the_listener_goes_on(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([ValueError("never seen before"), TypeError("again")])

    def fail_first(message: dict[str, Any]) -> None:
        for error in failures:
            raise error
        taken(message)

    taken = counted.backend._take
    monkeypatch.setattr(counted.backend, "_take", fail_first)
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        Broadcast(backend=counted.backend) as broadcast,
        broadcast.subscribe("one") as one,
    ):
        await hear(one, "")
        await broadcast.publish("one", "still here")
        await hear(one, "still here")


async def test_a_full_queue_drops_rings_and_counts_them(counted: Counted) -> None:
    counted.backend._queue = asyncio.Queue(1)
    for _ in range(3):
        counted.backend._put("one", "")
    assert counted.dropped == 2


async def test_every_bell_reaches_the_other_process_and_no_echo_comes_back(valkey: Servers) -> None:
    here, there = (Doorbell(Broadcast(backend=ReconnectingRedisBackend(valkey.redis_url))) for _ in range(2))
    async with asyncio.timeout(LIMIT_SECONDS), here, there:
        heard: asyncio.Queue[str] = asyncio.Queue()
        own: asyncio.Queue[str] = asyncio.Queue()
        for bell in BELLS:
            there.listen(bell, heard.put_nowait)
            here.listen(bell, own.put_nowait)
        for queue in (heard, own):  # both connected: anything may have been missed, so each hears every bell once
            assert {await queue.get() for _ in BELLS} == set(BELLS)
        echoes: list[str] = []
        here.listen("tokens", echoes.append)
        for bell in ("tokens", "feed", "tokens", "tokens"):
            here.ring(bell)
        assert {await heard.get(), await heard.get()} == {"tokens", "feed"}
        await asyncio.sleep(0.1)
        assert echoes == ["tokens"] * 3


async def test_lost_connections_are_counted_for_prometheus(state: State) -> None:
    before = BROADCAST_RECONNECTS._value.get()
    async with redis.Redis.from_url(state.settings.redis_url) as admin:
        for _ in range(500):
            if await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub"):
                break
            await asyncio.sleep(0.01)
        await until(lambda: BROADCAST_RECONNECTS._value.get() > before)
        dropped = BROADCAST_DROPPED._value.get()
        await admin.execute_command("CLIENT", "PAUSE", "1500", "WRITE")
        state.doorbell.ring("feed")
        await until(lambda: BROADCAST_DROPPED._value.get() > dropped)
