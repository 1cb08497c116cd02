"""`reservationCreate`, `reservationExtend` and `reservationRelease`."""

from __future__ import annotations

from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.ids import decode_uuid
from api.scalars import UserError
from api.stock.types import Reservation, reservation_from_answer
from app.calls import make_call
from app.stock.end_reservation import extend_reservation, release_reservation
from app.stock.reserve_stock import WantedLine, reserve_stock
from domain.identity import Role
from domain.provenance import Remarks

SELLERS = [Role.ADMIN, Role.OPERATIONS, Role.ECOMMERCE, Role.SUPPORT, Role.WAREHOUSE]


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
    reference: str | None = None
    idempotency_key: str | None = None


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


async def _reserve(context: Context, command: ReservationCreateInput) -> dict[str, Any]:
    key, seconds = command.idempotency_key, command.expires_in_seconds
    remarks = Remarks(command.reason, command.note, command.reference)
    lines = [WantedLine(line.sku, line.quantity, line.warehouse) for line in command.lines]
    call = make_call(context.principal, "reservation:create", key, [lines, seconds, remarks])
    provenance = context.provenance(key)
    result = await reserve_stock(context.state, context.principal, lines, seconds, provenance, remarks, call)
    return {"reservation": reservation_from_answer(result)}


async def _release(context: Context, command: ReservationReleaseInput) -> dict[str, Any]:
    reservation_id, key = decode_uuid(command.id, "Reservation"), command.idempotency_key
    remarks = Remarks(command.reason, command.note, command.reference)
    call = make_call(context.principal, "reservation:release", key, [reservation_id, remarks])
    result = await release_reservation(
        context.state.database, context.principal, reservation_id, context.provenance(key), remarks, call
    )
    context.state.doorbell.ring("feed")
    return {"reservation": reservation_from_answer(result)}


async def _extend(context: Context, command: ReservationExtendInput) -> dict[str, Any]:
    reservation_id, seconds = decode_uuid(command.id, "Reservation"), command.expires_in_seconds
    call = make_call(context.principal, "reservation:extend", command.idempotency_key, [reservation_id, seconds])
    seconds_max = context.state.settings.reservation_seconds_max
    result = await extend_reservation(
        context.state.database, context.principal, reservation_id, seconds, seconds_max, call
    )
    return {"reservation": reservation_from_answer(result)}


@strawberry.type
class ReservationMutation:
    @strawberry.mutation(directives=requires(SELLERS, "stock:write"), description="Hold stock for a time.")
    async def reservation_create(self, info: Info, input: ReservationCreateInput) -> ReservationCreatePayload:
        return await answer(ReservationCreatePayload, _reserve(info.context, input))

    @strawberry.mutation(directives=requires(SELLERS, "stock:write"), description="Let it last so long from now.")
    async def reservation_extend(self, info: Info, input: ReservationExtendInput) -> ReservationExtendPayload:
        return await answer(ReservationExtendPayload, _extend(info.context, input))

    @strawberry.mutation(directives=requires(SELLERS, "stock:write"), description="Give the units back.")
    async def reservation_release(self, info: Info, input: ReservationReleaseInput) -> ReservationReleasePayload:
        return await answer(ReservationReleasePayload, _release(info.context, input))
