"""Keep the feed bounded by age and by rows."""

from __future__ import annotations

from adapters.postgres.database import Database
from adapters.postgres.feed import delete_old
from app.settings import Settings

BATCH_MAX = 5_000


async def sweep_feed(database: Database, settings: Settings) -> int:
    """Delete one bounded batch of old rows; returns how many went."""
    async with database.hot.acquire() as connection:
        return await delete_old(connection, settings.feed_retention_seconds, settings.feed_rows_max, BATCH_MAX)
