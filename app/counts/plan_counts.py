"""Plan each warehouse's counts of the day, bounded to a share of its lines.

What was planned before and is still to be scanned takes its part of the day, so the work a day is bounded and not only
the planning.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.counts.create_count import LINES_MAX, CountCreate, NewLine, insert_count, lock_warehouse
from app.state import State
from app.transact import rerun
from domain.count_plan import (
    Candidate,
    PlannedLine,
    choose_lines,
    classify_abc,
    lines_limit,
    measure_rate,
    measure_relapse,
)
from domain.counts import CountCause

VELOCITY_DAYS = 90
SIGNAL_DAYS = 90
PLANNER = "system:count plan"
_DUE = """
SELECT w.id, w.code, (now() AT TIME ZONE w.time_zone)::date AS day FROM warehouses w
WHERE w.status = 'LIVE' AND w.kind = 'OWN' AND NOT EXISTS (
  SELECT FROM counts c WHERE c.warehouse_id = w.id AND c.planned_for = (now() AT TIME ZONE w.time_zone)::date)
AND EXISTS (SELECT FROM stock_levels l WHERE l.warehouse_id = w.id)
ORDER BY w.id
"""
_PLANNED = "SELECT id FROM counts WHERE warehouse_id = $1 AND planned_for = $2"
_LINES = """
SELECT l.sku_id, coalesce(k.unit_cost, 0)::float8 AS cost, coalesce(d.sold, 0)::int AS sold,
  (coalesce(a.handlings, 0) - coalesce(last.handlings, 0))::int AS handlings, last.scanned_at,
  (extract(epoch FROM now() - coalesce(last.scanned_at, a.first_at, k.created_at)) / 86400)::float8 AS days,
  EXISTS (SELECT FROM count_lines o WHERE o.warehouse_id = $1 AND o.sku_id = l.sku_id AND o.bucket = 'available'
          AND o.status IN ('OPEN', 'RECOUNT', 'COUNTED')) AS taken
FROM stock_levels l JOIN skus k ON k.id = l.sku_id
LEFT JOIN sku_activity a ON a.sku_id = l.sku_id AND a.warehouse_id = l.warehouse_id
LEFT JOIN (SELECT sku_id, sum(sold) AS sold FROM demand_days WHERE warehouse_id = $1 AND day > $2 GROUP BY 1) d
  ON d.sku_id = l.sku_id
LEFT JOIN LATERAL (
  SELECT c.scanned_at, c.handlings FROM count_lines c
  WHERE c.warehouse_id = $1 AND c.sku_id = l.sku_id AND c.bucket = 'available' AND c.bin_id IS NULL
    AND c.status IN ('POSTED', 'REJECTED') ORDER BY c.scanned_at DESC LIMIT 1) last ON true
WHERE l.warehouse_id = $1 AND (l.available + l.reserved + l.committed > 0 OR coalesce(a.handlings, 0) > 0)
"""
_SIGNALS = f"""
SELECT sku_id, kind, count(*)::int AS times FROM (
  SELECT s.sku_id, s.kind, s.noticed_at FROM stock_suspicions s
  WHERE s.warehouse_id = $1 AND s.noticed_at > now() - interval '{SIGNAL_DAYS} days'
  UNION ALL
  SELECT x.sku_id, 'DRIFT', x.opened_at FROM exception_cases x
  WHERE x.kind = 'DRIFT' AND x.sku_id IS NOT NULL AND x.opened_at > now() - interval '{SIGNAL_DAYS} days'
    AND (x.warehouse_id = $1 OR x.warehouse_id IS NULL AND EXISTS (
      SELECT FROM channel_warehouses cw WHERE cw.channel_id = x.channel_id AND cw.warehouse_id = $1))
  UNION ALL
  SELECT x.sku_id, 'SNAPSHOT', x.last_seen_at FROM exception_cases x
  WHERE x.kind = 'STOCK_DIFFERENCE' AND x.state <> 'RESOLVED' AND x.warehouse_id = $1
) AS found
WHERE noticed_at > greatest('-infinity',
    (SELECT max(c.scanned_at) FROM count_lines c WHERE c.warehouse_id = $1
     AND c.sku_id = found.sku_id AND c.bucket = 'available' AND c.status IN ('POSTED', 'REJECTED')),
    (SELECT a.settled_at FROM sku_activity a WHERE a.warehouse_id = $1 AND a.sku_id = found.sku_id))
  OR kind = 'SHORTAGE' AND EXISTS (SELECT FROM exception_cases x WHERE x.kind = 'COUNT_SHORTAGE'
    AND x.state <> 'RESOLVED' AND x.sku_id = found.sku_id AND x.warehouse_id = $1)
