"""Groups and members on a real feed: one member's or the database's trouble is no gap in another member's stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.postgres.feed import FeedPage, delete_old, read_page
from api import member as member_module
from api.member import Member
from api.outlet import Gone, Outlet
from api.source import Source
from api.streams import Group
from app.feed import hub as hub_module
from app.feed.hub import FeedEvent
from app.state import State
from app.tasks import end_tasks
from domain.cursor import UNFINISHED, Cursor, Position
from tests.feed_rows import write_rows
from tests.within import until

SNAPSHOT = ["snapshot", "ready"]
EXPIRED = ["snapshot expired", "ready expired"]


class Keys(Source):
    """Events as their keys. The first `failures` loads fail, and events called `poison` cannot be shown."""

    topic = "stock"

    def __init__(self, failures: int = 0) -> None:
        self.snapshots = 0
        self._failures = failures
        self._known = failures == 0

    async def prepare(self, context: Any, arguments: dict[str, Any]) -> str:
        return "everything"

    def accepts(self, watch: Any, event: FeedEvent) -> bool:
        return True

    async def load(self, events: list[FeedEvent]) -> None:
        if self._failures:
            self._failures -= 1
            raise ConnectionError("the database restarts")
        self._known = True

    def knows(self, event: FeedEvent) -> bool:
        return self._known

    def change(self, event: FeedEvent, cursor: str) -> str:
        if event.key == "poison":
            raise ValueError(event.key)
        return event.key

    async def snapshot(self, connection: Any, watch: Any, cursor: str, expired: bool) -> AsyncIterator[str]:
        self.snapshots += 1
        yield "snapshot expired" if expired else "snapshot"

    def ready(self, cursor: str, expired: bool) -> str:
        return "ready expired" if expired else "ready"


class Listed(Outlet):
    """Keeps what it gets. Without room it is full after each payload, until there is room again."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.room = asyncio.Event()
        self.room.set()
        self.left = False

    def write(self, payload: bytes) -> bool:
        if not self.left:
            self.got.append(payload.decode())
        return self.room.is_set() and not self.left

    async def drain(self) -> None:
        await self.room.wait()
        if self.left:
            raise Gone


class Stage:
    """A group on the real hub, and members of it."""

    def __init__(self, state: State, source: Keys) -> None:
        self.state = state
        self.source = source
        self.group = Group(source, "everything", lambda value: str(value).encode(), "stockChanged", state.hub)
        self.running: list[asyncio.Task[None]] = []

    def join(self, after: str | None = None) -> tuple[Listed, Member]:
        outlet = Listed()
        member = Member(self.group, outlet, after)
        self.group.members.add(member)
        self.running.append(asyncio.create_task(member.run()))
        return outlet, member

    async def write(self, *keys: str) -> None:
        await write_rows(self.state, *keys)
        self.state.doorbell.ring("feed")

    async def until_delivered(self) -> None:
        """Wait until the hub has handed out all that is written."""
        record = await self.state.database.hot.fetchrow("SELECT xid, id FROM feed ORDER BY xid DESC, id DESC LIMIT 1")
        await until(lambda: self.state.hub.position >= tuple(record))


@asynccontextmanager
async def staged(state: State, source: Keys | None = None) -> AsyncIterator[Stage]:
    await state.hub.settle()
    stage = Stage(state, source or Keys())
    try:
        yield stage
    finally:
        await end_tasks(*stage.running)
        stage.group.close()


def numbered(count: int) -> list[str]:
    return [str(number) for number in range(count)]


async def live(*members: Member) -> None:
    await until(lambda: all(member.live for member in members))


async def sweep_all(state: State) -> None:
    async with state.database.hot.acquire() as connection:
        await connection.execute("UPDATE feed SET created_at = now() - interval '1 day'")
        assert await delete_old(connection, 60, 1_000_000, 10_000) > 0


async def test_a_client_that_left_takes_nothing_from_the_others(state: State) -> None:
    async with staged(state) as stage:
        joined = [stage.join() for _ in range(20)]
        await live(*(member for _, member in joined))
        gone, _ = joined[7]
        gone.left = True
        await stage.write("1", "2")
        with pytest.raises(Gone):
            await stage.running[7]
        others = [outlet for outlet, _ in joined if outlet is not gone]
        await until(lambda: all(outlet.got == [*SNAPSHOT, "1", "2"] for outlet in others))


