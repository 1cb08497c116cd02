"""Reading the change feed: only what can no longer be overtaken by a transaction that commits late."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from domain.cursor import Position, Snapshot, parse_snapshot

_READ = """
SELECT f.xid::text::bigint, f.id, f.topic, f.key, f.sku_id, f.warehouse_id, f.payload::text, f.created_at
FROM feed f
WHERE (f.xid, f.id) > ($1::text::xid8, $2::bigint) AND f.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY f.xid, f.id LIMIT $3
"""
_PENDING = "SELECT EXISTS (SELECT FROM feed f WHERE f.xid >= pg_snapshot_xmin(pg_current_snapshot()))"
_OLD = """
WITH old AS (
  SELECT xid, id FROM feed
  WHERE created_at < now() - make_interval(secs => $1)
     OR (xid, id) <= (SELECT xid, id FROM feed ORDER BY xid DESC, id DESC OFFSET $2 LIMIT 1)
  ORDER BY xid, id LIMIT $3
), gone AS (
  DELETE FROM feed f USING old WHERE f.xid = old.xid AND f.id = old.id RETURNING f.xid, f.id
)
SELECT xid::text, id FROM gone ORDER BY xid DESC, id DESC
"""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One row of the feed. `payload` is JSON text."""

    xid: int
    id: int
    topic: str
    key: str
    sku_id: int | None
    warehouse_id: int | None
    payload: str
    created_at: datetime.datetime

    @property
    def position(self) -> Position:
        return Position(self.xid, self.id)


async def read_feed(connection: Any, after: Position, limit: int) -> list[FeedEvent]:
    """Rows after a position that no late commit can precede, in order, at most `limit`."""
    return [FeedEvent(*record) for record in await connection.fetch(_READ, str(after.xid), after.id, limit)]


async def has_pending(connection: Any) -> bool:
    """Whether rows are committed that an older running transaction still holds back."""
    return bool(await connection.fetchval(_PENDING))


async def read_snapshot(connection: Any) -> Snapshot:
    """The snapshot of the current transaction, which must be REPEATABLE READ."""
    return parse_snapshot(await connection.fetchval("SELECT pg_current_snapshot()::text"))


async def read_horizon(connection: Any) -> Position:
    """Rows up to here are deleted: a cursor before it cannot be resumed."""
    record = await connection.fetchrow("SELECT xid::text::bigint, id FROM feed_horizon")
    return Position(record[0], record[1])


async def delete_old(connection: Any, age_seconds: int, rows_max: int, limit: int) -> int:
    """Delete at most `limit` rows past the age or beyond `rows_max`, and move the horizon, in one transaction."""
    async with connection.transaction():
        gone = await connection.fetch(_OLD, age_seconds, rows_max, limit)
        if gone:
            await connection.execute(
                "UPDATE feed_horizon SET xid = $1::text::xid8, id = $2 WHERE (xid, id) < ($1::text::xid8, $2)",
                gone[0][0],
                gone[0][1],
            )
    return len(gone)