GROUP BY 1, 2
"""  # noqa: S608
_LEARNED = """
SELECT count(*) FILTER (WHERE c.counted <> c.expected)::int AS wrong, coalesce(sum(c.handled), 0)::int AS handlings
FROM (SELECT c.counted, c.expected, c.handlings - lag(c.handlings, 1, 0::bigint) OVER (
        PARTITION BY c.sku_id ORDER BY c.scanned_at) AS handled, c.cause
      FROM count_lines c WHERE c.warehouse_id = $1 AND c.bucket = 'available' AND c.bin_id IS NULL
        AND c.status IN ('POSTED', 'REJECTED') AND c.handlings IS NOT NULL) c
WHERE c.cause IN ('CYCLE', 'HANDLING', 'MANUAL')
"""
"""Lines counted because something spoke against them say nothing of how often handling goes wrong."""
_PACE = """
SELECT count(DISTINCT d.day)::int AS days, coalesce(sum(d.sold), 0)::int AS sold,
  (SELECT count(*)::int FROM count_lines c WHERE c.warehouse_id = $1 AND c.bucket = 'available' AND c.bin_id IS NULL
     AND c.status IN ('POSTED', 'REJECTED') AND c.counted <> c.expected AND c.scanned_at > $2) AS wrong
FROM demand_days d WHERE d.warehouse_id = $1 AND d.day > $2
"""
"""Of the whole warehouse: days with sales, units sold, lines found wrong. All of it came of something."""
_CARRIED = """
SELECT count(*)::int FROM count_lines l JOIN counts c ON c.id = l.count_id
WHERE c.warehouse_id = $1 AND (c.planned_for IS NOT NULL OR l.cause <> 'MANUAL')
  AND l.status IN ('OPEN', 'RECOUNT')
"""
"""What was planned before, and what differed when somebody looked and needs a second scan."""


async def plan_counts(state: State) -> int:
    """Plan the day of every warehouse of ours that has none yet. Returns 0: each is planned once a day."""
    share = state.settings.count_share_percent
    if share > 0:
        for house in await state.database.hot.fetch(_DUE):
            await plan_warehouse(state, house["id"], house["day"], share)
    return 0


async def plan_warehouse(
    state: State, warehouse_id: int, day: datetime.date, share_percent: float, *, suspicious: bool = True
) -> UUID | None:
    """The count planned for that day, of at most `share_percent` of the lines; None when nothing is worth counting.

    A second call for the same day answers the first one's count. `suspicious=False` plans by turn and class alone.
    """

    async def once() -> UUID | None:
        async with state.database.hot.acquire() as connection, connection.transaction():
            await lock_warehouse(connection, warehouse_id)
            known: UUID | None = await connection.fetchval(_PLANNED, warehouse_id, day)
            if known is not None:
                return known
            chosen = await _choose(connection, warehouse_id, day, share_percent, suspicious)
            if not chosen:
                return None
            lines = [NewLine(one.sku_id, cause=one.cause, abc=one.abc) for one in chosen]
            count_id = uuid7()
            await insert_count(connection, count_id, warehouse_id, CountCreate(""), lines, PLANNER, day)
            return count_id

    planned = await rerun(once)
    state.doorbell.ring("listings")
    return planned


async def _choose(
    connection: Any, warehouse_id: int, day: datetime.date, share_percent: float, suspicious: bool
) -> list[PlannedLine]:
    since = day - datetime.timedelta(days=VELOCITY_DAYS)
    rows = await connection.fetch(_LINES, warehouse_id, since)
    carried = await connection.fetchval(_CARRIED, warehouse_id)
    limit = min(LINES_MAX, lines_limit(len(rows), share_percent)) - carried
    if limit <= 0:
        return []
    classes = classify_abc({row["sku_id"]: row["cost"] * row["sold"] for row in rows})
    signals = await _read_signals(connection, warehouse_id) if suspicious else {}
    learned = await connection.fetchrow(_LEARNED, warehouse_id)
    pace = await connection.fetchrow(_PACE, warehouse_id, since)
    candidates = [
        Candidate(
            row["sku_id"],
            classes[row["sku_id"]],
            row["days"],
            max(0, row["handlings"]) if suspicious else 0,
            signals.get(row["sku_id"], {}),
            row["sold"] / max(1, pace["days"]),
        )
        for row in rows
        if not row["taken"]
    ]
    rate = measure_rate(learned["wrong"], learned["handlings"])
    return choose_lines(candidates, limit, rate, measure_relapse(pace["wrong"], pace["sold"]))


async def _read_signals(connection: Any, warehouse_id: int) -> Mapping[int, Mapping[CountCause, int]]:
    found: dict[int, dict[CountCause, int]] = defaultdict(dict)
    for row in await connection.fetch(_SIGNALS, warehouse_id):
        found[row["sku_id"]][CountCause(row["kind"])] = row["times"]
    return found