async def test_events_wait_while_the_catalogue_cannot_be_read(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streams.LOAD_RETRY_SECONDS", 0.01)
    async with staged(state, Keys(failures=2)) as stage:
        outlet, member = stage.join()
        await live(member)
        await stage.write("1")
        await stage.write("2")
        await until(lambda: outlet.got == [*SNAPSHOT, "1", "2"])


async def test_a_stream_without_its_catalogue_keeps_no_endless_queue(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.streams.LOAD_RETRY_SECONDS", 0.01)
    monkeypatch.setattr("api.streams.UNKNOWN_MAX", 5)
    source = Keys(failures=1_000_000)
    async with staged(state, source) as stage:
        outlet, member = stage.join()
        await live(member)
        await stage.write(*numbered(8))
        await until(lambda: outlet.got == SNAPSHOT + EXPIRED)
        source._failures = 0
        await stage.write("9")
        await until(lambda: outlet.got[-1] == "9")


async def test_every_member_gets_a_fresh_snapshot_when_the_sweep_overtook_the_hub(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(state) as stage:
        outlets, members = zip(*(stage.join() for _ in range(5)), strict=True)
        await live(*members)

        async def read_late(connection: Any, after: Position, limit: int) -> FeedPage:
            monkeypatch.setattr(hub_module, "read_page", read_page)
            await write_rows(state, "never seen")
            await sweep_all(state)
            return await read_page(connection, after, limit)

        monkeypatch.setattr(hub_module, "read_page", read_late)
        state.doorbell.ring("feed")
        await until(lambda: all(outlet.got == SNAPSHOT + EXPIRED for outlet in outlets))
        await live(*members)
        await stage.write("after")
        await until(lambda: all(outlet.got[-1] == "after" for outlet in outlets))


@pytest.mark.parametrize("after", [UNFINISHED, f"{2**40}.1", f"1.1~{2**40}:1-2"])
async def test_a_cursor_that_leads_nowhere_gets_a_fresh_snapshot_that_says_so(state: State, after: str) -> None:
    async with staged(state) as stage:
        outlet, member = stage.join(after)
        await live(member)
        assert outlet.got == EXPIRED
        await stage.write("1")
        await until(lambda: outlet.got[-1] == "1")


async def test_rows_swept_while_a_client_resumes_are_no_silent_gap(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "RECENT_MAX", 2)
    monkeypatch.setattr(hub_module, "PAGE_MAX", 3)
    async with staged(state) as stage:
        start = str(Cursor(state.hub.position))
        await stage.write(*numbered(20))
        await stage.until_delivered()
        reads = iter(range(3))

        async def read_then_sweep(connection: Any, after: Position, limit: int) -> FeedPage:
            page = await read_page(connection, after, limit)
            if next(reads, None) == 1:
                await sweep_all(state)
            return page

        monkeypatch.setattr(hub_module, "read_page", read_then_sweep)
        outlet, member = stage.join(start)
        await live(member)
        assert outlet.got == [*numbered(6), *EXPIRED]


async def test_a_resume_replays_every_change_however_many_come_meanwhile(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "RECENT_MAX", 10)
    async with staged(state) as stage:
        start = str(Cursor(state.hub.position))
        await stage.write(*["same"] * 60)
        await stage.until_delivered()
        outlet, member = stage.join(start)
        outlet.room.clear()
        await until(lambda: outlet.got == ["same"])
        await stage.write(*["same"] * 60)
        await stage.until_delivered()
        outlet.room.set()
        await live(member)
        assert outlet.got.count("same") == 120
        assert outlet.got.count("ready") == 1


async def test_a_slow_client_holds_nothing_and_gets_the_latest_of_a_page_per_key(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (hub_module, member_module):
        monkeypatch.setattr(module, "PAGE_MAX", 6)
    async with staged(state) as stage:
        outlet, member = stage.join()
        quick, _ = stage.join()
        await live(member)
        outlet.room.clear()
        await stage.write("0", *["a", "b"] * 4, "c")
        await until(lambda: quick.got == [*SNAPSHOT, "0", *["a", "b"] * 4, "c"])
        assert outlet.got == [*SNAPSHOT, "0"]
        outlet.room.set()
        await live(member)
        assert outlet.got == [*SNAPSHOT, "0", "a", "b", "a", "b", "c"]


async def test_a_client_too_slow_to_be_remembered_gets_a_fresh_snapshot(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "RECENT_MAX", 3)
    async with staged(state) as stage:
        outlet, member = stage.join()
        await live(member)
        outlet.room.clear()
        await stage.write(*numbered(12))
        await stage.until_delivered()
        outlet.room.set()
        await until(lambda: outlet.got == [*SNAPSHOT, "0", *EXPIRED])
        await live(member)
        await stage.write("after")
        await until(lambda: outlet.got[-1] == "after")


async def test_a_change_that_cannot_be_shown_is_passed_over_by_a_snapshot(state: State) -> None:
    async with staged(state) as stage:
        start = str(Cursor(state.hub.position))
        outlet, member = stage.join()
        await live(member)
        await stage.write("1", "poison")
        await until(lambda: outlet.got == [*SNAPSHOT, "1", *EXPIRED])
        resumed, again = stage.join(start)
        await live(member, again)
        assert resumed.got == ["1", *EXPIRED]
        await stage.write("2")
        await until(lambda: outlet.got[-1] == resumed.got[-1] == "2")


async def test_members_that_join_together_share_a_snapshot(state: State) -> None:
    async with staged(state) as stage:
        members = [stage.join()[1] for _ in range(50)]
        await live(*members)
        assert stage.source.snapshots <= 2


async def test_members_that_resume_together_do_not_each_read_the_feed(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0

    async def count(connection: Any, after: Position, limit: int) -> FeedPage:
        nonlocal reads
        reads += 1
        return await read_page(connection, after, limit)

    async with staged(state) as stage:
        start = str(Cursor(state.hub.position))
        await stage.write(*numbered(20))
        await stage.until_delivered()
        monkeypatch.setattr(hub_module, "read_page", count)
        outlets, members = zip(*(stage.join(start) for _ in range(200)), strict=True)
        await live(*members)
        assert all(outlet.got == [*numbered(20), "ready"] for outlet in outlets)
        assert reads < 5


async def test_a_member_outlives_a_database_that_restarts(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_module, "READ_RETRY_SECONDS", 0.01)
    failures: Iterable[Exception] = iter([OSError("refused"), RuntimeError("closing")])
    read_after = state.hub.read_after

    async def fail_first(after: Position) -> Any:
        for error in failures:
            raise error
        return await read_after(after)

    async with staged(state) as stage:
        start = str(Cursor(state.hub.position))
        await stage.write("1")
        await stage.until_delivered()
        monkeypatch.setattr(state.hub, "read_after", fail_first)
        outlet, member = stage.join(start)
        await live(member)
        assert outlet.got == ["1", "ready"]
