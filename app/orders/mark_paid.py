"""Say that an order which was placed here is paid: what it waited for to be released."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.fulfillment.change_work import ring_work
from app.orders.find_order import change_found, check_open
from app.orders.lock_order import OrderNow
from app.orders.write_state import OrderEvent, write_state
from app.run_once import Answer
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.orders import Payment
from domain.provenance import Provenance

_CHANNEL = "SELECT code, kind FROM channels WHERE id = $1"


async def mark_paid(
    state: State,
    principal: Principal,
    order_id: UUID,
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Its work is released as usual from now on, by a worker.

    Raises `Refusal`, in this order: ORDER_NOT_FOUND, NOT_ALLOWED (a token limited to warehouses; an order that is paid
    at its channel), INVALID_INPUT, WRONG_STATE (ended, or its payment is not PENDING).
    """

    async def work(connection: Any, order: OrderNow) -> None:
        channel = await connection.fetchrow(_CHANNEL, order.channel_id)
        if channel["kind"] != "B2B":
            message = f"Orders of {channel['code']!r} are paid there, and it says so: only those of B2B are paid here."
            raise Refusal(RefusalCode.NOT_ALLOWED, message, ("id",))
        check_text(note, "note")
        check_open(order)
        if order.payment is not Payment.PENDING:
            raise Refusal(RefusalCode.WRONG_STATE, f"The order is {order.payment.value} already.", ("id",))
        paid = Payment.PAID.value
        await write_state(connection, order, {"payment": paid}, [OrderEvent(paid, note)], provenance.actor)

    answer = await change_found(state, principal, order_id, call, work)
    ring_work(state)
    return answer
