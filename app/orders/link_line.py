"""Say what an order's line is, of which its channel told no SKU or one that nobody knows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.orders.find_order import change_found, check_open, show_order
from app.orders.lock_order import OrderLineNow, OrderNow
from app.orders.take_order import tell_problem
from app.orders.write_state import OrderEvent, write_state
from app.routing.allocate_order import allocate_order
from app.run_once import Answer
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance

_LINK = """
UPDATE order_lines l SET sku_id = s.id, sku_code = s.code FROM skus s
WHERE l.order_id = $1 AND l.line = $2 AND s.id = $3 RETURNING s.code
"""
_IS_KIT = "SELECT EXISTS (SELECT FROM kit_components WHERE kit_id = $1)"


async def link_line(
    state: State,
    principal: Principal,
    order_id: UUID,
    line: str,
    sku: str,
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """`line`: the channel's id of it. It is routed at once; what nobody has is an oversell.

    Raises `Refusal`, in this order: ORDER_NOT_FOUND, NOT_ALLOWED (a token limited to warehouses), INVALID_INPUT (note),
    WRONG_STATE (ended), INVALID_INPUT (no such line), WRONG_STATE (its SKU is known), SKU_NOT_FOUND, INVALID_INPUT for
    a kit, whose components the line cannot become any more.
    """
    found = await state.lookup.find_skus([sku])

    async def work(connection: Any, order: OrderNow) -> None:
        check_text(note, "note")
        check_open(order)
        wanted = _find_line(order, line)
        if sku not in found:
            raise sku_not_found(sku, ("sku",))
        if await connection.fetchval(_IS_KIT, found[sku]):
            message = f"{sku!r} is a kit: cancel the line, and order its components anew."
            raise Refusal(RefusalCode.INVALID_INPUT, message, ("sku",))
        code = await connection.fetchval(_LINK, order_id, wanted.line, found[sku])
        event = OrderEvent("RELINKED", note, {"lines": [line], "sku": code})
        await write_state(connection, order, {}, [event], provenance.actor)

    answer = await change_found(state, principal, order_id, call, work)
    filled = await allocate_order(state, order_id, "RELINKED", provenance=provenance)
    await tell_problem(state, order_id, anew=bool(filled["waiting"]))
    return {**answer, "order": await show_order(state.database.hot, principal, order_id)}


def _find_line(order: OrderNow, name: str) -> OrderLineNow:
    wanted = next((one for one in order.lines.values() if one.external_id == name), None)
    if wanted is None:
        raise Refusal(RefusalCode.INVALID_INPUT, f"The order has no line {name!r}.", ("line",))
    if wanted.sku_id is not None:
        message = f"Line {name!r} is {wanted.sku_code}: to send something else, cancel it and exchange it."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("line",))
    return wanted
