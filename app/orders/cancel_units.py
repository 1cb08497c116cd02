"""Cancel an order or some of its units, as people of ours decide it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_remarks
from app.orders.change_order import by_name, drop_units, remember_cancelled
from app.orders.find_order import change_found, check_open
from app.orders.lock_order import OrderNow
from app.orders.note_cancellation import REASONS
from app.orders.write_state import OrderEvent, write_state
from app.run_once import Answer
from app.state import State
from domain.cancellations import CancelReason
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance, Remarks

LINES_MAX = 1_000


class CancelLine(NamedTuple):
    """Units of a line, by the channel's id of it."""

    line: str
    quantity: int


async def cancel_order_units(
    state: State,
    principal: Principal,
    order_id: UUID,
    lines: Sequence[CancelLine] | None,
    remarks: Remarks,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """All that is not shipped, or these units; `asked` of the answer: what a warehouse was asked for, by line.

    Raises `Refusal` INVALID_INPUT, TOO_MANY_LINES, ORDER_NOT_FOUND, NOT_ALLOWED, WRONG_STATE (ended), INVALID_QUANTITY
    (more than is left to ship), DUPLICATE_LINE.
    """

    async def work(connection: Any, order: OrderNow) -> Answer:
        check_remarks(remarks)
        check_open(order)
        units = _choose(order, lines)
        asked = await drop_units(connection, order, units, "ORDER_CANCELLED", provenance)
        done = {number: count - asked.get(number, 0) for number, count in units.items()}
        reason = REASONS.get((remarks.reason or "").upper(), CancelReason.SELLER)
        await remember_cancelled(connection, order, units, reason)
        data = {"reason": remarks.reason, "cancelled": by_name(order, done), "askedOfWarehouse": by_name(order, asked)}
        await write_state(connection, order, {}, [OrderEvent("CANCELLED", remarks.note, data)], provenance.actor)
        return {"asked": by_name(order, asked)}

    return await change_found(state, principal, order_id, call, work)


def _choose(order: OrderNow, lines: Sequence[CancelLine] | None) -> dict[int, int]:
    left = {one.external_id: (one.line, one.kept - one.counts.shipped) for one in order.known_lines()}
    if lines is None:
        chosen = {number: units for number, units in left.values() if units}
        if not chosen:
            message = "The warehouse was asked to cancel all that is left: wait for its answer."
            raise Refusal(RefusalCode.WRONG_STATE, message, ("id",))
        return chosen
    if not 1 <= len(lines) <= LINES_MAX:
        raise Refusal(RefusalCode.TOO_MANY_LINES, f"Give 1 to {LINES_MAX} lines.", ("lines",))
    chosen = {}
    for index, line in enumerate(lines):
        path = ("lines", str(index))
        number, units = left.get(line.line, (-1, 0))
        if number in chosen:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"Line {line.line!r} is given twice.", (*path, "line"))
        if not 1 <= line.quantity <= units:
            message = f"Of line {line.line!r} {units} units are left to cancel."
            raise Refusal(RefusalCode.INVALID_QUANTITY, message, (*path, "quantity"))
        chosen[number] = line.quantity
    return chosen
