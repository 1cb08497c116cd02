"""The hub against the interleavings it fears: blockers that end, sweeps that overtake it, failures, restored backups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from adapters.postgres.feed import FeedPage, delete_old, read_page, read_recent
from app.feed import hub as hub_module
from app.feed.hub import FeedEvent, Hub, Swept
from app.metrics import FEED_HORIZON_LAG_SECONDS, HUB_POLLS
from app.settings import Settings
from app.state import State
from domain.cursor import Cursor, Position, Seen
from tests.feed_rows import blocked, write_rows
from tests.within import until

Reading = Callable[[Any, Position, int], Any]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Rings and what the hub knows must do: no poll covers for them."""
    return settings.model_copy(update={"feed_poll_seconds": 30.0})


class Heard:
    """What a listener got."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.lost = 0

    def take(self, events: list[FeedEvent]) -> None:
        self.keys += [event.key for event in events]

    def lose(self) -> None:
        self.lost += 1


@pytest.fixture
async def heard(state: State) -> AsyncIterator[Heard]:
    found = Heard()
    await state.hub.settle()
    detach = state.hub.attach("stock", found.take, found.lose)
    yield found
    detach()


def read_by(monkeypatch: pytest.MonkeyPatch, reading: Reading) -> None:
    monkeypatch.setattr(hub_module, "read_page", reading)


async def sweep_all(state: State) -> None:
    async with state.database.hot.acquire() as connection:
        await connection.execute("UPDATE feed SET created_at = now() - interval '1 day'")
        assert await delete_old(connection, 60, 1_000_000, 1_000) > 0


def gauge() -> float:
    return float(FEED_HORIZON_LAG_SECONDS._value.get())


async def test_a_blocker_that_ends_right_after_the_read_costs_no_poll(
    state: State, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with blocked(state) as blocker:
        await write_rows(state, "a")

        async def read_then_end(connection: Any, after: Position, limit: int) -> FeedPage:
            page = await read_page(connection, after, limit)
            await blocker.end()
            return page

        read_by(monkeypatch, read_then_end)
        state.doorbell.ring("feed")
        await until(lambda: heard.keys == ["a"], 2)


async def test_what_holds_the_feed_back_is_shown(state: State, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "WARN_SECONDS", 0.05)
    monkeypatch.setattr(hub_module, "log", structlog.get_logger())  # one that no earlier test's settings are kept in
    with capture_logs() as logs:
        async with blocked(state) as blocker:
            pid = blocker.connection.get_server_pid()
            await write_rows(state, "a")
            state.doorbell.ring("feed")
            await until(lambda: any(entry["event"] == "a transaction holds the feed back" for entry in logs))
            await until(lambda: gauge() > 0.1)
        await until(lambda: heard.keys == ["a"], 2)
    (warning,) = [entry for entry in logs if entry["event"] == "a transaction holds the feed back"]
    assert warning["pids"] == [pid]
    await until(lambda: gauge() == 0)


async def test_a_hub_that_was_overtaken_by_the_sweep_says_so(
    state: State, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_late(connection: Any, after: Position, limit: int) -> FeedPage:
        read_by(monkeypatch, read_page)
        await write_rows(state, "swept unseen")
        await sweep_all(state)
        return await read_page(connection, after, limit)

    read_by(monkeypatch, read_late)
    state.doorbell.ring("feed")
    await until(lambda: heard.lost == 1)
    await write_rows(state, "after")
    state.doorbell.ring("feed")
    await until(lambda: heard.keys == ["after"])
    assert heard.lost == 1


async def test_a_hub_ahead_of_a_restored_database_begins_anew(state: State, heard: Heard) -> None:
    await until(lambda: state.hub.position > (0, 0))
    state.hub.position = Position(2**40, 1)
    state.doorbell.ring("feed")
    await until(lambda: heard.lost == 1)
    await write_rows(state, "a")
    state.doorbell.ring("feed")
    await until(lambda: heard.keys == ["a"])


async def test_whatever_fails_the_hub_goes_on(state: State, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.01)
    failures = iter([RuntimeError("never seen before"), OSError("gone"), RuntimeError("again")])

    async def fail(connection: Any, after: Position, limit: int) -> FeedPage:
        for error in failures:
            raise error
        return await read_page(connection, after, limit)

    read_by(monkeypatch, fail)
    await write_rows(state, "a")
    state.doorbell.ring("feed")
    await until(lambda: heard.keys == ["a"])


async def test_a_listener_that_fails_is_told_that_it_lost_something(state: State, heard: Heard) -> None:
    other = Heard()

    def fail(_: list[FeedEvent]) -> None:
        raise ValueError("this event")

    detach = state.hub.attach("stock", fail, other.lose)
    await write_rows(state, "a")
    state.doorbell.ring("feed")
    await until(lambda: other.lost == 1)
    assert (heard.keys, heard.lost) == (["a"], 0)
    detach()


async def test_nothing_is_read_while_nobody_listens(state: State) -> None:
    await write_rows(state, "before anybody")
    before = HUB_POLLS._value.get()
    for _ in range(3):
        state.doorbell.ring("feed")
        await until(lambda: not state.hub._wake.is_set())
    assert HUB_POLLS._value.get() == before
    first = Heard()
    await state.hub.settle()
    detach = state.hub.attach("stock", first.take, first.lose)
    await write_rows(state, "now")
    state.doorbell.ring("feed")
    await until(lambda: first.keys == ["now"])
    detach()


async def test_listeners_that_come_together_read_once(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0

    async def count(connection: Any, upto: Position, limit: int) -> list[FeedEvent]:
        nonlocal reads
        reads += 1
        return await read_recent(connection, upto, limit)

    async def come() -> Callable[[], None]:
        await state.hub.settle()
        return state.hub.attach("stock", lambda _: None, lambda: None)

    monkeypatch.setattr(hub_module, "read_recent", count)
    for detach in await asyncio.gather(*(come() for _ in range(20))):
        detach()
    assert reads == 1


async def test_what_was_delivered_can_be_read_again_from_memory_or_feed(
    state: State, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "RECENT_MAX", 2)
    monkeypatch.setattr(hub_module, "PAGE_MAX", 3)
    start = state.hub.position
    keys = list("abcdefgh")
    for key in keys:
        await write_rows(state, key)
        state.doorbell.ring("feed")
        await until(lambda key=key: heard.keys[-1:] == [key])  # type: ignore[misc]
    assert not state.hub.remembers(start)
    found, place = [], start
    while place < state.hub.position:
        events, place = await state.hub.read_after(place)
        assert len(events) <= 3
        found += events
    assert [event.key for event in found] == keys
    await sweep_all(state)
    with pytest.raises(Swept):
        await state.hub.read_after(start)
    newest = found[-2]
    assert state.hub.remembers(newest.position)
    assert [event.key for event in (await state.hub.read_after(newest.position))[0]] == ["h"]


async def test_a_hub_that_starts_remembers_what_came_before_it(
    state: State, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_rows(state, "a", "b", "c")
    state.doorbell.ring("feed")
    await until(lambda: heard.keys == ["a", "b", "c"])
    cursor = (await read_page(state.database.hot, Position(0, 0), 1)).events[0].position
    late = Hub(state.database, state.doorbell, state.settings)
    await late.settle()

    async def read_nothing(*_: Any) -> FeedPage:
        raise AssertionError("the feed was read")

    read_by(monkeypatch, read_nothing)
    events, _ = await late.read_after(cursor)
    assert [event.key for event in events] == ["b", "c"]
    read_by(monkeypatch, read_page)


async def test_cursors_from_the_future_are_not_known(state: State) -> None:
    await state.hub.settle()
    assert await state.hub.knows(Cursor(state.hub.position))
    assert not await state.hub.knows(Cursor(Position(2**40, 1)))
    seen = Seen(2**40, ((1, 2),))
    assert not await state.hub.knows(Cursor(state.hub.position, seen))
