"""Hold an order, and let it go: stock stays promised, and nothing of it goes on in any warehouse meanwhile."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.calls import REASON_LENGTH_MAX, check_text
from app.orders.find_order import change_found, check_open
from app.orders.lock_order import OrderNow
from app.orders.write_state import OrderEvent, write_state
from app.run_once import Answer
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance

WORK_HOLD = "ORDER_HELD"
"""The hold of work whose order is held; a hold of the work's own stays when the order is let go."""
_HOLD = """
UPDATE fulfillment_orders SET hold_reason = $2, version = version + 1, updated_at = now()
WHERE order_id = $1 AND hold_reason IS NULL AND status NOT IN ('SHIPPED', 'REJECTED', 'CANCELLED')
"""
_LET_GO = """
UPDATE fulfillment_orders SET hold_reason = NULL, version = version + 1, updated_at = now(), accept_by = CASE
  WHEN accept_by IS NOT NULL THEN greatest(accept_by, clock_timestamp() + make_interval(secs => $3)) END
WHERE order_id = $1 AND hold_reason = $2
"""
"""Nobody could take it on meanwhile: its warehouse has all of its time again."""


async def hold_order(
    state: State,
    principal: Principal,
    order_id: UUID,
    reason: str,
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Raises `Refusal` INVALID_INPUT, ORDER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE (ended, or held already)."""

    async def work(connection: Any, order: OrderNow) -> None:
        check_text(reason, "reason", REASON_LENGTH_MAX)
        check_text(note, "note")
        if not reason.strip():
            raise Refusal(RefusalCode.INVALID_INPUT, "Say why it is held.", ("reason",))
        check_open(order)
        if order.row["hold_reason"] is not None:
            message = f"The order is held already: {order.row['hold_reason']}."
            raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
        await hold_works(connection, order_id)
        await write_state(
            connection, order, {"hold_reason": reason}, [OrderEvent("HELD", note or reason)], provenance.actor
        )

    return await change_found(state, principal, order_id, call, work)


async def let_order_go(
    state: State,
    principal: Principal,
    order_id: UUID,
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Whatever it was held for: a request to cancel holds it once, however often the channel repeats it.

    Raises `Refusal` INVALID_INPUT, ORDER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE."""

    async def work(connection: Any, order: OrderNow) -> None:
        check_text(note, "note")
        if order.row["hold_reason"] is None:
            raise Refusal(RefusalCode.WRONG_STATE, "The order is not held.", ("id",))
        await let_works_go(connection, order_id, state.settings.accept_seconds)
        await write_state(connection, order, {"hold_reason": None}, [OrderEvent("LET_GO", note)], provenance.actor)

    return await change_found(state, principal, order_id, call, work)


async def hold_works(connection: Any, order_id: UUID) -> None:
    """Hold all work of an order that is locked."""
    await connection.execute(_HOLD, order_id, WORK_HOLD)


async def let_works_go(connection: Any, order_id: UUID, accept_seconds: float) -> None:
    """Let all work of an order that is locked go, with this time to take on what nobody has taken on."""
    await connection.execute(_LET_GO, order_id, WORK_HOLD, accept_seconds)
