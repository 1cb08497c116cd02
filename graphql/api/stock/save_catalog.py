"""`warehouseCreate`, `warehouseUpdate` and `skuUpsert`."""

from __future__ import annotations

from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.scalars import MoneyInput, UserError
from api.stock.types import Sku, SkuStatus, Warehouse, WarehouseKind, WarehouseStatus, sku_from_row, warehouse_from_row
from app.calls import make_call
from app.catalog.save_warehouse import create_warehouse, update_warehouse
from app.catalog.upsert import SkuLine, save_skus
from domain.identity import Role


@strawberry.input
class WarehouseCreateInput:
    code: str
    name: str
    kind: WarehouseKind = WarehouseKind.OWN
    address: str | None = None
    country_code: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    time_zone: str = "UTC"
    storage_capacity: int | None = None
    daily_order_capacity: int | None = None
    cut_off: str | None = None
    groups: list[str] = strawberry.field(default_factory=list)
    working_days: list[int] = strawberry.field(
        default_factory=lambda: list(range(1, 8)), description="Of the week: Monday is 1, Sunday 7."
    )
    closed_on: list[str] = strawberry.field(default_factory=list, description="YYYY-MM-DD, at most 366.")
    open_from: str | None = strawberry.field(default=None, description="HH:MM in its time zone; midnight if left out.")
    status: WarehouseStatus | None = strawberry.field(default=strawberry.UNSET, description="LIVE if left out.")
    idempotency_key: str | None = None


@strawberry.input(description="What is left out keeps its value.")
class WarehouseUpdateInput:
    warehouse: str
    name: str | None = strawberry.UNSET
    status: WarehouseStatus | None = strawberry.UNSET
    address: str | None = strawberry.UNSET
    country_code: str | None = strawberry.UNSET
    latitude: float | None = strawberry.UNSET
    longitude: float | None = strawberry.UNSET
    time_zone: str | None = strawberry.UNSET
    storage_capacity: int | None = strawberry.UNSET
    daily_order_capacity: int | None = strawberry.UNSET
    cut_off: str | None = strawberry.UNSET
    groups: list[str] | None = strawberry.UNSET
    working_days: list[int] | None = strawberry.UNSET
    closed_on: list[str] | None = strawberry.field(default=strawberry.UNSET, description="All of them, not more ones.")
    open_from: str | None = strawberry.UNSET
    idempotency_key: str | None = None


@strawberry.input
class SkuUpsertLine:
    code: str
    title: str | None = None
    barcode: str | None = None
    unit_cost: MoneyInput | None = None
    weight_grams: int | None = None
    volume_ml: int | None = None
    status: SkuStatus | None = None
    tags: list[str] | None = None


@strawberry.input
class SkuUpsertInput:
    lines: list[SkuUpsertLine]
    idempotency_key: str | None = None


@strawberry.type
class WarehousePayload:
    user_errors: list[UserError]
    warehouse: Warehouse | None = None


@strawberry.type
class WarehouseCreatePayload(WarehousePayload): ...


@strawberry.type
class WarehouseUpdatePayload(WarehousePayload): ...


@strawberry.type
class SkuUpsertPayload:
    user_errors: list[UserError]
    skus: list[Sku] = strawberry.field(default_factory=list)


def _values(command: Any, *names: str) -> dict[str, Any]:
    """What is given, by column; `names` are no columns."""
    given = {n: v for n, v in vars(command).items() if n not in names and v is not strawberry.UNSET}
    return {name: getattr(value, "value", value) for name, value in given.items()}


async def _create_warehouse(context: Context, command: WarehouseCreateInput) -> dict[str, Any]:
    values = _values(command, "idempotency_key")
    call = make_call(context.principal, "warehouse:create", command.idempotency_key, values)
    row = await create_warehouse(context.state.database, values, call)
    await context.state.lookup.reload_warehouses()
    return {"warehouse": _warehouse(row)}


async def _update_warehouse(context: Context, command: WarehouseUpdateInput) -> dict[str, Any]:
    values = _values(command, "warehouse", "idempotency_key")
    call = make_call(context.principal, "warehouse:update", command.idempotency_key, [command.warehouse, values])
    row = await update_warehouse(context.state.database, context.principal, command.warehouse, values, call)
    await context.state.lookup.reload_warehouses()
    context.state.doorbell.ring("push")
    return {"warehouse": _warehouse(row)}


def _warehouse(row: dict[str, Any]) -> Warehouse:
    later = {"working_days": list(range(1, 8)), "closed_on": [], "open_from": None}
    known = {"cut_off": None, "groups": [], **later, **row}  # an answer kept by an earlier version lacks them
    return warehouse_from_row({f"w_{name}": value for name, value in known.items()})


async def _upsert_skus(context: Context, command: SkuUpsertInput) -> dict[str, Any]:
    lines = [
        SkuLine(
            line.code,
            line.title,
            line.barcode,
            line.unit_cost.amount if line.unit_cost else None,
            line.unit_cost.currency if line.unit_cost else None,
            line.weight_grams,
            line.volume_ml,
            line.status.value if line.status else None,
            line.tags,
        )
        for line in command.lines
    ]
    call = make_call(context.principal, "sku:upsert", command.idempotency_key, lines)
    rows = await save_skus(context.state.database, lines, call)
    return {"skus": [sku_from_row({f"s_{name}": value for name, value in {"tags": [], **row}.items()}) for row in rows]}


@strawberry.type
class CatalogMutation:
    @strawberry.mutation(directives=requires([Role.ADMIN, Role.OPERATIONS], "stock:write"))
    async def warehouse_create(self, info: Info, input: WarehouseCreateInput) -> WarehouseCreatePayload:
        return await answer(WarehouseCreatePayload, _create_warehouse(info.context, input))

    @strawberry.mutation(directives=requires([Role.ADMIN, Role.OPERATIONS], "stock:write"))
    async def warehouse_update(self, info: Info, input: WarehouseUpdateInput) -> WarehouseUpdatePayload:
        return await answer(WarehouseUpdatePayload, _update_warehouse(info.context, input))

    @strawberry.mutation(
        directives=requires([Role.ADMIN, Role.OPERATIONS, Role.ECOMMERCE], "stock:write"),
        description="Create SKUs or change them, by code. What is left out keeps its value.",
    )
    async def sku_upsert(self, info: Info, input: SkuUpsertInput) -> SkuUpsertPayload:
        return await answer(SkuUpsertPayload, _upsert_skus(info.context, input))
