"""Returns that a channel lists when it is asked: stored raw, once for each state, and read in the order of versions."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from adapters.channels.base import InboundEvent, Throttled
from adapters.channels.memory import MemoryChannel
from adapters.channels.news import ReturnNotice, ReturnSeen
from adapters.channels.returns import ReturnPage
from app.channels.poll_returns import poll_returns
from app.channels.process_events import process_events
from app.settings import Settings
from domain.errors import Fault
from tests.app.floor.test_refunds import sold
from tests.floor import Floor, open_floor

STATES: list[dict[str, Any]] = []


async def list_returns(_: MemoryChannel, since: datetime.datetime, cursor: str | None = None) -> ReturnPage:
    """One record a page."""
    place = int(cursor or 0)
    records = []
    for raw in STATES[place : place + 1]:
        at = datetime.datetime.fromisoformat(raw["at"])
        event = InboundEvent(f"return:{raw['id']}@{raw['at']}", "EXTERNAL_RETURN", at)
        records.append((event, orjson.dumps(raw)))
    return ReturnPage(tuple(records), str(place + 1) if place + 1 < len(STATES) else None)


def read_event(_: MemoryChannel, topic: str, body: bytes) -> list[Any]:
    raw = orjson.loads(body)
    cancelled = raw["status"] == "CANCELLED"
    return [ReturnSeen(ReturnNotice(raw["id"], "1", items=(("SKU-0", raw["units"]),), cancelled=cancelled))]


@pytest.fixture
async def floor(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    monkeypatch.setattr(MemoryChannel, "lists_returns", True, raising=False)
    monkeypatch.setattr(MemoryChannel, "list_returns", list_returns, raising=False)
    monkeypatch.setattr(MemoryChannel, "read_event", read_event)
    async with open_floor(settings, monkeypatch) as opened:
        yield opened


def state(status: str, minute: int, units: int = 1, name: str = "A") -> dict[str, Any]:
    return {"id": name, "status": status, "units": units, "at": f"2026-11-25T10:{minute:02d}:00.000Z"}


async def poll(floor: Floor, *states: dict[str, Any]) -> int:
    """How many records are stored after it."""
    channel = await floor.company.channel("shop")
    STATES[:] = states
    await floor.company.execute("UPDATE channel_health SET returns_polled_at = NULL")
    assert (await poll_returns(floor.state, channel))[0] == len(states)
    assert (await poll_returns(floor.state, channel))[0] == 0, "not due"
    return int(await floor.company.value("SELECT count(*) FROM inbound_events WHERE topic = 'EXTERNAL_RETURN'"))


async def shown(floor: Floor) -> list[tuple[Any, ...]]:
    rows = await floor.state.database.hot.fetch(
        "SELECT r.external_id, r.state, l.authorized FROM returns r JOIN return_lines l ON l.return_id = r.id ORDER BY 1"
    )
    return [tuple(row) for row in rows]


async def test_every_state_is_stored_once_and_a_return_is_expected(floor: Floor) -> None:
    await sold(floor)
    assert await poll(floor, state("CREATED", 1), state("CREATED", 2, name="B")) == 2
    assert await poll(floor, state("IN_TRANSIT", 5), state("CREATED", 2, name="B")) == 3
    assert await process_events(floor.state) == 3
    assert await shown(floor) == [("A", "OPEN", 1), ("B", "OPEN", 1)]


async def test_a_long_list_goes_on_where_quota_stopped_it(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    async def list_two(it: MemoryChannel, since: datetime.datetime, cursor: str | None = None) -> ReturnPage:
        """The quota is two pages at a time."""
        if asked and len(asked) % 3 == 2:
            asked.append("quota")
            raise Throttled("Two at a time.", wait_seconds=7.0)
        asked.append(cursor)
        return await list_returns(it, since, cursor)

    monkeypatch.setattr(MemoryChannel, "list_returns", list_two)
    channel = await floor.company.channel("shop")
    STATES[:] = [state("CREATED", minute, name=f"R-{minute}") for minute in range(5)]
    assert [await poll_returns(floor.state, channel) for _ in range(4)] == [(2, 7.0), (2, 7.0), (1, 0.0), (0, 0.0)]
    assert asked == [None, "1", "quota", "2", "3", "quota", "4"]
    assert await floor.company.value("SELECT count(*) FROM inbound_events WHERE topic = 'EXTERNAL_RETURN'") == 5
    assert await floor.company.value("SELECT returns_list FROM channel_health WHERE returns_polled_at > now()") is None


async def test_a_place_that_the_vendor_refuses_is_given_up(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    async def list_badly(it: MemoryChannel, since: datetime.datetime, cursor: str | None = None) -> ReturnPage:
        asked.append(cursor)
        if cursor is not None:
            raise Fault("What page?", transient=False)
        return await list_returns(it, since, cursor)

    monkeypatch.setattr(MemoryChannel, "list_returns", list_badly)
    channel = await floor.company.channel("shop")
    STATES[:] = [state("CREATED", minute, name=f"R-{minute}") for minute in range(2)]
    for _ in range(2):
        await floor.company.execute("UPDATE channel_health SET returns_polled_at = NULL")
        await poll_returns(floor.state, channel)
    assert asked == [None, "1", None, "1"]


async def test_an_older_state_that_is_read_late_says_nothing(floor: Floor) -> None:
    await sold(floor)
    await poll(floor, state("CREATED", 1))
    await poll(floor, state("CANCELLED", 9))
    await process_events(floor.state)
    assert await shown(floor) == [("A", "CANCELLED", 1)], "it was called off before anybody had read of it"
    await floor.company.execute("UPDATE inbound_events SET processed_at = NULL, next_attempt_at = NULL")
    assert await process_events(floor.state) == 2
    assert await shown(floor) == [("A", "CANCELLED", 1)]


async def test_what_is_called_off_later_is_cancelled_and_may_be_read_again(floor: Floor) -> None:
    await sold(floor)
    await poll(floor, state("CREATED", 1))
    await process_events(floor.state)
    assert await shown(floor) == [("A", "OPEN", 1)]
    await poll(floor, state("CANCELLED", 9))
    for _ in range(2):
        await floor.company.execute("UPDATE inbound_events SET processed_at = NULL, next_attempt_at = NULL")
        await process_events(floor.state)
        assert await shown(floor) == [("A", "CANCELLED", 1)]
