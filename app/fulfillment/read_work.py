"""Reading fulfilment orders: each page is one statement, with lines, the bins to pick from, and parcels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.database import Database
from app.conditions import Conditions
from domain.identity import Principal

_BINS = """
SELECT coalesce(json_agg(json_build_object('code', b.code, 'zone', z.code, 'quantity', bc.quantity)
                         ORDER BY z.sequence, z.code, b.sequence, b.code), '[]')
FROM bin_contents bc JOIN bins b ON b.id = bc.bin_id JOIN zones z ON z.id = b.zone_id
WHERE bc.sku_id = l.sku_id AND b.warehouse_id = f.warehouse_id AND b.status = 'ACTIVE' AND bc.quantity > 0
"""
_LINES = f"""
SELECT coalesce(json_agg(json_build_object(
  'sku', s.code, 'barcode', s.barcode, 'title', s.title, 'quantity', l.quantity, 'picked', l.picked,
  'shipped', l.shipped, 'cancelled', l.cancelled, 'short', l.short,
  'cancel_requested', least(l.cancel_requested, l.quantity - l.shipped - l.cancelled - l.short),
  'bins', ({_BINS})) ORDER BY l.line), '[]')
FROM fulfillment_order_lines l JOIN skus s ON s.id = l.sku_id WHERE l.fulfillment_order_id = f.id
"""  # noqa: S608
PARCEL = """
json_build_object('id', p.id, 'carrier', p.carrier, 'tracking_number', p.tracking_number, 'shipped_at', p.shipped_at,
  'delivery', p.delivery, 'delivered_at', p.delivered_at, 'confirmation', p.confirmation,
  'confirmed_at', p.confirmed_at, 'attempts', p.attempts, 'error', p.error, 'lines', (
    SELECT coalesce(json_agg(json_build_object('sku', s.code, 'quantity', pl.quantity) ORDER BY pl.line), '[]')
    FROM fulfillment_lines pl
    JOIN fulfillment_order_lines fl ON fl.fulfillment_order_id = p.fulfillment_order_id AND fl.line = pl.line
    JOIN skus s ON s.id = fl.sku_id WHERE pl.fulfillment_id = p.id))
"""
_PARCELS = f"""
SELECT coalesce(json_agg({PARCEL} ORDER BY p.id), '[]') FROM fulfillments p WHERE p.fulfillment_order_id = f.id
"""  # noqa: S608
WORK = f"""
SELECT f.id, f.order_id, f.warehouse_id, o.channel_id, w.code AS warehouse, o.name AS order_name,
  c.code AS channel, o.external_id AS order_external_id, f.status, to_char(f.day, 'YYYY-MM-DD') AS day,
  f.release_at, f.released_at, f.accept_by, coalesce(f.ship_by, o.ship_by) AS ship_by, f.hold_reason,
  f.reject_reason, f.cancel_requested_at, f.assignee, f.version, f.created_at, f.updated_at,
  ({_LINES})::text AS lines, ({_PARCELS})::text AS shipments
FROM fulfillment_orders f
JOIN orders o ON o.id = f.order_id JOIN channels c ON c.id = o.channel_id JOIN warehouses w ON w.id = f.warehouse_id
"""  # noqa: S608
_COUNT = """
SELECT count(*) FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id JOIN warehouses w ON w.id = f.warehouse_id
"""

OF_ORDER_MAX = 100
"""Fulfilment orders shown with one order."""


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """None leaves a filter out."""

    warehouses: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    order_id: UUID | None = None


def _choose(principal: Principal, chosen: WorkFilter) -> Conditions:
    found = Conditions()
    if principal.warehouse_ids is not None:
        found.add("f.warehouse_id = ANY({}::int[])", sorted(principal.warehouse_ids))
    if principal.channel_ids is not None:
        found.add("o.channel_id = ANY({}::int[])", sorted(principal.channel_ids))
    if chosen.warehouses is not None:
        found.add("w.code = ANY({}::text[])", list(chosen.warehouses))
    if chosen.statuses is not None:
        found.add("f.status = ANY({}::text[])", list(chosen.statuses))
    if chosen.order_id is not None:
        found.add("f.order_id = {}::uuid", chosen.order_id)
    return found


def plain_work(record: Any) -> dict[str, Any]:
    """A row of `WORK` with its JSON read."""
    return {
        **dict(record),
        "lines": orjson.loads(record["lines"]),
        "shipments": orjson.loads(record["shipments"]),
    }


async def read_works(
    database: Database, principal: Principal, chosen: WorkFilter, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Oldest first (ids are time-ordered), after an id, at most `limit`."""
    found = _choose(principal, chosen)
    if after is not None:
        found.add("f.id > {}::uuid", after)
    query = f"{WORK} {found.where} ORDER BY f.id LIMIT {found.place(limit)}"
    return [plain_work(row) for row in await database.hot.fetch(query, *found.values)]


async def count_works(database: Database, principal: Principal, chosen: WorkFilter) -> int:
    found = _choose(principal, chosen)
    return int(await database.hot.fetchval(f"{_COUNT} {found.where}", *found.values))


async def read_work(database: Database, principal: Principal, work_id: UUID) -> dict[str, Any] | None:
    """One fulfilment order; None when there is none that the principal may see."""
    found = _choose(principal, WorkFilter())
    found.add("f.id = {}::uuid", work_id)
    row = await database.hot.fetchrow(f"{WORK} {found.where}", *found.values)
    return None if row is None else plain_work(row)


async def read_works_of_orders(
    database: Database, principal: Principal, order_ids: Sequence[UUID]
) -> dict[UUID, list[dict[str, Any]]]:
    """By order, oldest first; of each at most `OF_ORDER_MAX`, and only what the principal may see."""
    found = _choose(principal, WorkFilter())
    found.add("f.order_id = wanted.id")
    wanted = found.place(list(order_ids))
    query = f"""
        SELECT work.* FROM unnest({wanted}::uuid[]) AS wanted (id)
        CROSS JOIN LATERAL ({WORK} {found.where} ORDER BY f.id LIMIT {OF_ORDER_MAX}) work
    """  # noqa: S608
    works: dict[UUID, list[dict[str, Any]]] = {order_id: [] for order_id in order_ids}
    for row in await database.hot.fetch(query, *found.values):
        works[row["order_id"]].append(plain_work(row))
    return works


async def read_works_by_ids(connection: Any, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Whoever may see them."""
    return [plain_work(row) for row in await connection.fetch(f"{WORK} WHERE f.id = ANY($1::uuid[])", list(ids))]
