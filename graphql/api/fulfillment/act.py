"""What warehouses do with a fulfilment order: `fulfillmentOrderAccept` to `fulfillmentOrderShip`."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.fulfillment.states import RejectReason
from api.fulfillment.types import Fulfillment, FulfillmentOrder, work_from_row
from api.ids import decode_uuid
from api.scalars import UserError
from app.calls import make_call
from app.fulfillment.change_work import Ask, accept_work, pack_work, start_picking
from app.fulfillment.pick_work import PickLine, pick_work
from app.fulfillment.reject_work import cancel_work, reject_work
from app.fulfillment.ship_work import Parcel, ship_work
from app.run_once import Answer
from domain.identity import Role

FLOOR = requires([Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE, Role.PARTNER], "fulfillment:write")
Use = Callable[[Ask], Awaitable[Answer]]


@strawberry.input
class WorkInput:
    """What every change says; each mutation has an input of its own."""

    id: strawberry.ID
    expected_version: int | None = strawberry.field(
        default=None, description="Refused with STALE_VERSION when it is another by now."
    )
    occurred_at: datetime.datetime | None = strawberry.field(default=None, description="When; now, if not said.")
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class FulfillmentOrderAcceptInput(WorkInput):
    assignee: str | None = strawberry.field(default=None, description="Who does it.")


@strawberry.input
class FulfillmentOrderRejectInput(WorkInput):
    reason: RejectReason


@strawberry.input
class FulfillmentOrderCancelInput(WorkInput): ...


@strawberry.input
class FulfillmentOrderStartPickingInput(WorkInput):
    assignee: str | None = strawberry.field(default=None, description="Who does it.")


@strawberry.input
class FulfillmentOrderPickLine:
    sku: str = strawberry.field(description="Code, or the barcode that was scanned.")
    quantity: int = strawberry.field(description="Units that were found; may be 0 when some are short.")
    bin: str | None = strawberry.field(default=None, description="From where.")
    short: int = strawberry.field(default=0, description="Units that should be there and are not.")


@strawberry.input
class FulfillmentOrderPickInput(WorkInput):
    lines: list[FulfillmentOrderPickLine]


@strawberry.input
class FulfillmentOrderPackInput(WorkInput): ...


@strawberry.input
class FulfillmentOrderShipLine:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int


@strawberry.input
class FulfillmentOrderShipInput(WorkInput):
    carrier: str
    tracking_number: str
    lines: list[FulfillmentOrderShipLine] | None = strawberry.field(
        default=None, description="What is in the parcel; all that can leave, if not said."
    )


@strawberry.type
class WorkPayload:
    user_errors: list[UserError]
    fulfillment_order: FulfillmentOrder | None = None


@strawberry.type
class FulfillmentOrderAcceptPayload(WorkPayload): ...


@strawberry.type
class FulfillmentOrderRejectPayload(WorkPayload): ...


@strawberry.type
class FulfillmentOrderCancelPayload(WorkPayload): ...


@strawberry.type
class FulfillmentOrderStartPickingPayload(WorkPayload): ...


@strawberry.type
class FulfillmentOrderPickPayload(WorkPayload): ...


@strawberry.type
class FulfillmentOrderPackPayload(WorkPayload): ...


@strawberry.type
class FulfillmentOrderShipPayload(WorkPayload):
    fulfillment: Fulfillment | None = None


async def change(context: Context, command: Any, operation: str, given: object, use: Use) -> Answer:
    """Run a use case with what every change says. `given`: the rest of the input, which belongs to the key."""
    key = command.idempotency_key
    work_id = decode_uuid(command.id, "FulfillmentOrder")
    said = [work_id, command.expected_version, command.occurred_at, command.note, given]
    call = make_call(context.principal, f"fulfillment:{operation}", key, said)
    provenance = context.provenance(key)
    return await use(Ask(work_id, provenance, call, command.expected_version, command.occurred_at, command.note))


def show_work(made: Answer) -> dict[str, Any]:
    return {"fulfillment_order": work_from_row(made["fulfillment_order"])}


async def _accept(context: Context, command: FulfillmentOrderAcceptInput) -> dict[str, Any]:
    def use(ask: Ask) -> Awaitable[Answer]:
        return accept_work(context.state, context.principal, ask, command.assignee)

    return show_work(await change(context, command, "accept", command.assignee, use))


async def _reject(context: Context, command: FulfillmentOrderRejectInput) -> dict[str, Any]:
    def use(ask: Ask) -> Awaitable[Answer]:
        return reject_work(context.state, context.principal, ask, command.reason)

    return show_work(await change(context, command, "reject", command.reason, use))


async def _cancel(context: Context, command: FulfillmentOrderCancelInput) -> dict[str, Any]:
    def use(ask: Ask) -> Awaitable[Answer]:
        return cancel_work(context.state, context.principal, ask)

    return show_work(await change(context, command, "cancel", None, use))


async def _start(context: Context, command: FulfillmentOrderStartPickingInput) -> dict[str, Any]:
    def use(ask: Ask) -> Awaitable[Answer]:
        return start_picking(context.state, context.principal, ask, command.assignee)

    return show_work(await change(context, command, "start", command.assignee, use))


async def _pick(context: Context, command: FulfillmentOrderPickInput) -> dict[str, Any]:
    lines = [PickLine(line.sku, line.quantity, line.bin, line.short) for line in command.lines]

    def use(ask: Ask) -> Awaitable[Answer]:
        return pick_work(context.state, context.principal, ask, lines)

    return show_work(await change(context, command, "pick", lines, use))


async def _pack(context: Context, command: FulfillmentOrderPackInput) -> dict[str, Any]:
    def use(ask: Ask) -> Awaitable[Answer]:
        return pack_work(context.state, context.principal, ask)

    return show_work(await change(context, command, "pack", None, use))


async def _ship(context: Context, command: FulfillmentOrderShipInput) -> dict[str, Any]:
    lines = None if command.lines is None else [(line.sku, line.quantity) for line in command.lines]
    parcel = Parcel(command.carrier, command.tracking_number, lines)

    def use(ask: Ask) -> Awaitable[Answer]:
        return ship_work(context.state, context.principal, ask, parcel)

    made = await change(context, command, "ship", [parcel.carrier, parcel.tracking_number, lines], use)
    shown = work_from_row(made["fulfillment_order"])
    shipment = next(found for found in shown.shipments if found.key == made["fulfillment"])
    return {"fulfillment_order": shown, "fulfillment": shipment}


@strawberry.type
class FloorMutation:
    @strawberry.mutation(directives=FLOOR, description="The warehouse takes it on.")
    async def fulfillment_order_accept(
        self, info: Info, input: FulfillmentOrderAcceptInput
    ) -> FulfillmentOrderAcceptPayload:
        return await answer(FulfillmentOrderAcceptPayload, _accept(info.context, input))

    @strawberry.mutation(
        directives=FLOOR,
        description="The warehouse does not do it, or not the rest of it: it is promised from elsewhere.",
    )
    async def fulfillment_order_reject(
        self, info: Info, input: FulfillmentOrderRejectInput
    ) -> FulfillmentOrderRejectPayload:
        return await answer(FulfillmentOrderRejectPayload, _reject(info.context, input))

    @strawberry.mutation(directives=FLOOR, description="The warehouse gives up what it was asked to cancel.")
    async def fulfillment_order_cancel(
        self, info: Info, input: FulfillmentOrderCancelInput
    ) -> FulfillmentOrderCancelPayload:
        return await answer(FulfillmentOrderCancelPayload, _cancel(info.context, input))

    @strawberry.mutation(directives=FLOOR, description="Somebody goes for it, or for the rest of it.")
    async def fulfillment_order_start_picking(
        self, info: Info, input: FulfillmentOrderStartPickingInput
    ) -> FulfillmentOrderStartPickingPayload:
        return await answer(FulfillmentOrderStartPickingPayload, _start(info.context, input))

    @strawberry.mutation(
        directives=FLOOR,
        description="Scan by scan, or all at once. What is short leaves the ledger and is promised from elsewhere.",
    )
    async def fulfillment_order_pick(self, info: Info, input: FulfillmentOrderPickInput) -> FulfillmentOrderPickPayload:
        return await answer(FulfillmentOrderPickPayload, _pick(info.context, input))

    @strawberry.mutation(directives=FLOOR)
    async def fulfillment_order_pack(self, info: Info, input: FulfillmentOrderPackInput) -> FulfillmentOrderPackPayload:
        return await answer(FulfillmentOrderPackPayload, _pack(info.context, input))

    @strawberry.mutation(
        directives=FLOOR,
        description="A parcel leaves, and the channel is told by itself. What is not in it stays to be done.",
    )
    async def fulfillment_order_ship(self, info: Info, input: FulfillmentOrderShipInput) -> FulfillmentOrderShipPayload:
        return await answer(FulfillmentOrderShipPayload, _ship(info.context, input))
