"""What the books had at the moment of a scan.

Sound goods are counted together, whoever they are promised to: available, reserved and committed, without what was
picked, for an order or a transfer, and has not left yet, since that stands packed elsewhere. A scan made earlier
(`occurredAt`, from a tablet that was offline) is held against the books of then: what moved since is taken back. What
is said later of an earlier time (a pick that another tablet had kept) is added at the review. The books of then may be
below zero, when more was taken than they had: that is found as well. A bin is held against what it held then, by
`bin_records`.

Picks are no movements; `pick_records` has them, with a minus when the units leave or go back, so that a shipment of
picked units changes nothing of what stands on the shelf.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

SOUND = "ARRAY['available', 'reserved', 'committed']"
_GROUP = f"CASE c.bucket WHEN 'available' THEN {SOUND} ELSE ARRAY[c.bucket] END"
_CHANGE = """
sum(CASE WHEN m.to_bucket = ANY({group}) THEN m.quantity ELSE 0 END
  - CASE WHEN m.from_bucket = ANY({group}) THEN m.quantity ELSE 0 END)
"""
_EXPECT = f"""
SELECT c.line, coalesce(l.version, 0) AS version,
  coalesce((SELECT max(m.id) FROM stock_movements m WHERE m.sku_id = c.sku_id AND m.warehouse_id = $1), 0)
    AS movement_id,
  coalesce((SELECT max(p.id) FROM pick_records p WHERE p.sku_id = c.sku_id AND p.warehouse_id = $1), 0) AS pick_id,
  coalesce((SELECT max(r.id) FROM bin_records r WHERE r.bin_id = c.bin_id AND r.sku_id = c.sku_id), 0)
    AS bin_record_id,
  (SELECT a.handlings FROM sku_activity a WHERE a.sku_id = c.sku_id AND a.warehouse_id = $1) AS handlings,
  CASE WHEN c.bin_id IS NOT NULL
    THEN greatest(0, coalesce(
      (SELECT q.quantity FROM bin_contents q WHERE q.bin_id = c.bin_id AND q.sku_id = c.sku_id), 0)
      - CASE WHEN c.occurred_at IS NULL THEN 0 ELSE coalesce(
        (SELECT sum(r.quantity) FROM bin_records r
         WHERE r.bin_id = c.bin_id AND r.sku_id = c.sku_id
           AND coalesce(r.occurred_at, r.posted_at) > c.occurred_at), 0) END)
    ELSE CASE c.bucket WHEN 'damaged' THEN coalesce(l.damaged, 0)
      WHEN 'quality_control' THEN coalesce(l.quality_control, 0)
      ELSE coalesce(l.available + l.reserved + l.committed, 0) - coalesce(
        (SELECT sum(p.quantity) FROM pick_records p WHERE p.sku_id = c.sku_id AND p.warehouse_id = $1), 0) END
      - CASE WHEN c.occurred_at IS NULL THEN 0 ELSE coalesce(
        (SELECT {_CHANGE.format(group=_GROUP)} FROM stock_movements m
         WHERE m.sku_id = c.sku_id AND m.warehouse_id = $1 AND m.effective_at > c.occurred_at), 0) END
      + CASE WHEN c.occurred_at IS NULL OR c.bucket <> 'available' THEN 0 ELSE coalesce(
        (SELECT sum(p.quantity) FROM pick_records p
         WHERE p.sku_id = c.sku_id AND p.warehouse_id = $1
           AND coalesce(p.occurred_at, p.posted_at) > c.occurred_at), 0) END
  END::int AS expected
FROM unnest($2::int[], $3::int[], $4::int[], $5::text[], $6::timestamptz[])
  AS c (line, sku_id, bin_id, bucket, occurred_at)
LEFT JOIN stock_levels l ON l.sku_id = c.sku_id AND l.warehouse_id = $1
"""  # noqa: S608
"""One statement, so that balances, movements and picks are of one moment; nothing is locked by looking."""
_LATE = f"""
SELECT line, sum(change)::int AS change FROM (
  SELECT c.line, {_CHANGE.format(group=_GROUP)} AS change
  FROM count_lines c JOIN stock_movements m ON m.sku_id = c.sku_id AND m.warehouse_id = c.warehouse_id
    AND m.id > c.movement_id AND m.effective_at < m.posted_at AND m.effective_at <= c.scanned_at
  WHERE c.count_id = $1 AND c.status = 'COUNTED' AND c.bin_id IS NULL
  GROUP BY c.line
  UNION ALL
  SELECT c.line, -sum(p.quantity)
  FROM count_lines c JOIN pick_records p ON p.sku_id = c.sku_id AND p.warehouse_id = c.warehouse_id
    AND p.id > c.pick_id AND p.occurred_at <= c.scanned_at
  WHERE c.count_id = $1 AND c.status = 'COUNTED' AND c.bin_id IS NULL AND c.bucket = 'available'
  GROUP BY c.line
  UNION ALL
  SELECT c.line, sum(r.quantity)
  FROM count_lines c JOIN bin_records r ON r.bin_id = c.bin_id AND r.sku_id = c.sku_id
    AND r.id > c.bin_record_id AND r.occurred_at <= c.scanned_at
  WHERE c.count_id = $1 AND c.status = 'COUNTED'
  GROUP BY c.line
) late GROUP BY line
"""  # noqa: S608
"""Only what says of itself that it happened earlier: clocks of two processes are never compared."""
_WRITTEN_OFF = """
SELECT c.line, sum(m.quantity)::int AS units
FROM count_lines c JOIN stock_movements m ON m.sku_id = c.sku_id AND m.warehouse_id = c.warehouse_id
  AND m.id > c.movement_id AND m.from_bucket = 'committed' AND m.to_bucket = 'adjustment'
  AND NOT (m.effective_at < m.posted_at AND m.effective_at <= c.scanned_at)
WHERE c.count_id = $1 AND c.status = 'COUNTED' AND c.bucket = 'available'
GROUP BY c.line
"""
"""Units that pickers did not find after the scan: the books lost them, and the shelf nothing."""


class Stand(NamedTuple):
    """The books at a scan: units expected, the row's version, its last movement, pick and record of the bin, how often
    it was handled.
    """

    expected: int
    version: int
    movement_id: int
    pick_id: int
    bin_record_id: int
    handlings: int | None


class Looked(NamedTuple):
    """One line that was scanned. `occurred_at`: when, if not just now."""

    line: int
    sku_id: int
    bin_id: int | None
    bucket: str
    occurred_at: datetime.datetime | None


async def read_stands(connection: Any, warehouse_id: int, looked: Sequence[Looked]) -> dict[int, Stand]:
    """The books for each line."""
    rows = await connection.fetch(_EXPECT, warehouse_id, *(list(column) for column in zip(*looked, strict=True)))
    return {row["line"]: Stand(*(row[name] for name in Stand._fields)) for row in rows}


async def read_written_off(connection: Any, count_id: Any) -> dict[int, int]:
    """By line: units that short picks have taken from the books since its scan."""
    return {row["line"]: row["units"] for row in await connection.fetch(_WRITTEN_OFF, count_id)}


async def read_late_changes(connection: Any, count_id: Any) -> dict[int, int]:
    """By line: what came to be known after its scan of the time before it, units."""
    return {row["line"]: row["change"] for row in await connection.fetch(_LATE, count_id) if row["change"]}
