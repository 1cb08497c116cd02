"""Parcels hold components, and a channel knows only the kit it sold: what a parcel means to it.

A kit counts as shipped with the parcel that completes it, counting what earlier parcels of the order brought.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.cancellations import KitPart

KIT_LINES = """
WITH parcel AS (
  SELECT p.id, p.order_id, p.shipped_at FROM fulfillments p WHERE p.id = ANY($1::uuid[])
), parts AS (
  SELECT p.id, split_part(l.external_id, '#', 1) AS external_id, k.quantity AS per_kit,
    coalesce(sum(x.quantity) FILTER (WHERE (f.shipped_at, f.id) < (p.shipped_at, p.id)), 0) AS before,
    coalesce(sum(x.quantity) FILTER (WHERE (f.shipped_at, f.id) <= (p.shipped_at, p.id)), 0) AS after
  FROM parcel p JOIN order_lines l ON l.order_id = p.order_id AND l.external_id LIKE '%#%'
  JOIN skus c ON c.id = l.sku_id JOIN kit_components k ON k.component_id = l.sku_id JOIN skus s ON s.id = k.kit_id
    AND l.external_id = split_part(l.external_id, '#', 1) || '#' || s.code || '#' || c.code
  LEFT JOIN fulfillments f ON f.order_id = p.order_id
  LEFT JOIN fulfillment_lines x ON x.fulfillment_id = f.id AND x.line = l.line
  GROUP BY p.id, l.line, l.external_id, k.kit_id, k.quantity
)
SELECT id AS fulfillment_id, external_id, (min(after / per_kit) - min(before / per_kit))::int AS quantity
FROM parts GROUP BY 1, 2
"""
_PARTS = """
SELECT l.line, split_part(l.external_id, '#', 1) AS name, k.quantity FROM order_lines l
JOIN skus c ON c.id = l.sku_id JOIN kit_components k ON k.component_id = l.sku_id JOIN skus s ON s.id = k.kit_id
  AND l.external_id = split_part(l.external_id, '#', 1) || '#' || s.code || '#' || c.code
WHERE l.order_id = $1 AND l.external_id LIKE '%#%#%'
"""


async def read_kit_lines(database: Any, parcel_ids: list[Any]) -> list[Any]:
    """(parcel, the channel's line, kits that it completes), none where it completes none."""
    return [row for row in await database.fetch(KIT_LINES, parcel_ids) if row["quantity"] > 0]


async def read_kit_parts(database: Any, order_id: UUID) -> dict[int, KitPart]:
    """Of an order's lines that are components of kits, by the line's number."""
    return {row["line"]: KitPart(row["name"], row["quantity"]) for row in await database.fetch(_PARTS, order_id)}
