"""Reading kits: what they are made of, and how many can be made where."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from app.stock.read_stock import visible
from domain.identity import Principal
from domain.kits import Component, count_kits

_COMPONENTS = """
SELECT c.code, c.title, p.quantity FROM kit_components p JOIN skus c ON c.id = p.component_id
WHERE p.kit_id = $1 ORDER BY c.code
"""
_AVAILABLE = """
SELECT w.code AS warehouse, c.code AS sku, l.available FROM kit_components p
JOIN stock_levels l ON l.sku_id = p.component_id JOIN warehouses w ON w.id = l.warehouse_id
JOIN skus c ON c.id = p.component_id WHERE p.kit_id = $1 AND ($2::int[] IS NULL OR w.id = ANY($2)) ORDER BY w.code
"""
_CODE = "SELECT code FROM skus WHERE id = $1"


async def answer_kit(connection: Any, kit_id: int, principal: Principal | None) -> dict[str, Any] | None:
    """The kit, with how many the warehouses that the principal sees can make (None: all); None: it is no kit."""
    rows = await connection.fetch(_COMPONENTS, kit_id)
    if not rows:
        return None
    components = [Component(row["code"], row["quantity"]) for row in rows]
    there: dict[str, dict[str, int]] = defaultdict(dict)
    houses = None if principal is None else visible(principal)
    for row in await connection.fetch(_AVAILABLE, kit_id, houses):
        there[row["warehouse"]][row["sku"]] = row["available"]
    made = [{"warehouse": code, "available": count_kits(units, components)} for code, units in there.items()]
    parts = [{"sku": row["code"], "title": row["title"], "quantity": row["quantity"]} for row in rows]
    return {"sku": await connection.fetchval(_CODE, kit_id), "components": parts, "availability": made}
