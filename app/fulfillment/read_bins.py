"""Reading zones, and bins with what lies in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from adapters.postgres.database import Database
from app.conditions import Conditions

_ZONES = """
SELECT z.code, z.kind, z.sequence, w.code AS warehouse,
  (SELECT count(*) FROM bins b WHERE b.zone_id = z.id) AS bins
FROM zones z JOIN warehouses w ON w.id = z.warehouse_id WHERE z.warehouse_id = $1 ORDER BY z.sequence, z.code LIMIT 1000
"""
_BINS = """
SELECT b.id, b.code, z.code AS zone, w.code AS warehouse, b.sequence, b.capacity_ml, b.status,
  (SELECT coalesce(json_agg(json_build_object('sku', s.code, 'title', s.title, 'quantity', c.quantity)
                            ORDER BY s.code), '[]')
   FROM bin_contents c JOIN skus s ON s.id = c.sku_id WHERE c.bin_id = b.id AND c.quantity > 0)::text AS contents
FROM bins b JOIN zones z ON z.id = b.zone_id JOIN warehouses w ON w.id = b.warehouse_id
"""
_COUNT = "SELECT count(*) FROM bins b JOIN zones z ON z.id = b.zone_id"


async def read_zones(database: Database, warehouse_id: int) -> Sequence[Any]:
    """In the order in which they are walked."""
    rows: Sequence[Any] = await database.hot.fetch(_ZONES, warehouse_id)
    return rows


def _choose(warehouse_id: int, zone: str | None, codes: Sequence[str] | None) -> Conditions:
    found = Conditions()
    found.add("b.warehouse_id = {}", warehouse_id)
    if zone is not None:
        found.add("z.code = {}", zone)
    if codes is not None:
        found.add("b.code = ANY({}::text[])", list(codes))
    return found


async def read_bins(
    database: Database, warehouse_id: int, zone: str | None, codes: Sequence[str] | None, after: int, limit: int
) -> list[dict[str, Any]]:
    """In the order in which they were made, after an id, at most `limit`."""
    found = _choose(warehouse_id, zone, codes)
    found.add("b.id > {}", after)
    rows = await database.hot.fetch(f"{_BINS} {found.where} ORDER BY b.id LIMIT {found.place(limit)}", *found.values)
    return [{**dict(row), "contents": orjson.loads(row["contents"])} for row in rows]


async def count_bins(database: Database, warehouse_id: int, zone: str | None, codes: Sequence[str] | None) -> int:
    found = _choose(warehouse_id, zone, codes)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))
