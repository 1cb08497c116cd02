"""Reading suppliers, purchase orders, what is expected when, and alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from app.conditions import Conditions
from app.stock.read_stock import visible
from domain.identity import Principal

_SUPPLIERS = """
SELECT x.id, x.code, x.name, x.lead_days, x.created_at, (SELECT coalesce(json_agg(json_build_object(
  'sku', k.code, 'pack_size', s.pack_size, 'minimum', s.minimum, 'unit_cost', s.unit_cost::text,
  'currency', coalesce(s.currency, k.currency)) ORDER BY k.code), '[]')
  FROM supplier_skus s JOIN skus k ON k.id = s.sku_id WHERE s.supplier_id = x.id)::text AS lines
FROM suppliers x
"""
_PURCHASES = """
SELECT o.id, o.warehouse_id, x.code AS supplier, w.code AS warehouse, o.status, o.expected_at, o.reference, o.note,
  o.created_by, o.created_at, o.ended_at, o.version, (SELECT coalesce(json_agg(json_build_object(
    'sku', k.code, 'title', k.title, 'quantity', l.quantity, 'received', l.received,
    'unit_cost', l.unit_cost::text, 'currency', coalesce(l.currency, k.currency)) ORDER BY l.line), '[]')
    FROM purchase_order_lines l JOIN skus k ON k.id = l.sku_id WHERE l.purchase_order_id = o.id)::text AS lines
FROM purchase_orders o JOIN suppliers x ON x.id = o.supplier_id JOIN warehouses w ON w.id = o.warehouse_id
"""
_EXPECTED = """
WITH wanted AS (SELECT * FROM unnest($1::int[], $2::int[]) AS g (sku_id, warehouse_id))
SELECT * FROM (
  SELECT l.sku_id, o.warehouse_id, o.expected_at, l.quantity - l.received AS units, 'purchase:' || o.id AS document
  FROM wanted g JOIN purchase_order_lines l ON l.sku_id = g.sku_id AND l.quantity > l.received
  JOIN purchase_orders o ON o.id = l.purchase_order_id AND o.warehouse_id = g.warehouse_id AND o.ended_at IS NULL
  UNION ALL
  SELECT l.sku_id, t.destination_id, t.expected_at,
    CASE WHEN t.state = 'IN_TRANSIT' THEN l.shipped - l.received - l.damaged - l.missing ELSE l.requested END,
    'transfer:' || t.id
  FROM wanted g JOIN transfers t ON t.destination_id = g.warehouse_id
    AND t.state IN ('APPROVED', 'PICKING', 'IN_TRANSIT')
  JOIN transfer_lines l ON l.transfer_id = t.id AND l.sku_id = g.sku_id
) AS found WHERE units > 0 ORDER BY expected_at, document
"""
ALERTS = """
SELECT a.id, a.kind, a.warehouse_id, a.sku_id, w.code AS warehouse, k.code AS sku, a.subject, a.message, a.raised_at,
  a.ended_at
FROM warehouse_alerts a JOIN warehouses w ON w.id = a.warehouse_id LEFT JOIN skus k ON k.id = a.sku_id
"""


@dataclass(frozen=True, slots=True)
class PurchaseFilter:
    warehouses: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    supplier: str | None = None


def _shape(record: Any, *times: str) -> dict[str, Any]:
    found = dict(record)
    found["lines"] = orjson.loads(found["lines"])
    for name in times:
        found[name] = None if found[name] is None else found[name].isoformat()
    return found | {"id": str(found["id"])}


def shape_purchase(record: Any) -> dict[str, Any]:
    return _shape(record, "expected_at", "created_at", "ended_at")


async def answer_supplier(connection: Any, supplier_id: int) -> dict[str, Any]:
    return _shape(await connection.fetchrow(f"{_SUPPLIERS} WHERE x.id = $1", supplier_id), "created_at")


async def answer_purchase(connection: Any, order_id: UUID) -> dict[str, Any]:
    return shape_purchase(await connection.fetchrow(f"{_PURCHASES} WHERE o.id = $1", order_id))


async def read_suppliers(database: Any, after: int, limit: int) -> list[dict[str, Any]]:
    """By id, after one, at most `limit`."""
    query = f"{_SUPPLIERS} WHERE x.id > $1 ORDER BY x.id LIMIT $2"
    return [_shape(record, "created_at") for record in await database.fetch(query, after, limit)]


async def count_suppliers(database: Any) -> int:
    return int(await database.fetchval("SELECT count(*) FROM suppliers"))


async def read_supplier(database: Any, supplier_id: int) -> dict[str, Any] | None:
    record = await database.fetchrow(f"{_SUPPLIERS} WHERE x.id = $1", supplier_id)
    return None if record is None else _shape(record, "created_at")


async def read_purchases(
    database: Any, principal: Principal, chosen: PurchaseFilter, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first, before an id, at most `limit`."""
    found = _choose(principal, chosen)
    if before is not None:
        found.add("o.id < {}::uuid", before)
    query = f"{_PURCHASES} {found.where} ORDER BY o.id DESC LIMIT {limit}"
    return [shape_purchase(record) for record in await database.fetch(query, *found.values)]


async def count_purchases(database: Any, principal: Principal, chosen: PurchaseFilter) -> int:
    found = _choose(principal, chosen)
    return int(await database.fetchval(f"SELECT count(*) FROM ({_PURCHASES} {found.where}) AS x", *found.values))  # noqa: S608


async def read_purchase(database: Any, principal: Principal, order_id: UUID) -> dict[str, Any] | None:
    record = await database.fetchrow(f"{_PURCHASES} WHERE o.id = $1", order_id)
    return None if record is None or not principal.sees_warehouse(record["warehouse_id"]) else shape_purchase(record)


async def read_expected(database: Any, keys: Sequence[tuple[int, int]]) -> Sequence[Any]:
    """What open purchase orders and transfers still bring to these lines, the soonest first."""
    rows: Sequence[Any] = await database.fetch(_EXPECTED, [key[0] for key in keys], [key[1] for key in keys])
    return rows


async def read_alerts_by_ids(database: Any, ids: Sequence[UUID]) -> Sequence[Any]:
    rows: Sequence[Any] = await database.fetch(f"{ALERTS} WHERE a.id = ANY($1::uuid[])", list(ids))
    return rows


def _choose(principal: Principal, chosen: PurchaseFilter) -> Conditions:
    found = Conditions()
    houses = visible(principal)
    if houses is not None:
        found.add("o.warehouse_id = ANY({}::int[])", houses)
    if chosen.warehouses is not None:
        found.add("w.code = ANY({}::text[])", list(chosen.warehouses))
    if chosen.statuses is not None:
        found.add("o.status = ANY({}::text[])", list(chosen.statuses))
    if chosen.supplier is not None:
        found.add("x.code = {}", chosen.supplier)
    return found
