"""Which lines of an order are parts of a kit: SQL to be put beside `order_lines l`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.kits import Part

PART_COLUMNS = """CASE WHEN k.kit IS NOT NULL THEN left(l.external_id, -1 - length(k.component)) END AS part_group,
  k.quantity AS part_units, k.parts AS part_count"""
PART_JOIN = """LEFT JOIN LATERAL (
  SELECT s.code AS kit, c.code AS component, p.quantity,
    (SELECT count(*)::int FROM kit_components x WHERE x.kit_id = p.kit_id) AS parts
  FROM kit_components p JOIN skus s ON s.id = p.kit_id JOIN skus c ON c.id = p.component_id
  WHERE p.component_id = l.sku_id AND l.external_id LIKE '%#%#%'
    AND right(l.external_id, 2 + length(s.code) + length(c.code)) = '#' || s.code || '#' || c.code
  LIMIT 1
) k ON true"""
_READ = f"""
SELECT l.line, {PART_COLUMNS} FROM order_lines l {PART_JOIN} WHERE l.order_id = $1 AND k.kit IS NOT NULL
"""  # noqa: S608


async def read_parts(connection: Any, order_id: UUID) -> dict[int, Part]:
    """By line, those that are parts of a kit."""
    rows = await connection.fetch(_READ, order_id)
    return {row["line"]: Part(row["part_group"], row["part_units"], row["part_count"]) for row in rows}
