"""Reading snapshots as they were judged, with the lines that differed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.database import Database
from app.conditions import Conditions
from domain.identity import Principal

LINES_SHOWN = 1_000
_SNAPSHOTS = f"""
SELECT p.id, w.code AS warehouse, p.source, p.as_of, p.applied, p.levels, p.equal, p.created_at, (
  SELECT coalesce(json_agg(d), '[]')::text FROM (
    SELECT s.code AS sku, l.told, l.least, l.most, l.difference, l.outcome
    FROM partner_snapshot_lines l JOIN skus s ON s.id = l.sku_id
    WHERE l.snapshot_id = p.id AND l.outcome <> 'EQUAL' ORDER BY s.code LIMIT {LINES_SHOWN}) d) AS lines
FROM partner_snapshots p JOIN warehouses w ON w.id = p.warehouse_id
"""  # noqa: S608


async def read_snapshots(
    database: Database, principal: Principal, warehouse: str | None, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first (ids are time-ordered), before an id, at most `limit`."""
    found = _choose(principal)
    if warehouse is not None:
        found.add("w.code = {}", warehouse)
    if before is not None:
        found.add("p.id < {}::uuid", before)
    query = f"{_SNAPSHOTS} {found.where} ORDER BY p.id DESC LIMIT {found.place(limit)}"
    return [_plain(row) for row in await database.hot.fetch(query, *found.values)]


async def read_snapshot(database: Database, principal: Principal, snapshot_id: UUID) -> dict[str, Any] | None:
    """One snapshot; None when there is none that the principal may see."""
    found = _choose(principal)
    found.add("p.id = {}::uuid", snapshot_id)
    row = await database.hot.fetchrow(f"{_SNAPSHOTS} {found.where}", *found.values)
    return None if row is None else _plain(row)


async def count_snapshots(database: Database, principal: Principal, warehouse: str | None) -> int:
    found = _choose(principal)
    if warehouse is not None:
        found.add("w.code = {}", warehouse)
    query = f"SELECT count(*) FROM partner_snapshots p JOIN warehouses w ON w.id = p.warehouse_id {found.where}"  # noqa: S608
    return int(await database.hot.fetchval(query, *found.values))


def _choose(principal: Principal) -> Conditions:
    found = Conditions()
    if principal.warehouse_ids is not None:
        found.add("p.warehouse_id = ANY({}::int[])", sorted(principal.warehouse_ids))
    return found


def _plain(row: Any) -> dict[str, Any]:
    return {**dict(row), "lines": orjson.loads(row["lines"])}
