"""`routingPolicySave`, `routingPolicyPublish`, `orderReroute`."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry.scalars import JSON

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.ids import decode_uuid
from api.orders.types import Order, order_from_row
from api.routing.types import RoutingDecision, RoutingPolicy, decision_from_row, policy_from_row
from api.scalars import UserError
from app.calls import make_call
from app.orders.read_orders import read_order
from app.routing.apply_backlog import apply_backlog
from app.routing.read_decisions import read_decisions, replay
from app.routing.reroute_order import reroute_order
from app.routing.save_policy import publish_policy, save_policy
from domain.identity import Role

WRITE = requires([Role.ADMIN, Role.OPERATIONS], "orders:write")


@strawberry.input
class RoutingPolicySaveInput:
    version: int | None = strawberry.field(default=None, description="Of the draft to change; left out: a new draft.")
    document: JSON = strawberry.field(description="The whole policy; docs/routing.md says what it holds.")
    idempotency_key: str | None = None


@strawberry.input
class RoutingPolicyPublishInput:
    version: int = strawberry.field(description="Of a draft, or of what was active before.")
    idempotency_key: str | None = None


@strawberry.input
class OrderRerouteInput:
    order: strawberry.ID
    idempotency_key: str | None = None


@strawberry.input
class RoutingReoptimizeApplyInput:
    plan: JSON = strawberry.field(description="As routingReoptimize gave it.")
    idempotency_key: str | None = None


@strawberry.type
class RoutingReoptimizeApplyPayload:
    user_errors: list[UserError]
    moved: int | None = strawberry.field(default=None, description="Orders.")


@strawberry.type
class RoutingPolicySavePayload:
    user_errors: list[UserError]
    policy: RoutingPolicy | None = None


@strawberry.type
class RoutingPolicyPublishPayload:
    user_errors: list[UserError]
    policy: RoutingPolicy | None = None


@strawberry.type
class OrderReroutePayload:
    user_errors: list[UserError]
    order: Order | None = None
    decision: RoutingDecision | None = strawberry.field(default=None, description="The latest one on the order.")
    changed: bool | None = strawberry.field(
        default=None, description="Whether anything is promised from elsewhere now."
    )


async def _save(context: Context, command: RoutingPolicySaveInput) -> dict[str, Any]:
    wanted = [command.version, command.document]
    call = make_call(context.principal, "routingPolicy:save", command.idempotency_key, wanted)
    made = await save_policy(context.state, context.principal, command.version, command.document, call)
    return {"policy": policy_from_row(made["policy"])}


async def _publish(context: Context, command: RoutingPolicyPublishInput) -> dict[str, Any]:
    call = make_call(context.principal, "routingPolicy:publish", command.idempotency_key, command.version)
    made = await publish_policy(context.state, context.principal, command.version, call)
    return {"policy": policy_from_row(made["policy"])}


async def _reroute(context: Context, command: OrderRerouteInput) -> dict[str, Any]:
    key = decode_uuid(command.order, "Order", ("order",))
    call = make_call(context.principal, "order:reroute", command.idempotency_key, str(key))
    made = await reroute_order(context.state, context.principal, key, context.provenance(command.idempotency_key), call)
    database, principal = context.state.database, context.principal
    row = await read_order(database.hot, principal, key)
    decisions = await read_decisions(database, principal, key, 1)
    return {
        "order": None if row is None else order_from_row(row),
        "decision": decision_from_row(decisions[0], replay(decisions[0])) if decisions else None,
        "changed": bool(made["allocations"]),
    }


async def _apply(context: Context, command: RoutingReoptimizeApplyInput) -> dict[str, Any]:
    call = make_call(context.principal, "routing:reoptimize", command.idempotency_key, command.plan)
    who = context.provenance(command.idempotency_key)
    made = await apply_backlog(context.state, context.principal, command.plan, who, call)
    return {"moved": made["moved"]}


@strawberry.type
class RoutingMutation:
    @strawberry.mutation(directives=WRITE, description="Keep a draft of a routing policy.")
    async def routing_policy_save(self, info: Info, input: RoutingPolicySaveInput) -> RoutingPolicySavePayload:
        return await answer(RoutingPolicySavePayload, _save(info.context, input))

    @strawberry.mutation(directives=WRITE, description="Route by this policy from now on; the active one is archived.")
    async def routing_policy_publish(self, info: Info, input: RoutingPolicyPublishInput) -> RoutingPolicyPublishPayload:
        return await answer(RoutingPolicyPublishPayload, _publish(info.context, input))

    @strawberry.mutation(
        directives=WRITE,
        description="Promise anew what no warehouse was told of yet, and what still waits. What would not gain stays.",
    )
    async def order_reroute(self, info: Info, input: OrderRerouteInput) -> OrderReroutePayload:
        return await answer(OrderReroutePayload, _reroute(info.context, input))

    @strawberry.mutation(
        directives=WRITE,
        description="Move the orders of a plan, all or none: refused when any of its work, stock or days has changed.",
    )
    async def routing_reoptimize_apply(
        self, info: Info, input: RoutingReoptimizeApplyInput
    ) -> RoutingReoptimizeApplyPayload:
        return await answer(RoutingReoptimizeApplyPayload, _apply(info.context, input))
