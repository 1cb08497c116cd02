"""One member's or the database's trouble is no gap in another member's stream."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from api.streams import Group, Member, Source
from app.feed.hub import FeedEvent
from domain.cursor import Position
from tests.within import within


class Keys(Source):
    """Events as their keys; the first `failures` loads fail."""

    topic = "stock"

    def __init__(self, failures: int = 0) -> None:
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
        return event.key

    async def snapshot(self, connection: Any, watch: Any, cursor: str, expired: bool) -> AsyncIterator[str]:
        yield "snapshot"

    def ready(self, cursor: str, expired: bool) -> str:
        return "ready"


class Feed:
    """Stands where the hub is: hands out what the test says."""

    position = Position(0, 0)

    def attach(self, topic: str, deliver: Callable[[list[FeedEvent]], None]) -> Callable[[], None]:
        self.deliver = deliver
        return lambda: None


def make_event(number: int) -> FeedEvent:
    return FeedEvent(number, number, "stock", str(number), 1, 1, "{}", datetime.datetime.now(datetime.UTC))


def make_group(source: Source, monkeypatch: pytest.MonkeyPatch) -> tuple[Feed, Group]:
    feed: Any = Feed()
    executor: Any = None
    monkeypatch.setattr(Group, "encode", lambda _, value: value)
    return feed, Group(source, "everything", executor, "stockChanged", feed)


def join(group: Group, got: list[str]) -> Member:
    async def send(payload: str) -> None:
        got.append(payload)

    member = Member(group, send, None)
    group.members.add(member)
    member.live = True
    return member


async def test_a_client_that_left_takes_nothing_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    feed, group = make_group(Keys(), monkeypatch)
    received: list[list[str]] = [[] for _ in range(20)]
    for got in received:
        join(group, got)

    async def send(_: str) -> None:
        raise OSError("the client left")

    gone = join(group, [])
    gone._send = send
    feed.deliver([make_event(1), make_event(2)])
    assert received == [["1", "2"]] * 20
    with pytest.raises(OSError, match="the client left"):
        await gone._drain()


async def test_events_wait_while_the_catalogue_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streams.LOAD_RETRY_SECONDS", 0.01)
    feed, group = make_group(Keys(failures=2), monkeypatch)
    got: list[str] = []
    join(group, got)
    feed.deliver([make_event(1)])
    await asyncio.sleep(0)
    feed.deliver([make_event(2)])
    assert group._loading is not None
    await within(5, group._loading)
    assert got == ["1", "2"]
