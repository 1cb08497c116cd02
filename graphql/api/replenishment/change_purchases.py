"""`supplierSet`, `purchaseOrderCreate`, `purchaseOrderReceive` and `purchaseOrderClose`."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable
from typing import Any

import strawberry

from api.answer import answer
from api.context import Info
from api.directives import requires
from api.ids import decode_uuid
from api.replenishment.types import PurchaseOrder, Supplier, purchase_from_row, supplier_from_row
from api.scalars import MoneyInput, UserError
from app.calls import make_call
from app.replenishment.create_purchase import PurchaseCreate, PurchaseLine, create_purchase
from app.replenishment.receive_purchase import PurchasePart, close_purchase, receive_purchase
from app.replenishment.save_supplier import SupplierLine, SupplierSet, save_supplier
from domain.identity import Role
from domain.provenance import Remarks

BUY = requires([Role.ADMIN, Role.OPERATIONS], "stock:write")
RECEIVE = requires([Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE], "stock:write")


@strawberry.input
class SupplierSetLine:
    sku: str
    pack_size: int = 1
    minimum: int = strawberry.field(default=1, description="Units of one order at least.")
    unit_cost: MoneyInput | None = None


@strawberry.input
class SupplierSetInput:
    code: str
    name: str
    lead_days: int = strawberry.field(description="From ordering to having it.")
    lines: list[SupplierSetLine] | None = strawberry.field(
        default=None, description="SKUs that are not named stay as they are."
    )
    idempotency_key: str | None = None


@strawberry.input
class PurchaseOrderCreateLine:
    sku: str
    quantity: int
    unit_cost: MoneyInput | None = strawberry.field(default=None, description="Left out: the supplier's.")


@strawberry.input
class PurchaseOrderCreateInput:
    supplier: str
    warehouse: str
    lines: list[PurchaseOrderCreateLine]
    expected_at: datetime.datetime | None = strawberry.field(
        default=None, description="Left out: after the supplier's lead time."
    )
    reference: str | None = None
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class PurchaseOrderReceiveLine:
    sku: str
    quantity: int = strawberry.field(description="All that came, damaged ones too.")
    damaged: int = 0


@strawberry.input
class PurchaseOrderReceiveInput:
    id: strawberry.ID
    lines: list[PurchaseOrderReceiveLine]
    allow_over: bool = strawberry.field(default=False, description="Keep what is more than was ordered.")
    reason: str = "RECEIPT"
    note: str | None = None
    reference: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class PurchaseOrderCloseInput:
    id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.type
class SupplierSetPayload:
    user_errors: list[UserError]
    supplier: Supplier | None = None


@strawberry.type
class PurchasePayload:
    user_errors: list[UserError]
    purchase_order: PurchaseOrder | None = None


@strawberry.type
class PurchaseOrderCreatePayload(PurchasePayload): ...


@strawberry.type
class PurchaseOrderReceivePayload(PurchasePayload): ...


@strawberry.type
class PurchaseOrderClosePayload(PurchasePayload): ...


async def _shown(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    return {"purchase_order": purchase_from_row((await work)["purchase_order"])}


def _cost(given: MoneyInput | None) -> tuple[Any, Any]:
    return (given.amount, given.currency) if given else (None, None)


@strawberry.type
class PurchaseMutation:
    @strawberry.mutation(directives=BUY, description="Create or change it.")
    async def supplier_set(self, info: Info, input: SupplierSetInput) -> SupplierSetPayload:
        async def save() -> dict[str, Any]:
            lines = [
                SupplierLine(line.sku, line.pack_size, line.minimum, *_cost(line.unit_cost))
                for line in input.lines or ()
            ]
            command = SupplierSet(input.code, input.name, input.lead_days, lines)
            call = make_call(info.context.principal, "supplier:set", input.idempotency_key, command)
            made = await save_supplier(info.context.state, command, call)
            return {"supplier": supplier_from_row(made["supplier"])}

        return await answer(SupplierSetPayload, save())

    @strawberry.mutation(directives=BUY, description="The warehouse expects it from then on.")
    async def purchase_order_create(self, info: Info, input: PurchaseOrderCreateInput) -> PurchaseOrderCreatePayload:
        async def create() -> dict[str, Any]:
            lines = [PurchaseLine(line.sku, line.quantity, *_cost(line.unit_cost)) for line in input.lines]
            command = PurchaseCreate(
                input.supplier, input.warehouse, lines, input.expected_at, input.reference, input.note
            )
            context = info.context
            call = make_call(context.principal, "purchase:create", input.idempotency_key, command)
            return await _shown(
                create_purchase(context.state, context.principal, command, context.principal.name, call)
            )

        return await answer(PurchaseOrderCreatePayload, create())

    @strawberry.mutation(directives=RECEIVE, description="In as many parts as it comes.")
    async def purchase_order_receive(self, info: Info, input: PurchaseOrderReceiveInput) -> PurchaseOrderReceivePayload:
        async def receive() -> dict[str, Any]:
            order_id, context, key = decode_uuid(input.id, "PurchaseOrder"), info.context, input.idempotency_key
            parts = [PurchasePart(line.sku, line.quantity, line.damaged) for line in input.lines]
            remarks = Remarks(input.reason, input.note, input.reference)
            given = [order_id, parts, input.allow_over, remarks]
            call = make_call(context.principal, "purchase:receive", key, given)
            who = context.provenance(key)
            work = receive_purchase(
                context.state, context.principal, order_id, parts, input.allow_over, who, remarks, call
            )
            return await _shown(work)

        return await answer(PurchaseOrderReceivePayload, receive())

    @strawberry.mutation(directives=BUY, description="What has not come is expected no more.")
    async def purchase_order_close(self, info: Info, input: PurchaseOrderCloseInput) -> PurchaseOrderClosePayload:
        async def close() -> dict[str, Any]:
            order_id, context = decode_uuid(input.id, "PurchaseOrder"), info.context
            call = make_call(context.principal, "purchase:close", input.idempotency_key, [order_id])
            return await _shown(close_purchase(context.state, context.principal, order_id, call))

        return await answer(PurchaseOrderClosePayload, close())
