"""`floorBatch`: a tablet's queue."""

from __future__ import annotations

import dataclasses
from typing import Any

import strawberry

from api.answer import answer
from api.bins import fields as bins
from api.bins.fields import BinMoveInput
from api.context import Context, Info
from api.counts.change_counts import CountCheckInput, CountSubmitInput, CountSuspectInput
from api.directives import requires
from api.floor import approvals, borrowed, damage, returns, transfers
from api.floor.approvals import AdjustmentApproveInput, AdjustmentRejectInput
from api.floor.damage import DamageDisposeInput, DamageReportInput
from api.floor.operation import FloorOperation, run_operation
from api.floor.returns import (
    ReturnAuthorizeInput,
    ReturnCancelInput,
    ReturnCloseInput,
    ReturnInspectInput,
    ReturnReceiveInput,
    ReturnRefundInput,
)
from api.floor.transfers import (
    TransferApproveInput,
    TransferCancelInput,
    TransferCloseInput,
    TransferCreateInput,
    TransferPickInput,
    TransferReceiveInput,
    TransferShipInput,
)
from api.fulfillment.act import (
    FulfillmentOrderAcceptInput,
    FulfillmentOrderCancelInput,
    FulfillmentOrderPackInput,
    FulfillmentOrderPickInput,
    FulfillmentOrderRejectInput,
    FulfillmentOrderShipInput,
    FulfillmentOrderStartPickingInput,
)
from api.ids import encode_id
from api.replenishment import change_purchases
from api.replenishment.change_purchases import PurchaseOrderReceiveInput
from api.scalars import UserError, user_error
from api.stock import move_stock
from api.stock.move_stock import StockAdjustInput, StockReceiveInput, StockSetInput
from app.floor.apply_batch import FloorResult, FloorStatus, Recorded, apply_batch
from app.floor.find_document import LABELS, write_label
from app.run_once import Answer
from domain.errors import Refusal, RefusalCode
from domain.floor import FloorAdvice
from domain.identity import Role

strawberry.enum(
    FloorStatus,
    name="FloorStatus",
    description="REFUSED: nothing was done, `advice` says what to do. FAILED: a fault of ours, send it again.",
)
strawberry.enum(
    FloorAdvice,
    name="FloorAdvice",
    description="SEND_AGAIN: it came too early, keep it and send it again under its key. COUNT: the shelf is not what "
    "was thought. CORRECT: it can never be done like this. ASK: somebody who may do it must.",
)
OPERATIONS: dict[str, FloorOperation] = {
    operation.name: operation
    for area in (move_stock, bins, change_purchases, transfers, returns, damage, approvals, borrowed)
    for operation in area.OPERATIONS
}
"""Every mutation of the warehouse floor, by its name."""
KINDS = {
    "transfer": "Transfer",
    "return": "Return",
    "damage": "Damage",
    "adjustment": "Adjustment",
    "fulfillment_order": "FulfillmentOrder",
    "count": "Count",
    "purchase_order": "PurchaseOrder",
}


@strawberry.input(description="Exactly one of the fields: what the mutation of that name takes, with a key.")
class FloorBatchOperation:
    stock_receive: StockReceiveInput | None = None
    stock_adjust: StockAdjustInput | None = None
    stock_set: StockSetInput | None = None
    transfer_create: TransferCreateInput | None = None
    transfer_approve: TransferApproveInput | None = None
    transfer_pick: TransferPickInput | None = None
    transfer_ship: TransferShipInput | None = None
    transfer_receive: TransferReceiveInput | None = None
    transfer_close: TransferCloseInput | None = None
    transfer_cancel: TransferCancelInput | None = None
    return_authorize: ReturnAuthorizeInput | None = None
    return_receive: ReturnReceiveInput | None = None
    return_inspect: ReturnInspectInput | None = None
    return_close: ReturnCloseInput | None = None
    return_cancel: ReturnCancelInput | None = None
    return_refund: ReturnRefundInput | None = None
    damage_report: DamageReportInput | None = None
    damage_dispose: DamageDisposeInput | None = None
    adjustment_approve: AdjustmentApproveInput | None = None
    adjustment_reject: AdjustmentRejectInput | None = None
    fulfillment_order_accept: FulfillmentOrderAcceptInput | None = None
    fulfillment_order_reject: FulfillmentOrderRejectInput | None = None
    fulfillment_order_cancel: FulfillmentOrderCancelInput | None = None
    fulfillment_order_start_picking: FulfillmentOrderStartPickingInput | None = None
    fulfillment_order_pick: FulfillmentOrderPickInput | None = None
    fulfillment_order_pack: FulfillmentOrderPackInput | None = None
    fulfillment_order_ship: FulfillmentOrderShipInput | None = None
    count_submit: CountSubmitInput | None = None
    count_check: CountCheckInput | None = None
    count_suspect: CountSuspectInput | None = None
    bin_move: BinMoveInput | None = None
    purchase_order_receive: PurchaseOrderReceiveInput | None = None


