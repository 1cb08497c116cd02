"""Of two changes of one case the second comes second in the feed, whichever transaction began first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson
import pytest

from adapters.postgres.feed import read_page
from app.exceptions.act_on_case import CaseAction, change_case
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.state import State
from domain.cursor import Position
from domain.errors import CauseClass
from domain.exceptions import DUE, CaseKind, Problem, Severity
from domain.provenance import Provenance

SUBJECTS = ("listing:1", "listing:2")
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"


@asynccontextmanager
async def begun(state: State) -> AsyncIterator[Any]:
    """A transaction that has its id, and commits at the end."""
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_current_xact_id()")
        yield connection


@pytest.fixture
async def cases(state: State) -> list[UUID]:
    problems = [
        Problem(CaseKind.DRIFT, Severity.LOW, CauseClass.UNKNOWN, subject, "It differs") for subject in SUBJECTS
    ]
    async with state.database.hot.acquire() as connection, connection.transaction():
        return await open_cases(connection, problems)


async def acknowledge(connection: Any, case_id: UUID) -> None:
    await change_case(connection, case_id, CaseAction("ACKNOWLEDGED", "ACKNOWLEDGED"), Provenance("test"))


async def read_states(state: State, case_id: UUID) -> list[str]:
    """As a client is told them."""
    page = await read_page(state.database.hot, Position(0, 0), 100)
    told = [orjson.loads(event.payload) for event in page.events if event.topic == "exception"]
    return [one["state"] for one in told if one["id"] == str(case_id)]


async def wait_for_lock(state: State) -> None:
    async with asyncio.timeout(10):
        while not await state.database.hot.fetchval(_WAITING):  # noqa: ASYNC110 - the database has no event for it
            await asyncio.sleep(0.01)


async def test_the_first_to_begin_is_the_second_to_change(state: State, cases: list[UUID]) -> None:
    async with begun(state) as early:
        async with begun(state) as late:
            await acknowledge(late, cases[0])
        await resolve_cases(early, ["DRIFT"], {SUBJECTS[0]: {}})
    assert await read_states(state, cases[0]) == ["OPEN", "ACKNOWLEDGED", "RESOLVED"]


async def test_a_statement_waits_for_one_case_while_another_changes(state: State, cases: list[UUID]) -> None:
    """The statement's own snapshot is from before the change that it comes after."""
    async with begun(state) as early:
        async with begun(state) as holder:
            await acknowledge(holder, cases[0])
            resolving = asyncio.create_task(resolve_cases(early, ["DRIFT"], {subject: {} for subject in SUBJECTS}))
            await wait_for_lock(state)
            async with begun(state) as late:
                await acknowledge(late, cases[1])
        assert await resolving == 2
    for case_id in cases:
        assert await read_states(state, case_id) == ["OPEN", "ACKNOWLEDGED", "RESOLVED"]


async def test_a_case_becomes_worse_and_never_better_and_is_told_when_it_does(state: State) -> None:
    for severity, standing, words, told in (
        (Severity.MEDIUM, "MEDIUM", "refuses MEDIUM", 1),
        (Severity.LOW, "MEDIUM", "refuses MEDIUM", 1),
        (Severity.HIGH, "HIGH", "refuses HIGH", 2),
        (Severity.HIGH, "HIGH", "refuses HIGH", 2),
        (Severity.MEDIUM, "HIGH", "refuses HIGH", 2),
    ):
        problem = Problem(CaseKind.DRIFT, severity, CauseClass.UNKNOWN, SUBJECTS[0], f"refuses {severity}")
        async with state.database.hot.acquire() as connection, connection.transaction():
            await open_cases(connection, [problem])
        row = await state.database.hot.fetchrow(
            "SELECT id, severity, title, due_at - opened_at AS due FROM exception_cases"
        )
        assert row is not None
        assert (row["severity"], row["title"]) == (standing, words)
        assert round(row["due"] / DUE[Severity(standing)], 2) == 1
        assert await read_states(state, row["id"]) == ["OPEN"] * told
    assert await state.database.hot.fetchval("SELECT count FROM exception_cases") == 5
    actions = await state.database.hot.fetch("SELECT action FROM exception_events ORDER BY id")
    assert [row[0] for row in actions] == ["OPENED", "WORSENED"]
