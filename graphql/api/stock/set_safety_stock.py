"""`safetyStockSet`."""

from __future__ import annotations

from typing import Any

import strawberry

from api.answer import answer
from api.context import Info
from api.directives import requires
from api.scalars import UserError
from api.stock.show_stock import show_levels
from api.stock.types import StockLevel
from app.calls import make_call
from app.stock.set_safety_stock import SafetyLine, SafetyStockSet, set_safety_stock
from domain.identity import Role


@strawberry.input
class SafetyStockSetLine:
    sku: str = strawberry.field(description="Code or barcode. Of a kit its components are kept back.")
    quantity: int = strawberry.field(description="Units kept back from now on; 0: none.")
    expected_version: int | None = None


@strawberry.input
class SafetyStockSetInput:
    warehouse: str
    lines: list[SafetyStockSetLine]
    idempotency_key: str | None = None


@strawberry.type
class SafetyStockSetPayload:
    user_errors: list[UserError]
    levels: list[StockLevel] = strawberry.field(default_factory=list)


@strawberry.type
class SafetyStockMutation:
    @strawberry.mutation(
        directives=requires([Role.ADMIN, Role.OPERATIONS], "stock:write"),
        description="Units that are not published, nor promised by rules that keep safety stock. Nothing moves.",
    )
    async def safety_stock_set(self, info: Info, input: SafetyStockSetInput) -> SafetyStockSetPayload:
        async def save() -> dict[str, Any]:
            lines = tuple(SafetyLine(line.sku, line.quantity, line.expected_version) for line in input.lines)
            command, context = SafetyStockSet(input.warehouse, lines), info.context
            call = make_call(context.principal, "stock:safety", input.idempotency_key, command)
            made = await set_safety_stock(context.state, context.principal, command, call)
            return {"levels": await show_levels(context, made["levels"])}

        return await answer(SafetyStockSetPayload, save())
