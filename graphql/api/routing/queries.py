"""`routingDecision`, `routingDecisions`, `routingPolicy`, `routingPolicies`, `routingSimulate`."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

from api.context import Info
from api.directives import STAFF, Cost, requires
from api.ids import decode_uuid
from api.routing.types import (
    RoutingDecision,
    RoutingPolicy,
    RoutingPolicyConnection,
    RoutingPolicyStatus,
    RoutingReoptimization,
    RoutingSimulation,
    decision_from_row,
    policy_from_row,
    reoptimization_from_answer,
    simulation_from_answer,
)
from api.scalars import after_numbers, make_page, page_size
from app.routing.plan_backlog import plan_backlog
from app.routing.read_decisions import DECISIONS_MAX, read_decisions, replay
from app.routing.read_policies import count_policies, read_policies, read_policy_row
from app.routing.simulate_policy import simulate_policy
from domain.errors import Refusal
from domain.identity import Role

READ = requires(STAFF, "orders:read")
PLAN = [*requires([Role.ADMIN, Role.OPERATIONS, Role.ECOMMERCE, Role.ENGINEER], "orders:read"), Cost(weight=500)]


async def _read(info: Info, order: strawberry.ID, limit: int) -> list[RoutingDecision]:
    key = decode_uuid(order, "Order", ("order",))
    rows = await read_decisions(info.context.state.database, info.context.principal, key, limit)
    return [decision_from_row(row, _replay(row)) for row in rows]


def _replay(row: dict[str, Any]) -> bool | Refusal | None:
    """A refusal is shown with its decision, beside the others."""
    try:
        return replay(row)
    except Refusal as refusal:
        return refusal


@strawberry.type
class RoutingQuery:
    @strawberry.field(directives=READ, description="The latest decision on an order: candidates, reasons, costs.")
    async def routing_decision(self, info: Info, order: strawberry.ID) -> RoutingDecision | None:
        found = await _read(info, order, 1)
        return found[0] if found else None

    @strawberry.field(directives=READ, description=f"All decisions on an order, newest first, {DECISIONS_MAX} at most.")
    async def routing_decisions(self, info: Info, order: strawberry.ID) -> list[RoutingDecision]:
        return await _read(info, order, DECISIONS_MAX)

    @strawberry.field(directives=READ, description="The policy of a version; without one, what routes now.")
    async def routing_policy(self, info: Info, version: int | None = None) -> RoutingPolicy | None:
        row = await read_policy_row(info.context.state.database, info.context.principal, version)
        return None if row is None else policy_from_row(row)

    @strawberry.field(directives=READ, description="Newest first.")
    async def routing_policies(
        self, info: Info, status: RoutingPolicyStatus | None = None, first: int = 50, after: str | None = None
    ) -> RoutingPolicyConnection:
        size, (before,) = page_size(first), after_numbers(after, "RoutingPolicyCursor")
        wanted = None if status is None else status.value
        database, principal = info.context.state.database, info.context.principal
        rows = await read_policies(database, principal, wanted, before, size + 1)
        nodes = [policy_from_row(row) for row in rows]
        page = make_page(nodes, size, "RoutingPolicyCursor", after, lambda node: str(node.version))
        return RoutingPolicyConnection(count=partial(count_policies, database, principal, wanted), **page)

    @strawberry.field(
        directives=PLAN,
        description="A policy, by version or as a document, over orders placed from one moment until another: what it "
        "would have decided beside what was decided then. Nothing is changed.",
    )
    async def routing_simulate(
        self,
        info: Info,
        from_: Annotated[datetime.datetime, strawberry.argument(name="from")],
        to: datetime.datetime,
        version: int | None = None,
        document: JSON | None = None,
    ) -> RoutingSimulation:
        state, principal = info.context.state, info.context.principal
        return simulation_from_answer(await simulate_policy(state, principal, version, document, from_, to))

    @strawberry.field(
        directives=PLAN,
        description="What would be cheaper for the orders together, at most 200, that no warehouse was told of yet, "
        "those due first. Nothing is changed: give the plan to routingReoptimizeApply.",
    )
    async def routing_reoptimize(self, info: Info, orders: int = 100) -> RoutingReoptimization:
        state = info.context.state
        made = await plan_backlog(state, info.context.principal, orders)
        codes = {house.id: house.code for house in (await state.routing.houses()).values()}
        return reoptimization_from_answer(made, codes)
