"""`node(id)`: anything by its global id, if the caller may see it."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Context, Info
from api.directives import EVERYONE, requires
from api.ids import decode_id
from api.stock.types import (
    Node,
    level_from_row,
    movement_from_row,
    reservation_from_answer,
    sku_from_row,
    warehouse_from_row,
)
from app.catalog.read_catalog import read_skus_by_ids, read_warehouses_by_ids
from app.stock.read_reservation import read_reservation
from app.stock.read_stock import read_levels_by_keys, read_movements_by_ids
from domain.errors import Refusal


async def _find(context: Context, kind: str, key: str) -> Any:
    database, principal = context.state.database, context.principal
    if kind == "Sku":
        rows = await read_skus_by_ids(database, [int(key)])
        return sku_from_row(rows[0]) if rows else None
    if kind == "Warehouse":
        rows = await read_warehouses_by_ids(database, [int(key)])
        return warehouse_from_row(rows[0]) if rows and principal.sees_warehouse(int(key)) else None
    if kind == "StockLevel":
        sku_id, _, warehouse_id = key.partition(".")
        rows = await read_levels_by_keys(database, [(int(sku_id), int(warehouse_id))])
        return level_from_row(rows[0]) if rows and principal.sees_warehouse(int(warehouse_id)) else None
    if kind == "StockMovement":
        rows = await read_movements_by_ids(database, [int(key)])
        return movement_from_row(rows[0]) if rows and principal.sees_warehouse(rows[0]["w_id"]) else None
    if kind == "Reservation":
        answer = await read_reservation(database, principal, key)
        return None if answer is None else reservation_from_answer(answer)
    return None


@strawberry.type
class NodeQuery:
    @strawberry.field(directives=requires(EVERYONE, "stock:read"))
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        try:
            found: Node | None = await _find(info.context, *decode_id(id))
            return found
        except (Refusal, ValueError):
            return None