@strawberry.input
class FloorBatchInput:
    operations: list[FloorBatchOperation] = strawberry.field(description="In the order in which they were done.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="Not needed: each operation has its own, and the whole may be sent again."
    )


@strawberry.type(description="What became of one operation.")
class FloorBatchResult:
    operation: str = strawberry.field(description="As in transferPick.")
    idempotency_key: str | None
    status: FloorStatus
    error: UserError | None
    advice: FloorAdvice | None
    document_id: strawberry.ID | None = strawberry.field(description="Of what was made or changed, if it has one.")
    label: str | None = strawberry.field(description="Its number, as in TR-12.")


@strawberry.type
class FloorBatchPayload:
    user_errors: list[UserError]
    results: list[FloorBatchResult] = strawberry.field(
        default_factory=list, description="One for each operation, in order."
    )


def _record(context: Context, given: FloorBatchOperation) -> Recorded:
    """An operation that is not one, or not the caller's to do, is refused when its turn comes."""
    found = [(f.name, command) for f in dataclasses.fields(given) if (command := getattr(given, f.name)) is not None]
    name, command = found[0] if len(found) == 1 else ("", None)
    operation = OPERATIONS.get(_mutation_name(name))

    async def run() -> Answer:
        if operation is None:
            raise Refusal(RefusalCode.INVALID_INPUT, "An operation has exactly one field.", ())
        if not context.principal.may(operation.roles, operation.scope):
            roles = ", ".join(operation.roles)
            message = f"{operation.name} needs one of the roles {roles} and the scope {operation.scope}."
            raise Refusal(RefusalCode.NOT_ALLOWED, message, ())
        return await run_operation(context, operation, command, recorded=True)

    return Recorded(_mutation_name(name), getattr(command, "idempotency_key", None), run)


def _mutation_name(field: str) -> str:
    head, *rest = field.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _show(result: FloorResult) -> FloorBatchResult:
    document_id, label = _find_document(result.answer or {})
    return FloorBatchResult(
        operation=result.name,
        idempotency_key=result.key,
        status=result.status,
        error=None if result.refusal is None else user_error(result.refusal),
        advice=result.advice,
        document_id=document_id,
        label=label,
    )


def _find_document(made: Answer) -> tuple[strawberry.ID | None, str | None]:
    for name, kind in KINDS.items():
        row = made.get(name)
        if row:
            label = write_label(name, row["number"]) if name in LABELS and "number" in row else None
            return strawberry.ID(encode_id(kind, str(row["id"]))), label
    return None, None


async def _apply(context: Context, command: FloorBatchInput) -> dict[str, Any]:
    results = await apply_batch([_record(context, given) for given in command.operations])
    return {"results": [_show(result) for result in results]}


ANYBODY = [role for role in Role if any(role in operation.roles for operation in OPERATIONS.values())]


@strawberry.type
class FloorBatchMutation:
    @strawberry.mutation(
        directives=requires(ANYBODY),
        description="What a tablet recorded without network: each operation in order, in a transaction of its own, "
        "never twice. Each needs the roles and the scope of its own mutation. A refusal is not kept.",
    )
    async def floor_batch(self, info: Info, input: FloorBatchInput) -> FloorBatchPayload:
        return await answer(FloorBatchPayload, _apply(info.context, input))
