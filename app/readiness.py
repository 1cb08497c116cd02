"""What a process still waits for before it can serve."""

from __future__ import annotations

import asyncio

import asyncpg
from redis import asyncio as redis
from redis.exceptions import RedisError

from app.state import State
from migrations.head import head_revision

SECONDS_MAX = 2.0


async def find_unready(state: State) -> list[str]:
    """Names among `database`, `migrations` and `redis`; empty when ready."""
    found = []
    try:
        async with asyncio.timeout(SECONDS_MAX):
            revision = await state.database.hot.fetchval("SELECT version_num FROM alembic_version")
        if revision != head_revision():
            found.append("migrations")
    except asyncpg.UndefinedTableError:
        found.append("migrations")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        found.append("database")
    client = redis.Redis.from_url(state.settings.redis_url, protocol=2)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await client.ping()
    except (RedisError, OSError, TimeoutError):
        found.append("redis")
    finally:
        await client.aclose()
    return found
