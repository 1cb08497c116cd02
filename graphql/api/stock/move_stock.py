"""`stockReceive`, `stockAdjust` and `stockSet`."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.floor.approvals import Adjustment, show_adjustment
from api.floor.operation import PUT_INTO, FloorOperation, do, without_bins
from api.scalars import MoneyInput, UserError
from api.stock.show_stock import show_stock
from api.stock.types import StockBucket, StockLevel, StockMovement
from app.floor.perform import FloorCall
from app.run_once import Answer
from app.state import State
from app.stock.move_stock import Kind, MoveLine, move_stock
from domain.identity import Role
from domain.provenance import Remarks

WRITERS = (Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE)
WAITS = "Above what you may move alone nothing has moved: this waits for a second person."


@strawberry.input
class StockReceiveLine:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int
    unit_cost: MoneyInput | None = None
    bucket: StockBucket = StockBucket.AVAILABLE
    bin: str | None = strawberry.field(default=None, description=f"{PUT_INTO} A SKU may come once for each bin.")


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
    bin: str | None = strawberry.field(
        default=None, description="Where more is put, or less is taken from; left out: the floor first."
    )


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
class StockAdjustPayload(StockPayload):
    adjustment: Adjustment | None = strawberry.field(default=None, description=WAITS)


@strawberry.type
class StockSetPayload(StockPayload):
    adjustment: Adjustment | None = strawberry.field(default=None, description=WAITS)


async def _move(state: State, act: FloorCall, kind: Kind, warehouse: str, lines: Sequence[MoveLine]) -> Answer:
    said = (act.provenance, act.remarks, act.call, act.occurred_at)
    return await move_stock(state, act.principal, kind, warehouse, lines, *said)


def _received(command: StockReceiveInput) -> list[MoveLine]:
    return [
        MoveLine(
            *(line.sku, line.quantity, line.bucket.value, None),
            line.unit_cost.amount if line.unit_cost else None,
            line.unit_cost.currency if line.unit_cost else None,
            line.bin,
        )
        for line in command.lines
    ]


def _adjusted(command: StockAdjustInput) -> list[MoveLine]:
    return [
        MoveLine(line.sku, line.delta, line.bucket.value, line.expected_version, bin=line.bin) for line in command.lines
    ]


def _counted(command: StockSetInput) -> list[MoveLine]:
    return [MoveLine(line.sku, line.quantity, line.bucket.value, line.expected_version) for line in command.lines]


async def _receive(state: State, act: FloorCall, command: StockReceiveInput) -> Answer:
    return await _move(state, act, "receive", command.warehouse, _received(command))


async def _adjust(state: State, act: FloorCall, command: StockAdjustInput) -> Answer:
    return await _move(state, act, "adjust", command.warehouse, _adjusted(command))


async def _set(state: State, act: FloorCall, command: StockSetInput) -> Answer:
    return await _move(state, act, "set", command.warehouse, _counted(command))


def _hashed(lines_of: Callable[[Any], list[MoveLine]]) -> Callable[[Any], object]:
    def hashed(command: Any) -> object:
        remarks = Remarks(command.reason, command.note, command.reference)
        return [command.warehouse, without_bins(lines_of(command)), remarks, command.occurred_at]

    return hashed


async def _show(context: Context, result: Answer) -> dict[str, Any]:
    return {**await show_stock(context, result), "adjustment": await show_adjustment(context, result)}


RECEIVE = FloorOperation(
    *("stockReceive", "stock:receive", (*WRITERS, Role.PARTNER), "stock:write", "RECEIPT"),
    *(_receive, show_stock, _hashed(_received)),
)
ADJUST = FloorOperation(
    *("stockAdjust", "stock:adjust", WRITERS, "stock:write", "ADJUSTED"), _adjust, _show, _hashed(_adjusted)
)
SET = FloorOperation(*("stockSet", "stock:set", WRITERS, "stock:write", "SET"), _set, _show, _hashed(_counted))
OPERATIONS = (RECEIVE, ADJUST, SET)


@strawberry.type
class MovementMutation:
    @strawberry.mutation(directives=RECEIVE.directives)
    async def stock_receive(self, info: Info, input: StockReceiveInput) -> StockReceivePayload:
        return await answer(StockReceivePayload, do(info.context, RECEIVE, input))

    @strawberry.mutation(directives=ADJUST.directives, description="Change by a delta, with a reason.")
    async def stock_adjust(self, info: Info, input: StockAdjustInput) -> StockAdjustPayload:
        return await answer(StockAdjustPayload, do(info.context, ADJUST, input))

    @strawberry.mutation(directives=SET.directives, description="Set a bucket to a quantity.")
    async def stock_set(self, info: Info, input: StockSetInput) -> StockSetPayload:
        return await answer(StockSetPayload, do(info.context, SET, input))
