"""`supplierSet`, `purchaseOrderCreate`, `purchaseOrderReceive` and `purchaseOrderClose`."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.floor.operation import PUT_INTO, FloorOperation, do, without_bins
from api.ids import decode_uuid
from api.replenishment.types import PurchaseOrder, Supplier, purchase_from_row, supplier_from_row
from api.scalars import MoneyInput, UserError
from app.calls import make_call
from app.floor.perform import FloorCall
from app.replenishment.create_purchase import PurchaseCreate, PurchaseLine, create_purchase
from app.replenishment.receive_purchase import PurchasePart, close_purchase, receive_purchase
from app.replenishment.save_supplier import SupplierLine, SupplierSet, save_supplier
from app.run_once import Answer
from app.state import State
from domain.identity import Role
from domain.provenance import Remarks

BUY = requires([Role.ADMIN, Role.OPERATIONS], "stock:write")


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
    damaged: int = strawberry.field(
        default=0, description="Kept as a damage of origin RECEIVING, to be disposed of by damageDispose."
    )
    bin: str | None = strawberry.field(default=None, description=f"{PUT_INTO} Not damaged ones.")
    cause: str | None = strawberry.field(default=None, description="Of the damage.")
    evidence: str | None = strawberry.field(default=None, description="Where a picture or a report of it is.")


@strawberry.input
class PurchaseOrderReceiveInput:
    id: strawberry.ID
    lines: list[PurchaseOrderReceiveLine]
    allow_over: bool = strawberry.field(default=False, description="Keep what is more than was ordered.")
    reason: str = "RECEIPT"
    note: str | None = None
    reference: str | None = None
    occurred_at: datetime.datetime | None = strawberry.field(
        default=None, description="When it was done, if that was before now: without network."
    )
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


def _parts(command: PurchaseOrderReceiveInput) -> list[PurchasePart]:
    return [
        PurchasePart(line.sku, line.quantity, line.damaged, line.bin, line.cause, line.evidence)
        for line in command.lines
    ]


async def _receive(state: State, act: FloorCall, command: PurchaseOrderReceiveInput) -> Answer:
    order_id, parts = decode_uuid(command.id, "PurchaseOrder"), _parts(command)
    return await receive_purchase(state, act, order_id, parts, command.allow_over)


async def _show(_: Context, made: Answer) -> dict[str, Any]:
    return {"purchase_order": purchase_from_row(made["purchase_order"])}


def _hashed(command: PurchaseOrderReceiveInput) -> object:
    remarks = Remarks(command.reason, command.note, command.reference)
    order_id = decode_uuid(command.id, "PurchaseOrder")
    given = [order_id, without_bins(_parts(command)), command.allow_over, remarks]
    return given if command.occurred_at is None else [*given, command.occurred_at]


RECEIVE = FloorOperation(
    *("purchaseOrderReceive", "purchase:receive", (Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE), "stock:write"),
    *("RECEIPT", _receive, _show, _hashed),
)
OPERATIONS = (RECEIVE,)


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

    @strawberry.mutation(directives=RECEIVE.directives, description="In as many parts as it comes.")
    async def purchase_order_receive(self, info: Info, input: PurchaseOrderReceiveInput) -> PurchaseOrderReceivePayload:
        return await answer(PurchaseOrderReceivePayload, do(info.context, RECEIVE, input))

    @strawberry.mutation(directives=BUY, description="What has not come is expected no more.")
    async def purchase_order_close(self, info: Info, input: PurchaseOrderCloseInput) -> PurchaseOrderClosePayload:
        async def close() -> dict[str, Any]:
            order_id, context = decode_uuid(input.id, "PurchaseOrder"), info.context
            call = make_call(context.principal, "purchase:close", input.idempotency_key, [order_id])
            return await _shown(close_purchase(context.state, context.principal, order_id, call))

        return await answer(PurchaseOrderClosePayload, close())
