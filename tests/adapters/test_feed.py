"""Pages and sweeps of the feed: what one statement sees, what may go, and that neither reads the whole table."""

from __future__ import annotations

import asyncpg
import pytest

from adapters.postgres import feed
from adapters.postgres.feed import delete_old, read_page
from app.state import State
from domain.cursor import Position
from tests.feed_rows import blocked, write_rows

START = Position(0, 0)
YEAR, MANY = 365 * 86_400, 1_000_000


async def keys_left(state: State) -> list[str]:
    return [row[0] for row in await state.database.hot.fetch("SELECT key FROM feed ORDER BY xid, id")]


async def sweep(state: State, age_seconds: int, rows_max: int, limit: int) -> int:
    async with state.database.hot.acquire() as connection:
        return await delete_old(connection, age_seconds, rows_max, limit)


async def make_old(state: State) -> None:
    await state.database.hot.execute("UPDATE feed SET created_at = now() - interval '1 day'")


async def test_a_page_says_in_one_what_is_held_back(state: State) -> None:
    await write_rows(state, "a")
    async with blocked(state):
        await write_rows(state, "b")
        page = await read_page(state.database.hot, START, 10)
        assert ([event.key for event in page.events], page.pending) == (["a"], True)
        assert page.events[-1].xid < page.line < page.next_xid
    page = await read_page(state.database.hot, page.events[-1].position, 10)
    assert ([event.key for event in page.events], page.pending) == (["b"], False)


async def test_an_empty_feed_is_a_page_too(state: State) -> None:
    page = await read_page(state.database.hot, START, 10)
    assert (page.events, page.horizon, page.pending) == ([], START, False)


async def test_a_page_holds_neither_what_is_swept_nor_the_future(state: State) -> None:
    await write_rows(state, "a", "b")
    first, second = [event.position for event in (await read_page(state.database.hot, START, 10)).events]
    await make_old(state)
    assert await sweep(state, 60, MANY, 1) == 1
    page = await read_page(state.database.hot, first, 10)
    assert page.holds(first)
    assert page.holds(second)
    assert not page.holds(START)
    assert not page.holds(Position(page.next_xid, 0))


async def test_rows_that_readers_cannot_see_yet_are_not_swept(state: State) -> None:
    await write_rows(state, "below")
    async with blocked(state) as blocker:
        await write_rows(state, "above")
        await blocker.connection.execute(
            "INSERT INTO feed (topic, key, payload) VALUES ('stock', 'of the blocker', '{}')"
        )
        await make_old(state)
        assert await sweep(state, 60, MANY, 100) == 1
        assert await keys_left(state) == ["above"]
        assert await sweep(state, 60, 1, 100) == 0
    await make_old(state)
    assert await sweep(state, 60, MANY, 100) == 2
    assert await keys_left(state) == []


async def test_the_oldest_rows_go_first_and_the_horizon_with_them(state: State) -> None:
    await write_rows(state, *"abcdef")
    positions = [event.position for event in (await read_page(state.database.hot, START, 10)).events]
    assert await sweep(state, YEAR, 4, 1) == 1
    assert await sweep(state, YEAR, 4, 100) == 1
    assert await sweep(state, YEAR, 4, 100) == 0
    assert await keys_left(state) == list("cdef")
    assert (await read_page(state.database.hot, START, 10)).horizon == positions[1]


async def test_another_sweep_under_way_is_left_alone(state: State) -> None:
    await write_rows(state, "a")
    await make_old(state)
    async with state.database.hot.acquire() as connection, connection.transaction():
        assert await delete_old(connection, 60, MANY, 100) == 1
        assert await sweep(state, 60, MANY, 100) == 0


@pytest.fixture
async def unanalysed(state: State, settings: object) -> State:
    """Many rows that the planner knows nothing of."""
    owner = await asyncpg.connect(settings.migration_database_url)  # type: ignore[attr-defined]
    await owner.execute("ALTER TABLE feed SET (autovacuum_enabled = false)")
    await owner.execute(
        "INSERT INTO feed (topic, key, payload) SELECT 'stock', n::text, '{}' FROM generate_series(1, 50000) n"
    )
    await owner.close()
    return state


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        (feed._READ, (5, 100, 1_000)),
        (feed._ABOVE, (2**40, 0, feed.SEEN_PAGE, 5)),
        (feed._RECENT, (2**40, 1, 4_000)),
        (feed._FIRST_OLD, (YEAR, MANY)),
        (feed._LAST_OLD, (YEAR, 49_000, 0, 0, 1_000)),
        (feed._DELETE, (0, 0, 5, 1_000)),
    ],
)
async def test_no_statement_reads_the_whole_feed(unanalysed: State, statement: str, arguments: tuple[int, ...]) -> None:
    async with unanalysed.database.hot.acquire() as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        plan = await connection.fetch("EXPLAIN (ANALYZE, COSTS OFF) " + statement, *arguments)
    text = "\n".join(row[0] for row in plan)
    assert "Seq Scan on feed f" not in text, text
