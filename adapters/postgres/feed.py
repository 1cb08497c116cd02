"""Reading the change feed: only what can no longer be overtaken by a transaction that commits late.

The line is the oldest transaction still running (`pg_snapshot_xmin`): below it nothing can appear any more, and
rows at or above it wait. A page is read by one statement, so all it says is of one snapshot: two statements would
miss the transaction that ends between them.

A row's `xid` is its place, `PLACE` when it was written: not before its own transaction, so that the above holds, and
not before any that had ended by then. Of two transactions that change the same thing one after the other, the second
may have begun first; its own id would put the newer state before the older one.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from domain.cursor import ID_MAX, Cursor, Position, see

PLACE = "greatest(pg_current_xact_id(), (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text::xid8)"
"""For `feed.xid`, in a statement that begins when the locks on what changed are held. What says nothing gets the same
by default, from a function (`feed_place`) that looks when the row is written: dearer, and right in statements that
lock, wait and tell in one."""
SEEN_PAGE, SEEN_PAGES_MAX = 1_000, 200
"""Rows above the line that a snapshot looks for. It takes a transaction that runs for very long to have more: what is
beyond is delivered although the snapshot held it."""
_COLUMNS = "f.xid, f.id, f.topic, f.key, f.sku_id, f.warehouse_id, f.channel_id, f.payload::text, f.created_at"
_READ = f"""
WITH snapshot AS MATERIALIZED (
  SELECT pg_snapshot_xmin(s) AS line, pg_snapshot_xmax(s) AS next_xid FROM pg_current_snapshot() s
), page AS (
  SELECT {_COLUMNS} FROM feed f
  WHERE (f.xid, f.id) > ($1::xid8, $2::bigint) AND f.xid < (SELECT line FROM snapshot)
  ORDER BY f.xid, f.id LIMIT $3
)
SELECT s.line, s.next_xid, h.xid, h.id,
  coalesce((SELECT f.xid FROM feed f ORDER BY f.xid DESC LIMIT 1) >= s.line, false), page.*
FROM snapshot s CROSS JOIN feed_horizon h LEFT JOIN page ON true
ORDER BY page.xid, page.id
"""  # noqa: S608
_RECENT = f"""
SELECT {_COLUMNS} FROM feed f WHERE (f.xid, f.id) <= ($1::xid8, $2::bigint)
ORDER BY f.xid DESC, f.id DESC LIMIT $3
"""  # noqa: S608
_SNAPSHOT = "SELECT pg_snapshot_xmin(s), pg_snapshot_xmax(s) FROM pg_current_snapshot() s"
_ABOVE = """
SELECT f.xid, f.id FROM (
  SELECT f.xid, f.id FROM feed f WHERE (f.xid, f.id) < ($1::xid8, $2::bigint) ORDER BY f.xid DESC, f.id DESC LIMIT $3
) f WHERE f.xid >= $4::xid8
"""
_BLOCKERS = """
SELECT l.pid FROM pg_locks l
WHERE l.locktype = 'transactionid' AND l.granted AND l.transactionid = $1::xid8::xid
"""
_FIRST_OLD = """
SELECT f.created_at < now() - make_interval(secs => $1) OR f.id <= last.id - $2
FROM (SELECT f.id FROM feed f ORDER BY f.xid DESC LIMIT 1) last,
  (SELECT f.id, f.created_at FROM feed f ORDER BY f.xid, f.id LIMIT 1) f
