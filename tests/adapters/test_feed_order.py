"""Of two changes of one thing the second comes second, whichever transaction began first."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest

from adapters.postgres import feed
from adapters.postgres.feed import read_page, read_start
from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.state import State
from domain.cursor import Cursor, Position, parse_cursor
from domain.provenance import Provenance, Remarks
from domain.stock import Posting, StockKey
from tests.feed_rows import blocked, write_rows

FOOTING = Footing(Provenance("test"), Remarks("RECEIPT"))
_WAREHOUSE = "INSERT INTO warehouses (code, name) VALUES ('BER', 'Berlin') RETURNING id"
_SKU = "INSERT INTO skus (code, title) VALUES ('MUG', 'A mug') RETURNING id"


@pytest.fixture
async def key(state: State) -> StockKey:
    warehouse = await state.database.hot.fetchval(_WAREHOUSE)
    return StockKey(await state.database.hot.fetchval(_SKU), warehouse)


async def receive(connection: Any, key: StockKey) -> None:
    book = await lock_rows(connection, [key])
    book.post(Posting(key, "supplier", "available", 1))
    await write_book(connection, book, [FOOTING], datetime.datetime.now(datetime.UTC))


@asynccontextmanager
async def begun(state: State) -> AsyncIterator[Any]:
    """A transaction that has its id, and commits at the end."""
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_current_xact_id()")
        yield connection


async def receive_alone(state: State, key: StockKey) -> None:
    async with begun(state) as connection:
        await receive(connection, key)


async def read_versions(state: State, cursor: Cursor) -> tuple[list[int], Cursor]:
    """What a client at `cursor` gets now, and where it stands then."""
    page = await read_page(state.database.hot, cursor.position, 100)
    versions = []
    for event in page.events:
        if not cursor.skips(event.position):
            versions.append(orjson.loads(event.payload)["version"])
            cursor = parse_cursor(str(cursor.at(event.position)))
    return versions, cursor


async def take_start(state: State) -> Cursor:
    async with (
        state.database.hot.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return (await read_start(connection))[0]


async def test_the_later_change_comes_later_though_its_transaction_began_first(state: State, key: StockKey) -> None:
    async with begun(state) as early:
        await receive_alone(state, key)
        await receive(early, key)
    assert (await read_versions(state, Cursor(Position(0, 0))))[0] == [1, 2]


async def test_no_line_between_the_two_tears_them_apart(state: State, key: StockKey) -> None:
    """A transaction that began between them holds back neither or both, never the earlier change alone."""
    got: list[int] = []
    cursor = Cursor(Position(0, 0))
    async with AsyncExitStack() as stack:
        async with begun(state) as early:
            await stack.enter_async_context(blocked(state))
            await receive_alone(state, key)
            await receive(early, key)
        versions, cursor = await read_versions(state, cursor)
        got += versions
    versions, cursor = await read_versions(state, cursor)
    assert got + versions == [1, 2]


async def test_a_chain_of_ever_earlier_transactions_keeps_its_order(state: State, key: StockKey) -> None:
    got: list[int] = []
    cursor = Cursor(Position(0, 0))
    async with begun(state) as first:
        async with begun(state) as second:
            async with begun(state) as third:
                await receive(third, key)
            versions, cursor = await read_versions(state, cursor)
            got += versions
            await receive(second, key)
        versions, cursor = await read_versions(state, cursor)
        got += versions
        await receive(first, key)
    versions, cursor = await read_versions(state, cursor)
    assert got + versions == [1, 2, 3]


async def test_a_snapshot_among_running_changes_is_followed_by_exactly_the_others(
    state: State, key: StockKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SEEN_PAGE", 2)
    async with begun(state) as early:
        await write_rows(state, "a", "b", "c", "d", topic="another")
        await receive_alone(state, key)
        start = await take_start(state)
        assert start.seen is not None
        assert len({row for first, last in start.seen.ranges for row in range(first, last + 1)}) == 5
        await receive(early, key)
        still_running = await take_start(state)
        assert still_running.seen is not None
        # The server may have begun a transaction of its own meanwhile.
        assert replace(still_running, seen=replace(still_running.seen, xmax=start.seen.xmax)) == start
    after = await take_start(state)
    assert after.seen is None
    assert (await read_versions(state, start))[0] == [2]
    assert (await read_versions(state, still_running))[0] == [2]
    assert (await read_versions(state, after))[0] == []


async def test_places_are_below_the_line_as_soon_as_nothing_runs(state: State, key: StockKey) -> None:
    async with begun(state) as early:
        await receive_alone(state, key)
        await receive(early, key)
    page = await read_page(state.database.hot, Position(0, 0), 10)
    assert not page.pending
    assert all(event.xid < page.line for event in page.events)
