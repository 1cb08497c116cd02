"""Somebody wants an order routed anew."""

from __future__ import annotations

from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.routing.allocate_order import allocate_order
from app.routing.read_decisions import sees_order
from app.run_once import Answer, refuse_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance


async def reroute_order(
    state: State, principal: Principal, order_id: UUID, provenance: Provenance, call: IdempotentCall | None
) -> Answer:
    """Promise anew what of it no warehouse was told of, and what waits; once per key.

    Raises `Refusal`: NOT_ALLOWED for a token limited to warehouses, then ORDER_NOT_FOUND.
    """
    if principal.warehouse_ids is not None:
        message = "Your token is limited to warehouses, and routing chooses among all: ask somebody whose is not."
        return await refuse_once(state.database, call, Refusal(RefusalCode.NOT_ALLOWED, message, ("order",)))
    if not await sees_order(state.database, principal, order_id):
        refusal = Refusal(RefusalCode.ORDER_NOT_FOUND, "There is no such order.", ("order",))
        return await refuse_once(state.database, call, refusal)
    return await allocate_order(state, order_id, anew=True, provenance=provenance, call=call)
