"""The doors to PostgreSQL: SQLAlchemy for ordinary statements, asyncpg for the hot paths.

Every application connection takes the role `onhand_app`, so that the privileges which keep the ledger
append-only hold even when the URL given is the owner's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NewType

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.postgres.urls import asyncpg_url, sqlalchemy_url

APPLICATION_ROLE = "onhand_app"
STATEMENT_TIMEOUT_MS = 30_000
LOOKUP_POOL_SIZE = 2

ReadSession = NewType("ReadSession", AsyncConnection)
"""A read-only transaction."""
Connection = Any  # asyncpg connections come from two pools, one of them behind SQLAlchemy


@dataclass(slots=True)
class WriteSession:
    """One read-write transaction: `sql` for SQLAlchemy statements and `raw`, the same connection, for the ledger."""

    sql: AsyncConnection
    raw: Connection


@dataclass(slots=True)
class Database:
    """The pools. `hot` connections keep their prepared statements.

    `lookups`: for single reads that a use case makes while it holds a connection of another pool. Whoever waits for a
    second connection of the pool that everybody waits for can wait for ever; nobody holds one of these and waits.
    """

    engine: AsyncEngine
    hot: Any
    lookups: Any

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A short read-only transaction on one snapshot; rolled back at the end."""
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield ReadSession(connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """A read-write transaction that commits when the block ends well. Only `transact` uses it."""
        async with self.engine.begin() as connection:
            await connection.exec_driver_sql("SELECT")  # SQLAlchemy begins with its own first statement, not ours
            fairy = await connection.get_raw_connection()
            yield WriteSession(connection, fairy.driver_connection)


@asynccontextmanager
async def begin_batch(database: Database) -> AsyncIterator[Connection]:
    """A transaction for statements over arrays, whose plans do not depend on their parameters.

    PostgreSQL would plan them anew each time, for about a tenth of a reservation batch; one round trip begins the
    transaction and says so. A connection that cannot even roll back is given up, so that the pool never lends it.
    """
    async with database.hot.acquire() as connection:
        await connection.execute("BEGIN; SET LOCAL plan_cache_mode = force_generic_plan")
        try:
            yield connection
        except BaseException:
            try:
                await connection.execute("ROLLBACK")
            except (OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
                connection.terminate()
            raise
        await connection.execute("COMMIT")


def _server_settings(name: str) -> dict[str, str]:
    return {
        "role": APPLICATION_ROLE,
        "application_name": name,
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_MS),
        "timezone": "UTC",
        "jit": "off",
    }


async def _keep_session(_: Connection) -> None:
    """Our statements leave nothing behind in a session, so the pool's reset round trip is saved."""


@asynccontextmanager
async def open_database(url: str, *, pool_size: int, hot_pool_size: int, name: str) -> AsyncIterator[Database]:
    """Open the pools lazily; connections are made when first needed."""
    engine = create_async_engine(
        sqlalchemy_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"server_settings": _server_settings(name)},
    )
    hot = await _open_pool(url, name, 1, hot_pool_size)
    lookups = await _open_pool(url, name, 0, LOOKUP_POOL_SIZE)
    try:
        yield Database(engine, hot, lookups)
    finally:
        await lookups.close()
        await hot.close()
        await engine.dispose()


async def _open_pool(url: str, name: str, size_min: int, size_max: int) -> Any:
    return await asyncpg.create_pool(
        asyncpg_url(url),
        min_size=size_min,
        max_size=size_max,
        server_settings=_server_settings(name),
        max_inactive_connection_lifetime=0,
        reset=_keep_session,
    )
