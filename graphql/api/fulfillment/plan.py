"""What planners do with a fulfilment order, and what becomes of parcels."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.fulfillment.act import FLOOR, FulfillmentOrderShipLine, WorkInput, WorkPayload, change, show_work
from api.fulfillment.states import Delivery
from api.fulfillment.types import Fulfillment, FulfillmentOrder, parcel_from_row, work_from_row
from api.ids import decode_uuid
from api.scalars import UserError
from app.calls import make_call
from app.fulfillment.change_parcel import correct_parcel, note_delivery
from app.fulfillment.change_work import Ask, hold_work, let_work_go
from app.fulfillment.move_work import move_work, split_work
from app.run_once import Answer
from domain.errors import Refusal, RefusalCode
from domain.identity import Role

HOLDERS = requires([Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE], "fulfillment:write")
PLANNERS = requires([Role.ADMIN, Role.OPERATIONS], "fulfillment:write")


@strawberry.input
class FulfillmentOrderHoldInput(WorkInput):
    reason: str


@strawberry.input
class FulfillmentOrderReleaseInput(WorkInput): ...


@strawberry.input
class FulfillmentOrderMoveInput(WorkInput):
    warehouse: str = strawberry.field(description="To where.")


@strawberry.input
class FulfillmentOrderSplitInput(WorkInput):
    lines: list[FulfillmentOrderShipLine] = strawberry.field(description="What is split off.")
    release_at: datetime.datetime | None = strawberry.field(
        default=None, description="When the warehouse gets what is split off; as soon as it can, if not said."
    )


@strawberry.input
class FulfillmentCorrectInput:
    id: strawberry.ID
    carrier: str
    tracking_number: str
    idempotency_key: str | None = None


@strawberry.input
class FulfillmentDeliveryNoteInput:
    id: strawberry.ID | None = strawberry.field(default=None, description="Of the parcel; or say its tracking number.")
    tracking_number: str | None = None
    delivery: Delivery
    occurred_at: datetime.datetime | None = None
    idempotency_key: str | None = None


@strawberry.type
class FulfillmentOrderHoldPayload(WorkPayload): ...


@strawberry.type
class FulfillmentOrderReleasePayload(WorkPayload): ...


@strawberry.type
class FulfillmentOrderMovePayload(WorkPayload):
    made: FulfillmentOrder | None = strawberry.field(default=None, description="What is to be done there.")


@strawberry.type
class FulfillmentOrderSplitPayload(WorkPayload):
    made: FulfillmentOrder | None = strawberry.field(default=None, description="What was split off.")


@strawberry.type
class FulfillmentCorrectPayload:
    user_errors: list[UserError]
    fulfillment: Fulfillment | None = None


@strawberry.type
class FulfillmentDeliveryNotePayload:
    user_errors: list[UserError]
    fulfillment: Fulfillment | None = None


async def _hold(context: Context, command: FulfillmentOrderHoldInput) -> dict[str, Any]:
    def use(ask: Ask) -> Awaitable[Answer]:
        return hold_work(context.state, context.principal, ask, command.reason)

    return show_work(await change(context, command, "hold", command.reason, use))


async def _release(context: Context, command: FulfillmentOrderReleaseInput) -> dict[str, Any]:
    def use(ask: Ask) -> Awaitable[Answer]:
        return let_work_go(context.state, context.principal, ask)

    return show_work(await change(context, command, "release", None, use))


async def _move(context: Context, command: FulfillmentOrderMoveInput) -> dict[str, Any]:
    def use(ask: Ask) -> Awaitable[Answer]:
        return move_work(context.state, context.principal, ask, command.warehouse)

    made = await change(context, command, "move", command.warehouse, use)
    return {**show_work(made), "made": work_from_row(made["made"])}


async def _split(context: Context, command: FulfillmentOrderSplitInput) -> dict[str, Any]:
    lines = [(line.sku, line.quantity) for line in command.lines]

    def use(ask: Ask) -> Awaitable[Answer]:
        return split_work(context.state, context.principal, ask, lines, command.release_at)

    made = await change(context, command, "split", [lines, command.release_at], use)
    return {**show_work(made), "made": work_from_row(made["made"])}


async def _correct(context: Context, command: FulfillmentCorrectInput) -> dict[str, Any]:
    key, given = decode_uuid(command.id, "Fulfillment"), (command.carrier, command.tracking_number)
    call = make_call(context.principal, "fulfillment:correct", command.idempotency_key, [key, *given])
    made = await correct_parcel(context.state, context.principal, key, *given, call)
    return {"fulfillment": parcel_from_row(made["fulfillment"])}


async def _note_delivery(context: Context, command: FulfillmentDeliveryNoteInput) -> dict[str, Any]:
    if command.id is None and not command.tracking_number:
        raise Refusal(RefusalCode.INVALID_INPUT, "Say the id of the parcel, or its tracking number.", ("id",))
    key = None if command.id is None else decode_uuid(command.id, "Fulfillment")
    given = (command.tracking_number, command.delivery, command.occurred_at)
    call = make_call(context.principal, "fulfillment:delivery", command.idempotency_key, [key, *given])
    made = await note_delivery(context.state, context.principal, key, *given, call)
    return {"fulfillment": parcel_from_row(made["fulfillment"])}


@strawberry.type
class PlanMutation:
    @strawberry.mutation(directives=HOLDERS, description="Nothing goes on with it until it is released.")
    async def fulfillment_order_hold(self, info: Info, input: FulfillmentOrderHoldInput) -> FulfillmentOrderHoldPayload:
        return await answer(FulfillmentOrderHoldPayload, _hold(info.context, input))

    @strawberry.mutation(directives=HOLDERS, description="What was held goes on where it was.")
    async def fulfillment_order_release(
        self, info: Info, input: FulfillmentOrderReleaseInput
    ) -> FulfillmentOrderReleasePayload:
        return await answer(FulfillmentOrderReleasePayload, _release(info.context, input))

    @strawberry.mutation(directives=PLANNERS, description="All that is left of it, to another warehouse that has it.")
    async def fulfillment_order_move(self, info: Info, input: FulfillmentOrderMoveInput) -> FulfillmentOrderMovePayload:
        return await answer(FulfillmentOrderMovePayload, _move(info.context, input))

    @strawberry.mutation(directives=PLANNERS, description="A part of it becomes a fulfilment order of its own.")
    async def fulfillment_order_split(
        self, info: Info, input: FulfillmentOrderSplitInput
    ) -> FulfillmentOrderSplitPayload:
        return await answer(FulfillmentOrderSplitPayload, _split(info.context, input))

    @strawberry.mutation(
        directives=FLOOR, description="Another label than was said, until the channel has taken it: it is told at once."
    )
    async def fulfillment_correct(self, info: Info, input: FulfillmentCorrectInput) -> FulfillmentCorrectPayload:
        return await answer(FulfillmentCorrectPayload, _correct(info.context, input))

    @strawberry.mutation(directives=FLOOR, description="What the carrier says of a parcel, in whatever order it comes.")
    async def fulfillment_delivery_note(
        self, info: Info, input: FulfillmentDeliveryNoteInput
    ) -> FulfillmentDeliveryNotePayload:
        return await answer(FulfillmentDeliveryNotePayload, _note_delivery(info.context, input))
