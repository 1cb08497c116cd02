"""`putAwaySuggestion`, `warehouseUtilization` and `binMove`."""

from __future__ import annotations

from typing import Any

import strawberry

from api.answer import answer
from api.context import Info
from api.directives import STAFF, Cost, requires
from api.scalars import UserError, check_names
from app.bins.move_bins import BinMoveLine, move_bins
from app.bins.read_bins import read_utilization, suggest_bins
from app.calls import make_call
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
class BinMoveInput:
    warehouse: str
    lines: list[BinMoveLineInput]
    note: str | None = None
    idempotency_key: str | None = None


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


@strawberry.type
class BinMutation:
    @strawberry.mutation(
        directives=requires([Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE], "stock:write"),
        description="Put away, or move between bins. Stock levels do not change.",
    )
    async def bin_move(self, info: Info, input: BinMoveInput) -> BinMovePayload:
        async def move() -> dict[str, Any]:
            lines = [BinMoveLine(line.sku, line.quantity, line.from_, line.to) for line in input.lines]
            context, house = info.context, input.warehouse
            call = make_call(context.principal, "bin:move", input.idempotency_key, [house, lines, input.note])
            made = await move_bins(context.state, context.principal, house, lines, input.note, call)
            return {"moves": [_moved(one) for one in made["moves"]]}

        return await answer(BinMovePayload, move())


def _moved(one: dict[str, Any]) -> BinMoved:
    return BinMoved(
        sku=one["sku"],
        quantity=one["quantity"],
        from_=one["source"],
        to=one["target"],
        from_holds=one["source_holds"],
        to_holds=one["target_holds"],
    )
