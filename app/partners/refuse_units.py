"""A partner gives units up: those it was asked to cancel are cancelled, the rest is promised from elsewhere.

The rest of a kit goes with what was refused of it, since a kit is promised whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.fulfillment.change_work import Ask, change_work
from app.fulfillment.close_lists import close_lists
from app.fulfillment.give_up import give_up
from app.fulfillment.lock_work import Work, note_event
from app.fulfillment.pick_work import KIT_SHORT, put_back
from app.fulfillment.reject_work import reject_work
from app.kits.keep_whole import find_leftovers
from app.orders.lock_order import lock_order
from app.orders.release_units import release_units
from app.orders.write_state import write_state
from app.partners.act_as import partner_ask, partner_principal
from app.state import State
from domain.errors import Refusal
from domain.fulfillment import FulfillmentAction, RejectReason

MISSING = re.compile(r"stock|missing|not found|short|unavailable|no such sku", re.IGNORECASE)
"""Partners say why in words of their own: such units are not there, whatever the ledger says."""
NOTE_LENGTH_MAX = 500


async def refuse_rest(state: State, partner: Any, work_id: UUID, reason: RejectReason, note: str) -> bool:
    """All that is left of it; whether anything was. What it was asked to cancel is cancelled with it."""
    ask = partner_ask(partner, work_id, note=note[:NOTE_LENGTH_MAX])
    try:
        await reject_work(state, partner_principal(partner), ask, reason)
    except Refusal:
        return False  # it has ended meanwhile
    return True


async def refuse_units(state: State, partner: Any, work_id: UUID, told: Mapping[int, int], why: str) -> bool:
    """Bring what was given up of each line to what the partner has told of; whether anything changed.

    `told`: units by line, all that it ever refused. Raises `Refusal` WRONG_STATE.
    """
    ask = partner_ask(partner, work_id, note=why[:NOTE_LENGTH_MAX])
    changed = False

    async def decide(connection: Any, work: Work) -> None:
        nonlocal changed
        given = await _read_given(connection, work)
        gone = {line.line: line.cancelled + line.short - (line.quantity - given[line.line]) for line in work.lines}
        more = {
            line.line: min(line.bound, told.get(line.line, 0) - gone[line.line])
            for line in work.lines
            if told.get(line.line, 0) > gone[line.line]
        }
        changed = any(more.values())
        if changed:
            await _give_up(connection, work, more, ask, why)

    await change_work(state, partner_principal(partner), ask, FulfillmentAction.REJECT, decide)
    return changed


async def _give_up(connection: Any, work: Work, units: Mapping[int, int], ask: Ask, why: str) -> None:
    cancelled = await give_back_requested(connection, work, ask, units)
    rest = {line: count - cancelled.get(line, 0) for line, count in units.items()}
    if any(rest.values()):
        lost = bool(MISSING.search(why))
        reason = RejectReason.NOT_IN_STOCK if lost else RejectReason.CANNOT_SHIP
        left = put_back(work.lines, cancelled)
        mates = await find_leftovers(connection, work.order_id, left, rest)
        await give_up(connection, work, rest, "PARTNER_REFUSED", ask, lost=lost, why=reason.value)
        if mates:
            await give_up(connection, work, mates, KIT_SHORT, ask, lost=False, why=reason.value)
    await note_event(connection, work, ask.provenance, "PARTNER_REFUSED", ask.at(), ask.note, units=sum(units.values()))
    await close_lists(connection, work.id)


async def give_back_requested(
    connection: Any, work: Work, ask: Ask, most: Mapping[int, int] | None
) -> Mapping[int, int]:
    """Cancel what the warehouse was asked to, of each line at most so many; how many that were, by line."""
    order = await lock_order(connection, work.order_id)
    assert order is not None
    mine = next(one for one in order.works if one.id == work.id)
    units = {
        number: line.requested if most is None else min(line.requested, most.get(number, 0))
        for number, line in mine.lines.items()
    }
    if not any(units.values()):
        return {}
    released = await release_units(
        connection, order, units, "ORDER_CANCELLED", ask.provenance, works={work.id}, started=True
    )
    await write_state(connection, order, {}, (), ask.provenance.actor)
    await note_event(connection, work, ask.provenance, "CANCEL_ACCEPTED", ask.at(), ask.note)
    return released.units


async def _read_given(connection: Any, work: Work) -> dict[int, int]:
    """Units of each line that the partner was given."""
    query = "SELECT key::int, value::int FROM partner_orders, json_each_text(lines) WHERE fulfillment_order_id = $1"
    found = {row[0]: row[1] for row in await connection.fetch(query, work.id)}
    return {line.line: found.get(line.line, line.quantity) for line in work.lines}
