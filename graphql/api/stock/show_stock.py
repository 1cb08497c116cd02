"""Levels and movements of an answer, as payloads show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.context import Context
from api.stock.types import StockLevel, make_level, movement_from_row, sku_from_row, warehouse_from_row
from app.catalog.read_catalog import read_skus_by_ids, read_warehouses_by_ids
from app.run_once import Answer
from app.stock.read_stock import read_movements_by_ids


async def show_levels(context: Context, levels: Sequence[dict[str, Any]]) -> list[StockLevel]:
    """Levels of an answer, with their SKUs and warehouses."""
    database = context.state.database
    skus = {r["s_id"]: sku_from_row(r) for r in await read_skus_by_ids(database, [x["sku_id"] for x in levels])}
    houses = {
        r["w_id"]: warehouse_from_row(r)
        for r in await read_warehouses_by_ids(database, [x["warehouse_id"] for x in levels])
    }
    return [make_level(x, skus[x["sku_id"]], houses[x["warehouse_id"]]) for x in levels]


async def show_stock(context: Context, result: Answer) -> dict[str, Any]:
    movements = await read_movements_by_ids(context.state.database, result["movements"])
    shown = [movement_from_row(row) for row in movements]
    return {"levels": await show_levels(context, result["levels"]), "movements": shown}
