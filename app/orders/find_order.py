"""An order that somebody is about to change: locked, and theirs to change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.orders.keep_contact import KEPT_OF_DESTINATION
from app.orders.lock_order import OrderNow, lock_order
from app.orders.read_orders import read_order
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.orders import OrderStatus

ENDED = (OrderStatus.SHIPPED, OrderStatus.CANCELLED)


async def find_order(connection: Any, principal: Principal, order_id: UUID) -> OrderNow:
    """Raises `Refusal` ORDER_NOT_FOUND, the same for hidden and for unknown, and NOT_ALLOWED for a token that is
    limited to warehouses: an order may be filled from others too.
    """
    found = await lock_order(connection, order_id)
    if found is None or not principal.sees_channel(found.channel_id):
        raise _not_found()
    if principal.warehouse_ids is not None:
        if not any(principal.sees_warehouse(work.warehouse_id) for work in found.works):
            raise _not_found()
        message = "Your token is limited to warehouses: change the fulfilment orders there."
        raise Refusal(RefusalCode.NOT_ALLOWED, message, ("id",))
    return found


def _not_found() -> Refusal:
    return Refusal(RefusalCode.ORDER_NOT_FOUND, "There is no such order.", ("id",))


def check_open(order: OrderNow) -> None:
    """Raises `Refusal` WRONG_STATE for an order of which nothing is to be shipped any more."""
    if order.status in ENDED:
        raise Refusal(RefusalCode.WRONG_STATE, f"The order is {order.status.value} already.", ("id",))


async def show_order(connection: Any, principal: Principal, order_id: UUID) -> dict[str, Any] | None:
    """An order as an answer that can be kept: of its destination only what may stay when the contact is erased."""
    row = await read_order(connection, principal, order_id)
    if row is not None:
        row["destination"] = {name: row["destination"].get(name) for name in KEPT_OF_DESTINATION}
    return row


async def change_found(
    state: State,
    principal: Principal,
    order_id: UUID,
    call: IdempotentCall | None,
    work: Callable[[Any, OrderNow], Awaitable[Answer | None]],
) -> Answer:
    """Run `work` on the locked order, once per key; the answer has what it gave, and the `order` as it is then."""

    async def decide(connection: Any) -> Answer:
        found = await find_order(connection, principal, order_id)
        given = await work(connection, found)
        return {**(given or {}), "order": await show_order(connection, principal, order_id)}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("feed")
    return answer
