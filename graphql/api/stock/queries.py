"""Queries of the stock area."""

from __future__ import annotations

import datetime
from functools import partial

import strawberry

from api.context import Info
from api.directives import EVERYONE, Cost, requires
from api.ids import BIGINT_MAX
from api.scalars import after_numbers, check_names, make_page, page_size
from api.stock.types import (
    Sku,
    SkuConnection,
    StockExplanation,
    StockLevelConnection,
    StockMovementConnection,
    StockTerm,
    StockTermDocument,
    Warehouse,
    level_from_row,
    levels_from_rows,
    movement_from_row,
    sku_from_row,
    warehouse_from_row,
)
from app.catalog.read_catalog import count_skus, read_sku, read_skus, read_warehouses
from app.stock.read_stock import (
    LevelFilter,
    MovementFilter,
    count_levels,
    count_movements,
    explain_level,
    read_levels,
    read_levels_by_keys,
    read_movements,
)


@strawberry.input
class StockLevelFilter:
    skus: list[str] | None = None
    warehouses: list[str] | None = None
    below_safety_stock: bool = False


@strawberry.input
class StockMovementFilter:
    sku: str | None = None
    warehouse: str | None = None
    reasons: list[str] | None = None
    reference: str | None = None
    from_: datetime.datetime | None = strawberry.field(name="from", default=None)
    to: datetime.datetime | None = None


@strawberry.input
class SkuFilter:
    search: str | None = strawberry.field(default=None, description="In code, barcode or title.")
    codes: list[str] | None = None


READ = requires(EVERYONE, "stock:read")


@strawberry.type
class StockQuery:
    @strawberry.field(directives=READ, description="By code or barcode.")
    async def sku(self, info: Info, code: str) -> Sku | None:
        row = await read_sku(info.context.state.database, code)
        return None if row is None else sku_from_row(row)

    @strawberry.field(directives=READ)
    async def skus(
        self,
        info: Info,
        filter: SkuFilter | None = None,
        first: int = 50,
        after: str | None = None,
    ) -> SkuConnection:
        size, (start,) = page_size(first), after_numbers(after, "SkuCursor")
        database, chosen = info.context.state.database, filter or SkuFilter()
        check_names(chosen.codes, "codes")
        rows = await read_skus(database, chosen.search, chosen.codes, start, size + 1)
        page = make_page([sku_from_row(row) for row in rows], size, "SkuCursor", after)
        return SkuConnection(count=partial(count_skus, database, chosen.search, chosen.codes), **page)

    @strawberry.field(directives=READ)
    async def warehouse(self, info: Info, code: str) -> Warehouse | None:
        rows = await read_warehouses(info.context.state.database, info.context.principal)
        return next((warehouse_from_row(row) for row in rows if row["w_code"] == code), None)

    @strawberry.field(directives=READ, description="All that you may see, by code.")
    async def warehouses(self, info: Info) -> list[Warehouse]:
        rows = await read_warehouses(info.context.state.database, info.context.principal)
        return [warehouse_from_row(row) for row in rows]

    @strawberry.field(directives=READ)
    async def stock_levels(
        self,
        info: Info,
        filter: StockLevelFilter | None = None,
        first: int = 50,
        after: str | None = None,
    ) -> StockLevelConnection:
        size, start = page_size(first), after_numbers(after, "StockLevelCursor", 2)
        database, principal = info.context.state.database, info.context.principal
        f = filter or StockLevelFilter()
        check_names(f.skus, "skus")
        check_names(f.warehouses, "warehouses")
        chosen = LevelFilter(f.skus, f.warehouses, f.below_safety_stock)
        rows = await read_levels(database, principal, chosen, (start[0], start[1]), size + 1)
        page = make_page(levels_from_rows(rows), size, "StockLevelCursor", after)
        return StockLevelConnection(count=partial(count_levels, database, principal, chosen), **page)

    @strawberry.field(directives=READ, description="In the order they were posted.")
    async def stock_movements(
        self,
        info: Info,
        filter: StockMovementFilter | None = None,
        first: int = 50,
        after: str | None = None,
    ) -> StockMovementConnection:
        size, (start,) = page_size(first), after_numbers(after, "StockMovementCursor", limit=BIGINT_MAX)
        database, principal = info.context.state.database, info.context.principal
        f = filter or StockMovementFilter()
        check_names(f.reasons, "reasons")
        chosen = MovementFilter(f.sku, f.warehouse, f.reasons, f.reference, f.from_, f.to)
        rows = await read_movements(database, principal, chosen, start, size + 1)
        page = make_page([movement_from_row(row) for row in rows], size, "StockMovementCursor", after)
        return StockMovementConnection(count=partial(count_movements, database, principal, chosen), **page)

    @strawberry.field(
        directives=[*READ, Cost(weight=100)], description="The terms that make up each number, with their documents."
    )
    async def stock_explain(self, info: Info, sku: str, warehouse: str) -> StockExplanation | None:
        context = info.context
        database = context.state.database
        house = (await context.state.lookup.warehouses()).get(warehouse)
        sku_id = (await context.state.lookup.find_skus([sku])).get(sku)
        if house is None or sku_id is None or not context.principal.sees_warehouse(house.id):
            return None
        rows = await read_levels_by_keys(database, [(sku_id, house.id)])
        if not rows:
            return None
        level = level_from_row(rows[0])
        documents: dict[str, list[StockTermDocument]] = {}
        for row in await explain_level(database, sku_id, house.id):
            documents.setdefault(row["bucket"], []).append(
                StockTermDocument(
                    document=row["document"],
                    quantity=row["quantity"],
                    movements=row["movements"],
                    last_posted_at=row["last_at"],
                )
            )
        terms = [
            StockTerm(bucket=bucket, quantity=getattr(level, bucket), documents=found)  # type: ignore[arg-type]
            for bucket, found in documents.items()
        ]
        return StockExplanation(level=level, terms=terms)
