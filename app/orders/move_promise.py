"""Promise an order for another date, as it was agreed on with the buyer."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.exceptions.resolve_cases import resolve_cases
from app.orders.find_order import change_found, check_open
from app.orders.lock_order import OrderNow
from app.orders.write_state import OrderEvent, write_state
from app.run_once import Answer
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.exceptions import CaseKind
from domain.identity import Principal
from domain.provenance import Provenance

_MOVE_WORKS = """
UPDATE fulfillment_orders SET ship_by = $2, version = version + 1, updated_at = now()
WHERE order_id = $1 AND ship_by IS DISTINCT FROM $2 AND status NOT IN ('SHIPPED', 'REJECTED', 'CANCELLED')
"""


@dataclass(frozen=True, slots=True)
class NewPromise:
    """A date that is None stays as it was."""

    ship_by: datetime.datetime | None = None
    deliver_by: datetime.datetime | None = None
    note: str | None = None


async def update_promise(
    state: State,
    principal: Principal,
    order_id: UUID,
    wanted: NewPromise,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Its work is due by the new date too, and its case PROMISE_AT_RISK ends when the promise is not at risk any more.

    The channel's dates do not undo it, unless it says others than it said before. Raises `Refusal`, in this order:
    ORDER_NOT_FOUND, NOT_ALLOWED, INVALID_INPUT (note, dates), WRONG_STATE (ended).
    """

    async def work(connection: Any, order: OrderNow) -> None:
        now = datetime.datetime.now(datetime.UTC)
        check_text(wanted.note, "note")
        dates = _read_dates(wanted, order, now)
        check_open(order)
        told = {f"told_{name}": order.row[f"told_{name}"] or order.row[name] for name in dates}
        said = {"shipBy": dates.get("ship_by"), "deliverBy": dates.get("deliver_by")}
        event = OrderEvent("PROMISE_CHANGED", wanted.note, {name: date for name, date in said.items() if date})
        await write_state(connection, order, {**dates, **told}, [event], provenance.actor)
        await move_works(connection, order)
        due = min(date for date in (order.row["ship_by"], order.row["deliver_by"]) if date is not None)
        if due >= now + datetime.timedelta(seconds=state.settings.promise_risk_seconds):
            proofs = {f"order:{order_id}": prove_promise(order.row)}
            await resolve_cases(connection, [CaseKind.PROMISE_AT_RISK.value], proofs)

    return await change_found(state, principal, order_id, call, work)


def _read_dates(wanted: NewPromise, order: OrderNow, now: datetime.datetime) -> dict[str, datetime.datetime]:
    given = {"ship_by": wanted.ship_by, "deliver_by": wanted.deliver_by}
    dates = {name: date for name, date in given.items() if date is not None}
    if not dates:
        raise Refusal(RefusalCode.INVALID_INPUT, "Say shipBy, deliverBy or both.", ("shipBy",))
    for name, date in dates.items():
        if date <= now:
            path = ("shipBy" if name == "ship_by" else "deliverBy",)
            raise Refusal(RefusalCode.INVALID_INPUT, "What is promised is still to come: say a later date.", path)
    both = {"ship_by": order.row["ship_by"], "deliver_by": order.row["deliver_by"]} | dates
    if both["ship_by"] and both["deliver_by"] and both["ship_by"] > both["deliver_by"]:
        message = f"It would ship after it is to arrive, by {both['deliver_by']:%Y-%m-%d %H:%M} UTC."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("shipBy" if wanted.ship_by else "deliverBy",))
    return dates


async def move_works(connection: Any, order: OrderNow) -> None:
    """Work of a locked order that is not done yet is due when the order is."""
    await connection.execute(_MOVE_WORKS, order.id, order.row["ship_by"])


def prove_promise(row: Mapping[str, Any]) -> dict[str, Any]:
    """What shows that an order's promise is well; `row`: `status`, `ship_by`, `deliver_by`."""
    seen = {"status": row["status"], "shipBy": row["ship_by"], "deliverBy": row["deliver_by"]}
    return {**seen, "at": datetime.datetime.now(datetime.UTC)}
