"""`stockReceive`, `stockAdjust` and `stockSet`."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.scalars import MoneyInput, UserError
from api.stock.types import (
    StockBucket,
    StockLevel,
    StockMovement,
    make_level,
    movement_from_row,
    sku_from_row,
    warehouse_from_row,
)
from app.calls import make_call
from app.catalog.read_catalog import read_skus_by_ids, read_warehouses_by_ids
from app.stock.move_stock import Kind, MoveLine, move_stock
from app.stock.read_stock import read_movements_by_ids
from domain.identity import Role
from domain.provenance import Remarks

WRITERS = [Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE]


@strawberry.input
class StockReceiveLine:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int
    unit_cost: MoneyInput | None = None
    bucket: StockBucket = StockBucket.AVAILABLE


@strawberry.input
class StockReceiveInput:
    warehouse: str
    lines: list[StockReceiveLine]
    reason: str = "RECEIPT"
    note: str | None = None
    reference: str | None = None
    occurred_at: datetime.datetime | None = None
    idempotency_key: str | None = None


@strawberry.input
class StockAdjustLine:
    sku: str
    delta: int
    bucket: StockBucket = StockBucket.AVAILABLE
    expected_version: int | None = None


@strawberry.input
class StockAdjustInput:
    warehouse: str
    reason: str
    lines: list[StockAdjustLine]
    note: str | None = None
    reference: str | None = None
    occurred_at: datetime.datetime | None = None
    idempotency_key: str | None = None


@strawberry.input
class StockSetLine:
    sku: str
    quantity: int
    bucket: StockBucket = StockBucket.AVAILABLE
    expected_version: int | None = None


@strawberry.input
class StockSetInput:
    warehouse: str
    lines: list[StockSetLine]
    reason: str = "SET"
    note: str | None = None
    reference: str | None = None
    occurred_at: datetime.datetime | None = None
    idempotency_key: str | None = None


@strawberry.type
class StockPayload:
    user_errors: list[UserError]
    levels: list[StockLevel] = strawberry.field(default_factory=list)
    movements: list[StockMovement] = strawberry.field(default_factory=list)


@strawberry.type
class StockReceivePayload(StockPayload): ...


@strawberry.type
class StockAdjustPayload(StockPayload): ...


@strawberry.type
class StockSetPayload(StockPayload): ...


async def _move(context: Context, kind: Kind, command: Any, lines: Sequence[MoveLine]) -> dict[str, Any]:
    key, house, occurred_at = command.idempotency_key, command.warehouse, command.occurred_at
    remarks = Remarks(command.reason, command.note, command.reference)
    call = make_call(context.principal, f"stock:{kind}", key, [house, lines, remarks, occurred_at])
    provenance = context.provenance(key)
    result = await move_stock(
        context.state, context.principal, kind, house, lines, provenance, remarks, call, occurred_at
    )
    return await _stock_payload(context, result)


async def _stock_payload(context: Context, result: dict[str, Any]) -> dict[str, Any]:
    database = context.state.database
    levels = result["levels"]
    movements = [movement_from_row(row) for row in await read_movements_by_ids(database, result["movements"])]
    skus = {r["s_id"]: sku_from_row(r) for r in await read_skus_by_ids(database, [x["sku_id"] for x in levels])}
    houses = {
        r["w_id"]: warehouse_from_row(r)
        for r in await read_warehouses_by_ids(database, [x["warehouse_id"] for x in levels])
    }
    made = [make_level(x, skus[x["sku_id"]], houses[x["warehouse_id"]]) for x in levels]
    return {"levels": made, "movements": movements}


@strawberry.type
class MovementMutation:
    @strawberry.mutation(directives=requires([*WRITERS, Role.PARTNER], "stock:write"))
    async def stock_receive(self, info: Info, input: StockReceiveInput) -> StockReceivePayload:
        lines = [
            MoveLine(
                line.sku,
                line.quantity,
                line.bucket.value,
                None,
                line.unit_cost.amount if line.unit_cost else None,
                line.unit_cost.currency if line.unit_cost else None,
            )
            for line in input.lines
        ]
        return await answer(StockReceivePayload, _move(info.context, "receive", input, lines))

    @strawberry.mutation(directives=requires(WRITERS, "stock:write"), description="Change by a delta, with a reason.")
    async def stock_adjust(self, info: Info, input: StockAdjustInput) -> StockAdjustPayload:
        lines = [MoveLine(line.sku, line.delta, line.bucket.value, line.expected_version) for line in input.lines]
        return await answer(StockAdjustPayload, _move(info.context, "adjust", input, lines))

    @strawberry.mutation(directives=requires(WRITERS, "stock:write"), description="Set a bucket to a quantity.")
    async def stock_set(self, info: Info, input: StockSetInput) -> StockSetPayload:
        lines = [MoveLine(line.sku, line.quantity, line.bucket.value, line.expected_version) for line in input.lines]
        return await answer(StockSetPayload, _move(info.context, "set", input, lines))
