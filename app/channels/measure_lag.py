"""Acknowledgement lag: from the stock change that left a listing behind until its channel had acknowledged it.

Counted per channel and minute in buckets (`domain.lag`), by the transaction that keeps the attempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.database import Database
from domain.lag import bucket_of, percentile_of

WINDOW_MINUTES = 5
KEPT_MINUTES = 60
ROWS_MAX = 5_000
_NOTE = """
INSERT INTO channel_lags AS k (channel_id, minute, bucket, count)
SELECT $1, date_trunc('minute', clock_timestamp()), b.bucket, b.count
FROM unnest($2::smallint[], $3::bigint[]) AS b (bucket, count) ORDER BY b.bucket
ON CONFLICT (channel_id, minute, bucket) DO UPDATE SET count = k.count + excluded.count
"""
_READ = """
SELECT channel_id, bucket, sum(count)::bigint AS count FROM channel_lags
WHERE channel_id = ANY($1::int[]) AND minute >= date_trunc('minute', now()) - make_interval(mins => $2)
GROUP BY channel_id, bucket
"""
_FORGET = """
DELETE FROM channel_lags WHERE (channel_id, minute, bucket) IN (
  SELECT channel_id, minute, bucket FROM channel_lags WHERE minute < now() - make_interval(mins => $1)
  ORDER BY minute LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """Seconds. `acknowledged`: listings counted."""

    p50: float
    p95: float
    p99: float
    acknowledged: int


async def note_lags(connection: Any, channel_id: int, lags: Sequence[float]) -> None:
    """Count what a call acknowledged; `lags` in seconds."""
    if lags:
        counts = sorted(Counter(bucket_of(seconds) for seconds in lags).items())
        await connection.execute(_NOTE, channel_id, [bucket for bucket, _ in counts], [count for _, count in counts])


async def read_lags(connection: Any, channel_ids: Sequence[int]) -> dict[int, Lag]:
    """Of the last `WINDOW_MINUTES` full minutes and the current one; without channels that acknowledged nothing."""
    counts: dict[int, dict[int, int]] = {}
    for row in await connection.fetch(_READ, list(channel_ids), WINDOW_MINUTES):
        counts.setdefault(row["channel_id"], {})[row["bucket"]] = row["count"]
    return {channel_id: _lag(found) for channel_id, found in counts.items()}


def _lag(counts: dict[int, int]) -> Lag:
    p50, p95, p99 = (percentile_of(counts, share) or 0.0 for share in (0.5, 0.95, 0.99))
    return Lag(p50, p95, p99, sum(counts.values()))


async def forget_lags(database: Database) -> int:
    """Delete what is past every window, a bounded number; returns how many rows."""
    status: str = await database.hot.execute(_FORGET, KEPT_MINUTES, ROWS_MAX)
    return int(status.rsplit(" ", 1)[-1])
