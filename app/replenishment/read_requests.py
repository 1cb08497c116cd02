"""Reading policies with their plans, and what is proposed to be ordered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from app.conditions import Conditions
from app.stock.read_stock import visible
from domain.identity import Principal
from domain.stock import StockKey

_POLICIES = """
SELECT p.sku_id, p.warehouse_id, k.code AS sku, w.code AS warehouse, p.kind, p.minimum, p.maximum, p.reorder_point,
  p.order_quantity, p.service_level, p.cover_days, x.code AS supplier, p.plan::text AS plan, p.evaluated_at,
  p.updated_by, p.updated_at, p.version,
  (coalesce(l.available, 0) + coalesce(l.incoming, 0) + coalesce(l.in_transit, 0))::int AS position
FROM replenishment_policies p JOIN skus k ON k.id = p.sku_id JOIN warehouses w ON w.id = p.warehouse_id
LEFT JOIN suppliers x ON x.id = p.supplier_id
LEFT JOIN stock_levels l ON l.sku_id = p.sku_id AND l.warehouse_id = p.warehouse_id
"""
_REQUESTS = """
SELECT r.id, r.warehouse_id, r.source_warehouse_id, k.code AS sku, w.code AS warehouse, r.status, r.source,
  f.code AS source_warehouse, x.code AS supplier, r.quantity, r.plan::text AS plan, r.note, r.document, r.created_by,
  r.created_at, r.decided_by, r.decided_at
FROM replenishment_requests r JOIN skus k ON k.id = r.sku_id JOIN warehouses w ON w.id = r.warehouse_id
LEFT JOIN warehouses f ON f.id = r.source_warehouse_id LEFT JOIN suppliers x ON x.id = r.supplier_id
"""


@dataclass(frozen=True, slots=True)
class RequestFilter:
    warehouses: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    sku: str | None = None


def _shape(record: Any, *times: str) -> dict[str, Any]:
    found = dict(record)
    found["plan"] = None if found["plan"] is None else orjson.loads(found["plan"])
    for name in times:
        found[name] = None if found[name] is None else found[name].isoformat()
    return found


def shape_policy(record: Any) -> dict[str, Any]:
    return _shape(record, "evaluated_at", "updated_at")


def shape_request(record: Any) -> dict[str, Any]:
    return _shape(record, "created_at", "decided_at") | {"id": str(record["id"])}


async def answer_policy(connection: Any, key: StockKey) -> dict[str, Any]:
    query = f"{_POLICIES} WHERE p.sku_id = $1 AND p.warehouse_id = $2"
    return shape_policy(await connection.fetchrow(query, *key))


async def answer_request(connection: Any, request_id: UUID) -> dict[str, Any]:
    return shape_request(await connection.fetchrow(f"{_REQUESTS} WHERE r.id = $1", request_id))


async def read_policies(
    database: Any, principal: Principal, chosen: RequestFilter, after: tuple[int, int], limit: int
) -> list[dict[str, Any]]:
    """By SKU and warehouse, after a key, at most `limit`; the filter's `statuses` do not apply."""
    found = _limit(principal, chosen, "p")
    found.add("(p.sku_id, p.warehouse_id) > ({}::int, {}::int)", *after)
    query = f"{_POLICIES} {found.where} ORDER BY p.sku_id, p.warehouse_id LIMIT {limit}"
    return [shape_policy(record) for record in await database.fetch(query, *found.values)]


async def count_policies(database: Any, principal: Principal, chosen: RequestFilter) -> int:
    found = _limit(principal, chosen, "p")
    return int(await database.fetchval(f"SELECT count(*) FROM ({_POLICIES} {found.where}) AS x", *found.values))  # noqa: S608


async def read_requests(
    database: Any, principal: Principal, chosen: RequestFilter, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first, before an id, at most `limit`."""
    found = _choose(principal, chosen)
    if before is not None:
        found.add("r.id < {}::uuid", before)
    query = f"{_REQUESTS} {found.where} ORDER BY r.id DESC LIMIT {limit}"
    return [shape_request(record) for record in await database.fetch(query, *found.values)]


async def count_requests(database: Any, principal: Principal, chosen: RequestFilter) -> int:
    found = _choose(principal, chosen)
    return int(await database.fetchval(f"SELECT count(*) FROM ({_REQUESTS} {found.where}) AS x", *found.values))  # noqa: S608


async def read_request(database: Any, principal: Principal, request_id: UUID) -> dict[str, Any] | None:
    record = await database.fetchrow(f"{_REQUESTS} WHERE r.id = $1", request_id)
    return None if record is None or not principal.sees_warehouse(record["warehouse_id"]) else shape_request(record)


def _limit(principal: Principal, chosen: RequestFilter, table: str) -> Conditions:
    found = Conditions()
    houses = visible(principal)
    if houses is not None:
        found.add(f"{table}.warehouse_id = ANY({{}}::int[])", houses)
    if chosen.warehouses is not None:
        found.add("w.code = ANY({}::text[])", list(chosen.warehouses))
    if chosen.sku is not None:
        found.add("(k.code = {} OR k.barcode = {})", chosen.sku, chosen.sku)
    return found


def _choose(principal: Principal, chosen: RequestFilter) -> Conditions:
    found = _limit(principal, chosen, "r")
    if chosen.statuses is not None:
        found.add("r.status = ANY({}::text[])", list(chosen.statuses))
    return found
