"""Run a use case in one transaction, and again in a fresh one when the database asks for it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError

from adapters.postgres.database import Database, WriteSession
from adapters.postgres.idempotency import IdempotencyRace
from app.tracing import span
from domain.errors import Fault

T = TypeVar("T")
ATTEMPTS_MAX = 8
BACKOFF_SECONDS = 0.005
RERUN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, IdempotencyRace)


async def rerun(work: Callable[[], Awaitable[T]]) -> T:
    """Call `work`, which opens its own transaction, until it is through; at most `ATTEMPTS_MAX` times.

    Raises a transient `Fault` when the database refused every attempt.
    """
    for attempt in range(ATTEMPTS_MAX):
        try:
            with span("transaction", attempt=attempt):
                return await work()
        except RERUN as error:
            last: Exception = error
        except DBAPIError as error:
            if not isinstance(getattr(error.orig, "__cause__", None), RERUN):
                raise
            last = error
        await asyncio.sleep(BACKOFF_SECONDS * 2**attempt * random.random())  # noqa: S311
    raise Fault("The database is too busy with the same rows: try again.", transient=True) from last


async def transact(database: Database, work: Callable[[WriteSession], Awaitable[T]]) -> T:
    """Run `work` in one read-write transaction and commit it; the only place that commits."""

    async def once() -> T:
        async with database.write() as session:
            return await work(session)

    return await rerun(once)
