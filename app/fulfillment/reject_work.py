"""A warehouse says no, or nothing in time: what it was to ship is promised from elsewhere."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from app.damage.keep_damage import DamageFound, keep_damages
from app.damage.report_damage import DamageOrigin
from app.floor.perform import FloorCall, Leg, post_legs
from app.fulfillment.change_work import Ask, Decide, change_work
from app.fulfillment.close_lists import close_lists
from app.fulfillment.give_up import give_up
from app.fulfillment.lock_work import Work, note_event
from app.fulfillment.move_units import count_skus
from app.fulfillment.pick_work import lose_units
from app.orders.ask_cancellation import accept_cancellation
from app.orders.lock_order import lock_order
from app.orders.write_state import write_state
from app.run_once import Answer
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.fulfillment import FulfillmentAction, RejectReason
from domain.identity import Principal, Role
from domain.provenance import Provenance, Remarks
from domain.stock import StockKey

TIMED_OUT, CLOSED = "TIMED_OUT", "WAREHOUSE_CLOSED"
REJECTED = "REJECTED"
"""The cause of damage that a warehouse rejected work for."""
CLOCK = Principal("system", "system", frozenset({Role.ADMIN}))
TIMED_OUT_MAX = 50
_LATE = """
SELECT id FROM fulfillment_orders WHERE status = 'RELEASED' AND accept_by < now() AND hold_reason IS NULL
ORDER BY accept_by LIMIT $1
"""
_STRANDED = """
SELECT f.id FROM fulfillment_orders f JOIN warehouses w ON w.id = f.warehouse_id
WHERE w.status IN ('CLOSED', 'ONBOARDING') AND f.hold_reason IS NULL AND f.status IN ('SCHEDULED', 'RELEASED')
  AND NOT EXISTS (SELECT FROM partner_orders p WHERE p.fulfillment_order_id = f.id)
ORDER BY f.id LIMIT $1
"""
"""What a partner was given is the partner's."""
LEFT = frozenset({"CLOSED", "ONBOARDING"})
"""Nobody works there for us, any more or yet."""
_STATUS = "SELECT status FROM warehouses WHERE id = $1 FOR SHARE"


async def reject_work(state: State, principal: Principal, ask: Ask, reason: RejectReason) -> Answer:
    """What is left of it goes back to available; for NOT_IN_STOCK it leaves the ledger, for DAMAGED it is damaged.

    Raises `Refusal`.
    """

    async def decide(connection: Any, work: Work) -> None:
        await _end(connection, work, ask, reason.value, lost=reason is RejectReason.NOT_IN_STOCK)
        if reason is RejectReason.DAMAGED:
            await _set_aside(connection, principal, work, ask)

    return await change_work(state, principal, ask, FulfillmentAction.REJECT, decide)


async def cancel_work(state: State, principal: Principal, ask: Ask) -> Answer:
    """The warehouse gives up what it was asked to cancel. Raises `Refusal` WRONG_STATE when it was asked nothing."""

    async def decide(connection: Any, work: Work) -> None:
        order = await lock_order(connection, work.order_id)
        assert order is not None
        given = await accept_cancellation(connection, order, work.id, ask.provenance)
        if not given.units:
            raise Refusal(RefusalCode.WRONG_STATE, "Nothing of it is to be cancelled: reject it, or ship it.", ("id",))
        await write_state(connection, order, {}, (), ask.provenance.actor)
        await note_event(connection, work, ask.provenance, "WORK_CANCELLED", ask.at(), ask.note)
        await close_lists(connection, work.id)

    return await change_work(state, principal, ask, FulfillmentAction.CANCEL, decide)


async def time_out_work(state: State) -> int:
    """Take back what no warehouse took on in time, one transaction each; returns how many."""
    late = await state.database.hot.fetch(_LATE, TIMED_OUT_MAX)
    taken = 0
    for row in late:
        taken += await _time_out(state, row["id"])
    return taken


async def _time_out(state: State, work_id: UUID) -> bool:
    ask = Ask(work_id, Provenance(CLOCK.name))

    async def decide(connection: Any, work: Work) -> None:
        accept_by = work.row["accept_by"]
        if accept_by is None or accept_by > datetime.datetime.now(datetime.UTC):
            raise Refusal(RefusalCode.WRONG_STATE, "Its time has not come.", ("id",))
        await _end(connection, work, ask, TIMED_OUT, lost=False)

    return await _take_back(state, ask, FulfillmentAction.TIME_OUT, decide)


async def vacate_warehouses(state: State) -> int:
    """Take back what nobody had taken on in a warehouse that was closed, one transaction each; returns how many."""
    stranded = await state.database.hot.fetch(_STRANDED, TIMED_OUT_MAX)
    taken = 0
    for row in stranded:
        taken += await _vacate(state, row["id"])
    return taken


async def _vacate(state: State, work_id: UUID) -> bool:
    ask = Ask(work_id, Provenance(CLOCK.name))

    async def decide(connection: Any, work: Work) -> None:
        if await connection.fetchval(_STATUS, work.warehouse_id) not in LEFT:
            raise Refusal(RefusalCode.WRONG_STATE, "Its warehouse is open again.", ("id",))
        await _end(connection, work, ask, CLOSED, lost=False)

    return await _take_back(state, ask, FulfillmentAction.VACATE, decide)


async def _take_back(state: State, ask: Ask, action: FulfillmentAction, decide: Decide) -> bool:
    try:
        await change_work(state, CLOCK, ask, action, decide)
    except Refusal:
        return False  # somebody took it on, or another worker was first
    return True


async def _set_aside(connection: Any, principal: Principal, work: Work, ask: Ask) -> None:
    """In the transaction that gave the units back, so that nobody has them promised in between."""
    by_sku = count_skus(work, {line.line: line.bound for line in work.lines})
    found = [DamageFound(sku_id, units, REJECTED) for sku_id, units in sorted(by_sku.items())]
    act = FloorCall(principal, ask.provenance, Remarks("DAMAGE", ask.note, work.order["name"]), None, ask.occurred_at)
    legs = [
        Leg(StockKey(x.sku_id, work.warehouse_id), "available", "damaged", x.quantity, document=f"damage:{x.id}")
        for x in found
    ]
    now = datetime.datetime.now(datetime.UTC)
    await post_legs(connection, act, "damage", legs, now)
    document = f"fulfillment_order:{work.id}"
    await keep_damages(connection, act, work.warehouse_id, DamageOrigin.PICKING.value, found, now, document)


async def _end(connection: Any, work: Work, ask: Ask, reason: str, *, lost: bool) -> None:
    left = {line.line: line.bound for line in work.lines}
    if lost:
        await lose_units(connection, work, left, ask)
    else:
        why = f"WORK_{reason}" if reason == TIMED_OUT else "WORK_REJECTED"
        await give_up(connection, work, left, why, ask, lost=False, why=reason)
    await note_event(connection, work, ask.provenance, "REJECTED", ask.at(), ask.note, reason=reason)
    await close_lists(connection, work.id)
