"""Carry out what people choose for an order that nobody can fill: wait, ship from elsewhere, cancel what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.exceptions.act_on_case import CaseAction, answer_case, change_case, lock_case
from app.orders.ask_cancellation import cancel_units
from app.orders.change_order import by_name, remember_cancelled
from app.orders.find_order import find_order
from app.orders.lock_order import OrderNow
from app.orders.substitute_warehouse import Way, choose_way, substitute_warehouse
from app.orders.write_state import OrderEvent, write_state
from app.run_once import Answer, run_once
from app.state import State
from domain.cancellations import CancelReason
from domain.errors import Refusal, RefusalCode
from domain.exceptions import UNITS_MISSING
from domain.identity import Principal
from domain.provenance import Provenance

_SUBJECT = "SELECT subject FROM exception_cases WHERE id = $1"


class Recovery(StrEnum):
    """`BACKORDER`: it waits for stock. `SUBSTITUTE`: from a warehouse its channel does not sell from, at once where the
    policy lets that ship it, else by a transfer that the order waits for.

    `CANCEL`: what is missing is cancelled, and its channel is told.
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
    ship_from: str | None,
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Do it, and end the case with it; `exception` of the answer is the case.

    While the order waits for a transfer its case is ACKNOWLEDGED: it ends when all is promised, and is OPEN again when
    the transfer ends without that. Raises `Refusal` EXCEPTION_NOT_FOUND, ORDER_NOT_FOUND, NOT_ALLOWED (another kind of
    case), WRONG_STATE (ended, or nothing is missing any more, or it waits for a transfer), INVALID_INPUT,
    WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, INSUFFICIENT_STOCK.
    """
    way = await _look_ahead(state, principal, case_id, warehouse, ship_from) if choice is Recovery.SUBSTITUTE else None

    async def decide(connection: Any) -> Answer:
        check_text(note, "note")
        order = await _find(connection, principal, case_id)
        case = await lock_case(connection, principal, case_id)
        if case["kind"] not in UNITS_MISSING or order is None:
            raise Refusal(RefusalCode.NOT_ALLOWED, "There is no such choice for this kind of case.", ("id",))
        missing = order.backordered
        if not missing:
            raise Refusal(RefusalCode.WRONG_STATE, "Nothing of the order is missing any more.", ("id",))
        done: dict[str, Any] = {"units": by_name(order, missing), "warehouse": warehouse, "notifyBuyer": True}
        if way is not None:
            done |= await _substitute(connection, principal, order, way, provenance)
        elif choice is Recovery.CANCEL:
            await cancel_units(connection, order, missing)
            await remember_cancelled(connection, order, missing, CancelReason.STOCK)
        name = "TRANSFER_AWAITED" if "transfer" in done else _EVENTS[choice]
        await write_state(connection, order, {}, [OrderEvent(name, note, done)], provenance.actor)
        await change_case(connection, case_id, _act(choice, note, done), provenance, {"recovery": choice.value, **done})
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


async def _look_ahead(
    state: State, principal: Principal, case_id: UUID, warehouse: str | None, ship_from: str | None
) -> Way | Refusal:
    kind, _, key = (await state.database.hot.fetchval(_SUBJECT, case_id) or "").partition(":")
    if kind != "order":
        return Refusal(RefusalCode.EXCEPTION_NOT_FOUND, "There is no such case.", ("id",))
    return await choose_way(state, principal, UUID(key), warehouse, ship_from)


async def _substitute(
    connection: Any, principal: Principal, order: OrderNow, way: Way | Refusal, provenance: Provenance
) -> dict[str, Any]:
    """What is told of it. Raises the refusal that was found ahead, now that the caller may know."""
    if isinstance(way, Refusal):
        raise way
    label = await substitute_warehouse(connection, principal, order, way, provenance)
    return {} if label is None else {"transfer": label, "shipFrom": way.destination}


def _act(choice: Recovery, note: str | None, done: Mapping[str, Any]) -> CaseAction:
    units = ", ".join(f"{name} x {count}" for name, count in done["units"].items())
    if "transfer" in done:
        waits = f"waits for {done['transfer']} from {done['warehouse']} to {done['shipFrom']}: {units}"
        return CaseAction("TRANSFER_AWAITED", "ACKNOWLEDGED", note=note or waits)
    return CaseAction("RESOLVED", "RESOLVED", note=note or f"{choice.value}: {units}")