"""
_HORIZON = "SELECT xid, id FROM feed_horizon FOR UPDATE SKIP LOCKED"
_LAST_OLD = """
SELECT f.xid, f.id FROM (
  SELECT f.xid, f.id, bool_and(
    f.created_at < now() - make_interval(secs => $1)
    OR f.id <= (SELECT f.id FROM feed f ORDER BY f.xid DESC LIMIT 1) - $2
  ) OVER (ORDER BY f.xid, f.id) AS old
  FROM (
    SELECT f.xid, f.id, f.created_at FROM feed f
    WHERE (f.xid, f.id) > ($3::xid8, $4::bigint) AND f.xid < (SELECT pg_snapshot_xmin(pg_current_snapshot()))
    ORDER BY f.xid, f.id LIMIT $5
  ) f
) f WHERE f.old ORDER BY f.xid DESC, f.id DESC LIMIT 1
"""
_DELETE = """
DELETE FROM feed f WHERE (f.xid, f.id) > ($1::xid8, $2::bigint) AND (f.xid, f.id) <= ($3::xid8, $4::bigint)
"""
_MOVE_HORIZON = "UPDATE feed_horizon SET xid = $1::xid8, id = $2"


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One row of the feed. `payload` is JSON text."""

    xid: int
    id: int
    topic: str
    key: str
    sku_id: int | None
    warehouse_id: int | None
    channel_id: int | None
    payload: str
    created_at: datetime.datetime

    @property
    def position(self) -> Position:
        return Position(self.xid, self.id)


@dataclass(frozen=True, slots=True)
class FeedPage:
    """What one snapshot showed: rows below the `line`, in order, and whether committed rows wait above it.

    `horizon` is where the rows begin: older ones are deleted. No transaction has `next_xid` yet.
    """

    events: list[FeedEvent]
    line: int
    next_xid: int
    horizon: Position
    pending: bool

    def holds(self, position: Position) -> bool:
        """Whether nothing is missing after this position: it is neither before the horizon nor in the future."""
        return self.horizon <= position and position.xid < self.next_xid

    def end(self) -> Position:
        """Everything at or before this position is visible to any later snapshot."""
        return Position(self.line - 1, ID_MAX)


async def read_page(connection: Any, after: Position, limit: int) -> FeedPage:
    """Rows after a position, at most `limit`."""
    records = await connection.fetch(_READ, after.xid, after.id, limit)
    line, next_xid, xid, row_id, pending, *first = records[0]
    events = [] if first[0] is None else [FeedEvent(*record[5:]) for record in records]
    return FeedPage(events, line, next_xid, Position(xid, row_id), pending)


async def read_recent(connection: Any, upto: Position, limit: int) -> list[FeedEvent]:
    """The last rows up to a position, in order, at most `limit`."""
    return [FeedEvent(*record) for record in reversed(await connection.fetch(_RECENT, upto.xid, upto.id, limit))]


async def read_start(connection: Any) -> tuple[Cursor, int]:
    """Where a client stands that has the current snapshot, and the next transaction id of then.

    The transaction must be REPEATABLE READ.
    """
    line, next_xid = await connection.fetchrow(_SNAPSHOT)
    ids: list[int] = []
    place: Any = (next_xid, 0)
    for _ in range(SEEN_PAGES_MAX):
        page = await connection.fetch(_ABOVE, *place, SEEN_PAGE, line)
        ids += [record[1] for record in page]
        if len(page) < SEEN_PAGE:
            break
        place = page[-1]
    return Cursor(Position(line - 1, ID_MAX), see(next_xid, ids)), next_xid


async def find_blockers(connection: Any, line: int) -> list[int]:
    """Server processes whose transaction is the line; none when it ended, or is a prepared one."""
    return [record[0] for record in await connection.fetch(_BLOCKERS, line)]


async def delete_old(connection: Any, age_seconds: int, rows_max: int, limit: int) -> int:
    """Delete at most `limit` rows past the age or beyond `rows_max`, and move the horizon with them.

    Rows go in feed order, so that what is left has no holes, and only below the line: a row that readers cannot see
    yet is not theirs to have missed. Rows are counted by their ids, which have gaps, so `rows_max` is about. While
    another worker sweeps, nothing is done.
    """
    if not await connection.fetchval(_FIRST_OLD, age_seconds, rows_max):
        return 0
    async with connection.transaction():
        horizon = await connection.fetchrow(_HORIZON)
        last = horizon and await connection.fetchrow(_LAST_OLD, age_seconds, rows_max, *horizon, limit)
        if last is None:
            return 0
        status = await connection.execute(_DELETE, *horizon, *last)
        await connection.execute(_MOVE_HORIZON, *last)
    return int(status.rsplit(" ", 1)[-1])
