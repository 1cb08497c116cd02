"""Carry out what people choose for an order that nobody can fill: wait, ship from elsewhere, cancel what is missing."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import lock_rows
from app.calls import check_text
from app.exceptions.act_on_case import CaseAction, answer_case, change_case, lock_case
from app.orders.ask_cancellation import cancel_units
from app.orders.change_order import by_name, remember_cancelled
from app.orders.find_order import find_order
from app.orders.lock_order import OrderNow
from app.orders.promise_units import Promise, promise_units
from app.orders.write_state import OrderEvent, write_state
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.exceptions import CaseKind
from domain.identity import Principal
from domain.provenance import Provenance
from domain.stock import StockKey

_SUBJECT = "SELECT subject FROM exception_cases WHERE id = $1"
RECOVERED = (CaseKind.OVERSELL.value, CaseKind.ORDER_PROBLEM.value)


class Recovery(StrEnum):
    """`BACKORDER`: it waits for stock. `SUBSTITUTE`: from a warehouse its channel does not sell from.

    `CANCEL`: what is missing is cancelled, and whoever watches the order is told to notify the buyer.
    """

    BACKORDER = "BACKORDER"
    SUBSTITUTE = "SUBSTITUTE"
    CANCEL = "CANCEL"


async def recover_order(
    state: State,
    principal: Principal,
    case_id: UUID,
    choice: Recovery,
    warehouse: str | None,
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Do it, and end the case with it; `exception` of the answer is the case.

    Raises `Refusal` EXCEPTION_NOT_FOUND, ORDER_NOT_FOUND, NOT_ALLOWED (another kind of case), WRONG_STATE (ended, or
    nothing is missing any more), INVALID_INPUT, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, INSUFFICIENT_STOCK.
    """

    async def decide(connection: Any) -> Answer:
        check_text(note, "note")
        order = await _find(connection, principal, case_id)
        case = await lock_case(connection, principal, case_id)
        if case["kind"] not in RECOVERED or order is None:
            raise Refusal(RefusalCode.NOT_ALLOWED, "There is no such choice for this kind of case.", ("id",))
        missing = order.backordered
        if not missing:
            raise Refusal(RefusalCode.WRONG_STATE, "Nothing of the order is missing any more.", ("id",))
        units = by_name(order, missing)
        if choice is Recovery.SUBSTITUTE:
            await _substitute(state, connection, principal, order, warehouse, provenance)
        elif choice is Recovery.CANCEL:
            await cancel_units(connection, order, missing)
            await remember_cancelled(connection, order, missing)
        event = OrderEvent(_EVENTS[choice], note, {"units": units, "warehouse": warehouse, "notifyBuyer": True})
        await write_state(connection, order, {}, [event], provenance.actor)
        said = note or f"{choice.value}: {', '.join(f'{name} x {count}' for name, count in units.items())}"
        action = CaseAction("RESOLVED", "RESOLVED", note=said)
        await change_case(connection, case_id, action, provenance, {"recovery": choice.value, "units": units})
        return await answer_case(connection, case_id)

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("feed")
    return answer


_EVENTS = {
    Recovery.BACKORDER: "BACKORDER_ACCEPTED",
    Recovery.SUBSTITUTE: "WAREHOUSE_SUBSTITUTED",
    Recovery.CANCEL: "MISSING_CANCELLED",
}


async def _find(connection: Any, principal: Principal, case_id: UUID) -> OrderNow | None:
    """The order goes before the case, as everywhere: locked in that order nobody waits in a circle."""
    kind, _, key = (await connection.fetchval(_SUBJECT, case_id) or "").partition(":")
    return await find_order(connection, principal, UUID(key)) if kind == "order" else None


async def _substitute(
    state: State,
    connection: Any,
    principal: Principal,
    order: OrderNow,
    warehouse: str | None,
    provenance: Provenance,
) -> None:
    """All that is missing from one warehouse, or nothing."""
    if warehouse is None:
        raise Refusal(RefusalCode.INVALID_INPUT, "Say from which warehouse.", ("warehouse",))
    house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",))
    promises, keys = [], []
    for number, units in order.backordered.items():
        sku_id = order.lines[number].sku_id
        if sku_id is None:
            message = f"Nobody knows what {order.lines[number].external_id} is: map its SKU first."
            raise Refusal(RefusalCode.SKU_NOT_FOUND, message, ("id",))
        promises.append(Promise(number, house.id, units))
        keys.append(StockKey(sku_id, house.id))
    book = await lock_rows(connection, keys)
    await promise_units(connection, order, book, promises, "ORDER", provenance)
