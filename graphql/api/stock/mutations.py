"""Mutations of the stock area."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.ids import decode_id
from api.scalars import MoneyInput, UserError
from api.stock.types import (
    Reservation,
    Sku,
    SkuStatus,
    StockBucket,
    StockLevel,
    StockMovement,
    Warehouse,
    WarehouseKind,
    WarehouseStatus,
    make_level,
    movement_from_row,
    reservation_from_answer,
    sku_from_row,
    warehouse_from_row,
)
from app.calls import check_text, make_call
from app.catalog.read_catalog import read_skus_by_ids, read_warehouses_by_ids
from app.catalog.upsert import SkuLine, create_warehouse, save_skus, update_warehouse
from app.stock.end_reservation import extend_reservation, release_reservation
from app.stock.move_stock import Kind, MoveLine, prepare_movement
from app.stock.read_stock import read_movements_by_ids
from app.stock.reserve_stock import WantedLine, prepare_reservation
from app.stock.run_commands import run_commands
from domain.identity import Role
from domain.provenance import Remarks

WRITERS = [Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE]
SELLERS = [Role.ADMIN, Role.OPERATIONS, Role.ECOMMERCE, Role.SUPPORT, Role.WAREHOUSE]


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
    idempotency_key: str | None = None


@strawberry.input(description="What is left out keeps its value.")
class WarehouseUpdateInput:
    warehouse: str
    name: str | None = strawberry.UNSET
    status: WarehouseStatus | None = strawberry.UNSET
    address: str | None = strawberry.UNSET
    latitude: float | None = strawberry.UNSET
    longitude: float | None = strawberry.UNSET
    time_zone: str | None = strawberry.UNSET
    storage_capacity: int | None = strawberry.UNSET
    daily_order_capacity: int | None = strawberry.UNSET
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


@strawberry.input
class SkuUpsertInput:
    lines: list[SkuUpsertLine]
    idempotency_key: str | None = None


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


@strawberry.input
class ReservationCreateLine:
    sku: str
    quantity: int
    warehouse: str | None = strawberry.field(default=None, description="Left out: the one with most available.")


@strawberry.input
class ReservationCreateInput:
    lines: list[ReservationCreateLine]
    expires_in_seconds: int | None = None
    reference: str | None = None
    reason: str = "RESERVATION"
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class ReservationExtendInput:
    id: strawberry.ID
    expires_in_seconds: int
    idempotency_key: str | None = None


@strawberry.input
class ReservationReleaseInput:
    id: strawberry.ID
    reason: str = "RESERVATION_RELEASED"
    note: str | None = None
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


@strawberry.type
class ReservationPayload:
    user_errors: list[UserError]
    reservation: Reservation | None = None


@strawberry.type
class ReservationCreatePayload(ReservationPayload): ...


@strawberry.type
class ReservationExtendPayload(ReservationPayload): ...


@strawberry.type
class ReservationReleasePayload(ReservationPayload): ...


def _remarks(command: Any) -> Remarks:
    for field in ("reason", "note", "reference"):
        check_text(getattr(command, field, None), field)
    return Remarks(command.reason, command.note, getattr(command, "reference", None))


async def _move(context: Context, kind: Kind, command: Any, lines: Sequence[MoveLine]) -> dict[str, Any]:
    key = command.idempotency_key
    remarks = _remarks(command)
    call = make_call(context.principal, f"stock:{kind}", key, [command.warehouse, lines, remarks, command.occurred_at])
    state = context.state
    prepared = await prepare_movement(
        state.lookup,
        context.principal,
        kind,
        command.warehouse,
        lines,
        context.provenance(key),
        remarks,
        call,
        command.occurred_at,
    )
    (result,) = await run_commands(state.database, [prepared])
    state.doorbell.ring("feed")
    if isinstance(result, Exception):
        raise result
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


async def _reserve(context: Context, command: ReservationCreateInput) -> dict[str, Any]:
    state, key = context.state, command.idempotency_key
    remarks = _remarks(command)
    lines = [WantedLine(line.sku, line.quantity, line.warehouse) for line in command.lines]
    seconds = command.expires_in_seconds
    call = make_call(context.principal, "reservation:create", key, [lines, seconds, remarks])
    prepared = await prepare_reservation(
        state.lookup,
        context.principal,
        lines,
        state.settings.reservation_seconds_default if seconds is None else seconds,
        state.settings.reservation_seconds_max,
        context.provenance(key),
        remarks,
        call,
    )
    return {"reservation": reservation_from_answer(await state.combiner.submit(prepared))}


async def _release(context: Context, command: ReservationReleaseInput) -> dict[str, Any]:
    reservation_id = UUID(decode_id(command.id, "Reservation")[1])
    remarks = _remarks(command)
    key = command.idempotency_key
    call = make_call(context.principal, "reservation:release", key, [reservation_id, remarks])
    result = await release_reservation(
        context.state.database, context.principal, reservation_id, context.provenance(key), remarks, call
    )
    context.state.doorbell.ring("feed")
    return {"reservation": reservation_from_answer(result)}


async def _extend(context: Context, command: ReservationExtendInput) -> dict[str, Any]:
    reservation_id = UUID(decode_id(command.id, "Reservation")[1])
    seconds = command.expires_in_seconds
    call = make_call(context.principal, "reservation:extend", command.idempotency_key, [reservation_id, seconds])
    result = await extend_reservation(
        context.state.database,
        context.principal,
        reservation_id,
        seconds,
        context.state.settings.reservation_seconds_max,
        call,
    )
    return {"reservation": reservation_from_answer(result)}


async def _create_warehouse(context: Context, command: WarehouseCreateInput) -> dict[str, Any]:
    values = {name: value for name, value in vars(command).items() if name != "idempotency_key"}
    values["kind"] = command.kind.value
    for name in ("name", "address"):
        check_text(values[name], name)
    row = await create_warehouse(context.state.database, values)
    await context.state.lookup.reload_warehouses()
    return {"warehouse": _warehouse(row)}


async def _update_warehouse(context: Context, command: WarehouseUpdateInput) -> dict[str, Any]:
    kept = ("warehouse", "idempotency_key")
    values = {n: v for n, v in vars(command).items() if n not in kept and v is not strawberry.UNSET}
    if isinstance(values.get("status"), WarehouseStatus):
        values["status"] = values["status"].value
    row = await update_warehouse(context.state.database, context.principal, command.warehouse, values)
    await context.state.lookup.reload_warehouses()
    return {"warehouse": _warehouse(row)}


def _warehouse(row: Any) -> Warehouse:
    return warehouse_from_row({f"w_{name}": value for name, value in row._mapping.items()})


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
        )
        for line in command.lines
    ]
    rows = await save_skus(context.state.database, lines)
    return {"skus": [sku_from_row({f"s_{name}": value for name, value in row.items()}) for row in rows]}


@strawberry.type
class StockMutation:
    @strawberry.mutation(directives=requires([Role.ADMIN, Role.OPERATIONS], "stock:write"))
    async def warehouse_create(self, info: Info, input: WarehouseCreateInput) -> WarehouseCreatePayload:
        return await answer(WarehouseCreatePayload, _create_warehouse(info.context, input))

    @strawberry.mutation(directives=requires([Role.ADMIN, Role.OPERATIONS], "stock:write"))
    async def warehouse_update(self, info: Info, input: WarehouseUpdateInput) -> WarehouseUpdatePayload:
        return await answer(WarehouseUpdatePayload, _update_warehouse(info.context, input))

    @strawberry.mutation(directives=requires([Role.ADMIN, Role.OPERATIONS, Role.ECOMMERCE], "stock:write"))
    async def sku_upsert(self, info: Info, input: SkuUpsertInput) -> SkuUpsertPayload:
        return await answer(SkuUpsertPayload, _upsert_skus(info.context, input))

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

    @strawberry.mutation(directives=requires(SELLERS, "stock:write"), description="Hold stock for a time.")
    async def reservation_create(self, info: Info, input: ReservationCreateInput) -> ReservationCreatePayload:
        return await answer(ReservationCreatePayload, _reserve(info.context, input))

    @strawberry.mutation(directives=requires(SELLERS, "stock:write"), description="Let it last so long from now.")
    async def reservation_extend(self, info: Info, input: ReservationExtendInput) -> ReservationExtendPayload:
        return await answer(ReservationExtendPayload, _extend(info.context, input))

    @strawberry.mutation(directives=requires(SELLERS, "stock:write"), description="Give the units back.")
    async def reservation_release(self, info: Info, input: ReservationReleaseInput) -> ReservationReleasePayload:
        return await answer(ReservationReleasePayload, _release(info.context, input))
