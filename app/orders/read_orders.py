"""Reading orders: each page is one statement, lines and allocations included."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from adapters.postgres.database import Database
from domain.identity import Principal

_ORDERS = """
SELECT o.id, c.code AS channel, o.external_id, o.name, o.status, o.placed_at, o.problem,
  (SELECT coalesce(json_agg(json_build_object(
     'external_id', l.external_id, 'sku_code', l.sku_code, 'title', l.title, 'quantity', l.quantity,
     'allocations', (SELECT coalesce(json_agg(json_build_object('warehouse', w.code, 'quantity', a.quantity)
                                              ORDER BY w.code), '[]')
                     FROM fulfillment_orders f JOIN warehouses w ON w.id = f.warehouse_id
                     JOIN fulfillment_order_lines a ON a.fulfillment_order_id = f.id
                     WHERE f.order_id = o.id AND a.line = l.line)) ORDER BY l.line), '[]')
   FROM order_lines l WHERE l.order_id = o.id)::text AS lines
FROM orders o JOIN channels c ON c.id = o.channel_id
"""
_VISIBLE = """
WHERE ($1::int[] IS NULL OR o.channel_id = ANY($1))
  AND ($2::int[] IS NULL OR NOT EXISTS (
    SELECT FROM fulfillment_orders f WHERE f.order_id = o.id AND NOT f.warehouse_id = ANY($2))
    AND EXISTS (SELECT FROM fulfillment_orders f WHERE f.order_id = o.id))
"""
_ONE = (
    _ORDERS
    + _VISIBLE
    + " AND ($3::uuid IS NULL OR o.id = $3) AND ($4::text IS NULL OR c.code = $4 AND o.external_id = $5)"
)
_PAGE = (
    _ORDERS
    + _VISIBLE
    + " AND ($3::text IS NULL OR o.status = $3) AND ($4::uuid IS NULL OR o.id < $4) ORDER BY o.id DESC LIMIT $5"
)
_COUNT = f"SELECT count(*) FROM orders o {_VISIBLE} AND ($3::text IS NULL OR o.status = $3)"  # noqa: S608


def _limits(principal: Principal) -> tuple[list[int] | None, list[int] | None]:
    channels, houses = principal.channel_ids, principal.warehouse_ids
    return (None if channels is None else list(channels), None if houses is None else list(houses))


def _row(record: Any) -> dict[str, Any]:
    return {**dict(record), "lines": orjson.loads(record["lines"])}


async def read_order(
    database: Database, principal: Principal, key: UUID | None, channel: str | None, external_id: str | None
) -> dict[str, Any] | None:
    """One order; None when nothing or too little is given, or when it is not the principal's to see."""
    if key is None and (channel is None or external_id is None):
        return None
    record = await database.hot.fetchrow(_ONE, *_limits(principal), key, channel, external_id)
    return None if record is None else _row(record)


async def read_orders(
    database: Database, principal: Principal, status: str | None, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Newest first (ids are time-ordered), before an id, at most `limit`."""
    return [_row(record) for record in await database.hot.fetch(_PAGE, *_limits(principal), status, before, limit)]


async def count_orders(database: Database, principal: Principal, status: str | None) -> int:
    return int(await database.hot.fetchval(_COUNT, *_limits(principal), status))
