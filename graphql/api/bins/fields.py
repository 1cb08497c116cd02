"""`putAwaySuggestion`, `putAwayTasks`, `warehouseUtilization` and `binMove`."""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import STAFF, Cost, requires
from api.floor.operation import FloorInput, FloorOperation, do
from api.scalars import UserError, check_names, page_size
from app.bins.move_bins import BinMoveLine, move_bins
from app.bins.read_bins import read_utilization, suggest_bins
from app.bins.read_put_away import read_put_away
from app.floor.perform import FloorCall
from app.run_once import Answer
from app.state import State
from domain.identity import Role

READ = requires(STAFF, "stock:read")


@strawberry.input
class PutAwayLine:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int


@strawberry.type(description="Units to be put into a bin.")
class PutAwayPlace:
    bin: str
    quantity: int
    why: str = strawberry.field(description="SAME_SKU, EMPTY_PICK or EMPTY_BULK.")


@strawberry.type
class PutAwaySuggestion:
    sku: str
    places: list[PutAwayPlace]
    left: int = strawberry.field(description="Units that fit nowhere.")


@strawberry.type(description="Units that stand on the floor and belong into bins, with where they go.")
class PutAwayTask:
    warehouse: str
    sku: str
    title: str | None
    quantity: int
    since: datetime.datetime | None = strawberry.field(description="When the line last changed.")
    places: list[PutAwayPlace]
    left: int = strawberry.field(description="Units that fit nowhere.")


@strawberry.type(description="How full a warehouse is. Shares from 0 to 1; null: nothing to compare with.")
class WarehouseUtilization:
    warehouse: str
    bins: int
    bins_used: int
    bins_blocked: int
    unplaced: int = strawberry.field(description="Units that stand in no bin by the books.")
    stock_litres: float = strawberry.field(description="All stock, as far as volumes are known.")
    by_storage: float | None = strawberry.field(description="Of the warehouse's storage capacity.")
    by_volume: float | None = strawberry.field(description="Of what its bins hold together, those with a capacity.")
    by_bin: float | None = strawberry.field(description="Bins that hold anything.")


@strawberry.input
class BinMoveLineInput:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int
    from_: str | None = strawberry.field(name="from", default=None, description="Bin; left out: from no bin.")
    to: str | None = strawberry.field(default=None, description="Bin; left out: to no bin.")


@strawberry.input
class BinMoveInput(FloorInput):
    warehouse: str
    lines: list[BinMoveLineInput]


@strawberry.type(description="What was moved, and what both bins hold of the SKU now.")
class BinMoved:
    sku: str
    quantity: int
    from_: str | None = strawberry.field(name="from")
    to: str | None
    from_holds: int | None
    to_holds: int | None


@strawberry.type
class BinMovePayload:
    user_errors: list[UserError]
    moves: list[BinMoved] = strawberry.field(default_factory=list)


@strawberry.type
class BinQuery:
    @strawberry.field(
        directives=[*READ, Cost(weight=100)],
        description="Where received goods go: to their own kind, to free bins near the pickers, then to bulk storage.",
    )
    async def put_away_suggestion(
        self, info: Info, warehouse: str, lines: list[PutAwayLine]
    ) -> list[PutAwaySuggestion]:
        given = [(line.sku, line.quantity) for line in lines]
        found = await suggest_bins(info.context.state, info.context.principal, warehouse, given)
        return [
            PutAwaySuggestion(sku=one.sku, places=[PutAwayPlace(**p._asdict()) for p in one.places], left=one.left)
            for one in found
        ]

    @strawberry.field(
        directives=[*READ, Cost(weight=200)],
        description="What stands in no bin, longest first; nothing for a warehouse that has no bins.",
    )
    async def put_away_tasks(self, info: Info, warehouse: str, first: int = 50) -> list[PutAwayTask]:
        size = page_size(first)
        found = await read_put_away(info.context.state, info.context.principal, warehouse, size)
        return [
            PutAwayTask(
                **{name: task[name] for name in ("warehouse", "sku", "title", "quantity", "since", "left")},
                places=[PutAwayPlace(**place._asdict()) for place in task["places"]],
            )
            for task in found
        ]

    @strawberry.field(directives=[*READ, Cost(weight=100)], description="By warehouse code.")
    async def warehouse_utilization(
        self, info: Info, warehouses: list[str] | None = None
    ) -> list[WarehouseUtilization]:
        check_names(warehouses, "warehouses")
        rows = await read_utilization(info.context.state.database.hot, info.context.principal, warehouses)
        return [_utilization(row) for row in rows]


def _utilization(row: Any) -> WarehouseUtilization:
    capacity_ml = (row["storage_capacity"] or 0) * 1_000
    return WarehouseUtilization(
        **{name: row[name] for name in ("warehouse", "bins", "bins_used", "bins_blocked", "unplaced")},
        stock_litres=row["stock_ml"] / 1_000,
        by_storage=row["stock_ml"] / capacity_ml if capacity_ml else None,
        by_volume=row["measured_ml"] / row["capacity_ml"] if row["capacity_ml"] else None,
        by_bin=row["bins_used"] / row["bins"] if row["bins"] else None,
    )


def _moved(one: dict[str, Any]) -> BinMoved:
    return BinMoved(
        sku=one["sku"],
        quantity=one["quantity"],
        from_=one["source"],
        to=one["target"],
        from_holds=one["source_holds"],
        to_holds=one["target_holds"],
    )


def _lines(command: BinMoveInput) -> list[BinMoveLine]:
    return [BinMoveLine(line.sku, line.quantity, line.from_, line.to) for line in command.lines]


async def _move(state: State, act: FloorCall, command: BinMoveInput) -> Answer:
    return await move_bins(state, act, command.warehouse, _lines(command))


async def _show(_: Context, made: Answer) -> dict[str, Any]:
    return {"moves": [_moved(one) for one in made["moves"]]}


def _hashed(command: BinMoveInput) -> object:
    """What was added later counts only where it is given, so that digests stay as they were."""
    given = [command.warehouse, _lines(command), command.note]
    more = (command.reason, command.reference, command.occurred_at)
    return given if more == (None, None, None) else [*given, *more]


MOVE = FloorOperation(
    *("binMove", "bin:move", (Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE), "stock:write", "BIN_MOVE"),
    *(_move, _show, _hashed),
)
OPERATIONS = (MOVE,)


@strawberry.type
class BinMutation:
    @strawberry.mutation(
        directives=MOVE.directives, description="Put away, or move between bins. Stock levels do not change."
    )
    async def bin_move(self, info: Info, input: BinMoveInput) -> BinMovePayload:
        return await answer(BinMovePayload, do(info.context, MOVE, input))
