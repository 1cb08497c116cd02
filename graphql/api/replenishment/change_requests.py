"""`replenishmentPolicySet`, `replenishmentRequestCreate`, `…Approve` and `…Reject`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import strawberry

from api.answer import answer
from api.context import Info
from api.directives import requires
from api.ids import decode_uuid
from api.replenishment.types import (
    ReplenishmentPolicy,
    ReplenishmentRequest,
    policy_from_row,
    request_from_row,
)
from api.scalars import UserError
from app.calls import make_call
from app.replenishment.create_request import RequestCreate, create_request
from app.replenishment.decide_request import approve_request, reject_request
from app.replenishment.set_policy import PolicySet, set_policy
from domain.identity import Role
from domain.replenishment import Policy, PolicyKind

DECIDE = requires([Role.ADMIN, Role.OPERATIONS], "stock:write")
ASK = requires([Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE], "stock:write")


@strawberry.input
class ReplenishmentPolicySetInput:
    sku: str
    warehouse: str
    kind: PolicyKind
    minimum: int | None = strawberry.field(default=None, description="MIN_MAX.")
    maximum: int | None = strawberry.field(default=None, description="MIN_MAX.")
    reorder_point: int | None = strawberry.field(default=None, description="REORDER_POINT.")
    order_quantity: int | None = strawberry.field(default=None, description="REORDER_POINT.")
    service_level: float | None = strawberry.field(
        default=None, description="COMPUTED: the share of order lines to be filled at once and completely, as in 0.95."
    )
    cover_days: int | None = strawberry.field(default=None, description="COMPUTED: how long one order should last.")
    supplier: str | None = strawberry.field(default=None, description="Code; left out: only transfers are proposed.")
    idempotency_key: str | None = None


@strawberry.input
class ReplenishmentRequestCreateInput:
    sku: str
    warehouse: str
    quantity: int
    supplier: str | None = strawberry.field(
        default=None, description="Code; left out: a warehouse with a surplus, else the supplier of the policy."
    )
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class ReplenishmentRequestApproveInput:
    id: strawberry.ID
    quantity: int | None = strawberry.field(default=None, description="Another than proposed.")
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class ReplenishmentRequestRejectInput:
    id: strawberry.ID
    note: str = strawberry.field(description="Why.")
    idempotency_key: str | None = None


@strawberry.type
class ReplenishmentPolicySetPayload:
    user_errors: list[UserError]
    policy: ReplenishmentPolicy | None = None


@strawberry.type
class RequestPayload:
    user_errors: list[UserError]
    request: ReplenishmentRequest | None = None


@strawberry.type
class ReplenishmentRequestCreatePayload(RequestPayload): ...


@strawberry.type
class ReplenishmentRequestApprovePayload(RequestPayload): ...


@strawberry.type
class ReplenishmentRequestRejectPayload(RequestPayload): ...


async def _shown(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    return {"request": request_from_row((await work)["request"])}


@strawberry.type
class ReplenishmentMutation:
    @strawberry.mutation(directives=DECIDE, description="It is evaluated at once.")
    async def replenishment_policy_set(
        self, info: Info, input: ReplenishmentPolicySetInput
    ) -> ReplenishmentPolicySetPayload:
        async def save() -> dict[str, Any]:
            policy = Policy(
                *(input.kind, input.minimum, input.maximum, input.reorder_point, input.order_quantity),
                *(input.service_level, input.cover_days),
            )
            command, context = PolicySet(input.sku, input.warehouse, policy, input.supplier), info.context
            call = make_call(context.principal, "replenishment:policy", input.idempotency_key, command)
            made = await set_policy(context.state, context.principal, command, context.principal.name, call)
            return {"policy": policy_from_row(made["policy"])}

        return await answer(ReplenishmentPolicySetPayload, save())

    @strawberry.mutation(directives=ASK)
    async def replenishment_request_create(
        self, info: Info, input: ReplenishmentRequestCreateInput
    ) -> ReplenishmentRequestCreatePayload:
        async def create() -> dict[str, Any]:
            command = RequestCreate(input.sku, input.warehouse, input.quantity, input.supplier, input.note)
            context = info.context
            call = make_call(context.principal, "replenishment:create", input.idempotency_key, command)
            work = create_request(context.state, context.principal, command, context.principal.name, call)
            return await _shown(work)

        return await answer(ReplenishmentRequestCreatePayload, create())

    @strawberry.mutation(directives=DECIDE, description="A purchase becomes a purchase order, a transfer a transfer.")
    async def replenishment_request_approve(
        self, info: Info, input: ReplenishmentRequestApproveInput
    ) -> ReplenishmentRequestApprovePayload:
        async def approve() -> dict[str, Any]:
            key, context = decode_uuid(input.id, "ReplenishmentRequest"), info.context
            given = [key, input.quantity, input.note]
            call = make_call(context.principal, "replenishment:approve", input.idempotency_key, given)
            who = context.provenance(input.idempotency_key)
            work = approve_request(context.state, context.principal, key, input.quantity, input.note, who, call)
            return await _shown(work)

        return await answer(ReplenishmentRequestApprovePayload, approve())

    @strawberry.mutation(directives=DECIDE)
    async def replenishment_request_reject(
        self, info: Info, input: ReplenishmentRequestRejectInput
    ) -> ReplenishmentRequestRejectPayload:
        async def reject() -> dict[str, Any]:
            key, context = decode_uuid(input.id, "ReplenishmentRequest"), info.context
            call = make_call(context.principal, "replenishment:reject", input.idempotency_key, [key, input.note])
            work = reject_request(context.state, context.principal, key, input.note, context.principal.name, call)
            return await _shown(work)

        return await answer(ReplenishmentRequestRejectPayload, reject())
