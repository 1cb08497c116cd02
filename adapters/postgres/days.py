"""Days of warehouses: how many orders each takes, and how many it has. Locked after stock, in key order."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from domain.stock import DayKey, DaySpace

_LOCK = """
SELECT d.warehouse_id, d.day, d.capacity, d.taken, d.version
FROM warehouse_days d JOIN unnest($1::int[], $2::date[]) AS wanted (w, d0) ON d.warehouse_id = wanted.w AND d.day = d0
ORDER BY d.warehouse_id, d.day FOR UPDATE OF d
"""
_CREATE = """
INSERT INTO warehouse_days (warehouse_id, day, capacity)
SELECT w.id, wanted.d, w.daily_order_capacity FROM unnest($1::int[], $2::date[]) AS wanted (w, d)
JOIN warehouses w ON w.id = wanted.w ORDER BY w.id, wanted.d
ON CONFLICT DO NOTHING
"""
_TAKE = """
INSERT INTO warehouse_days AS d (warehouse_id, day, capacity, taken, version)
SELECT w.id, wanted.d, w.daily_order_capacity, wanted.n, 1
FROM unnest($1::int[], $2::date[], $3::int[]) AS wanted (w, d, n) JOIN warehouses w ON w.id = wanted.w
ORDER BY w.id, wanted.d
ON CONFLICT (warehouse_id, day) DO UPDATE SET taken = d.taken + excluded.taken, version = d.version + 1
"""
_FREE = """
UPDATE warehouse_days d SET taken = greatest(0, d.taken - g.n), version = d.version + 1
FROM unnest($1::int[], $2::date[], $3::int[]) AS g (w, d0, n) WHERE d.warehouse_id = g.w AND d.day = g.d0
"""
_READ = """
SELECT warehouse_id, day, capacity, taken, version FROM warehouse_days
WHERE warehouse_id = ANY($1::int[]) AND day BETWEEN $2 AND $3
"""


async def lock_days(connection: Any, keys: Collection[DayKey]) -> dict[DayKey, DaySpace]:
    """Lock the days, creating missing ones with the warehouse's capacity."""
    if not keys:
        return {}
    wanted = sorted(keys)
    houses, days = [key.warehouse_id for key in wanted], [key.day for key in wanted]
    records = await connection.fetch(_LOCK, houses, days)
    if len(records) < len(wanted):
        await connection.execute(_CREATE, houses, days)
        records = await connection.fetch(_LOCK, houses, days)
    return {DayKey(record[0], record[1]): DaySpace(*record[2:]) for record in records}


async def take_days(connection: Any, taken: Sequence[DayKey]) -> None:
    """Take a place for each. The database has the last word: a day beyond its capacity fails the transaction."""
    if not taken:
        return
    counted = sorted(Counter(taken).items())
    await connection.execute(
        _TAKE, [key.warehouse_id for key, _ in counted], [key.day for key, _ in counted], [n for _, n in counted]
    )


async def free_days(connection: Any, freed: Sequence[DayKey]) -> None:
    """Give places back, on days that are locked. Before `take_days`: what is freed can be taken in the same breath."""
    if not freed:
        return
    counted = sorted(Counter(freed).items())
    await connection.execute(
        _FREE, [key.warehouse_id for key, _ in counted], [key.day for key, _ in counted], [n for _, n in counted]
    )


async def read_days(
    connection: Any, warehouse_ids: Collection[int], first: datetime.date, last: datetime.date
) -> dict[DayKey, DaySpace]:
    """The days that have rows, unlocked."""
    records = await connection.fetch(_READ, list(warehouse_ids), first, last)
    return {DayKey(record[0], record[1]): DaySpace(*record[2:]) for record in records}
