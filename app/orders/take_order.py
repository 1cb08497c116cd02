"""An order as a channel reported it, new or changed, however often and in whatever order it is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from app.channels.note_sales import note_sales
from app.exceptions.open_cases import open_cases
from app.kits.expand_kits import expand_kits
from app.orders.change_order import change_order
from app.orders.clean_words import clean_order
from app.orders.keep_cancelled import keep_cancelled
from app.orders.name_lines import name_lines
from app.orders.place_order import place_order
from app.routing.allocate_order import allocate_order
from app.state import State
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity

_KNOWN = "SELECT id FROM orders WHERE channel_id = $1 AND external_id = $2"
_UNTOLD = """
SELECT o.id, o.channel_id, coalesce(o.name, o.external_id), o.problem, bool_or(l.sku_id IS NOT NULL),
  bool_or(l.sku_id IS NULL)
FROM orders o JOIN order_lines l ON l.order_id = o.id AND l.quantity > l.allocated + l.shipped + l.cancelled
WHERE o.id = $1 AND o.problem IS NOT NULL AND ($2 OR NOT EXISTS (
  SELECT FROM exception_cases c WHERE c.subject = 'order:' || o.id AND c.kind IN ('OVERSELL', 'ORDER_PROBLEM')))
GROUP BY o.id
"""
ROUNDS_MAX = 3


async def take_order(state: State, channel_id: int, order: ChannelOrder) -> None:
    """Place it when it is new, else change what is on record to what it says. Safe to call again at any time.

    One that was cancelled or refunded before we heard of it, or of which nothing is left, is kept as cancelled, so that
    a late word of it changes nothing. What somebody else had shipped of a new one is kept as shipped, and promised from
    nowhere.
    """
    order = await name_lines(state, channel_id, clean_order(order))
    order = await expand_kits(state, channel_id, replace(order, lines=merge_lines(order.lines)))
    for _ in range(ROUNDS_MAX):
        known = await state.database.hot.fetchval(_KNOWN, channel_id, order.external_id)
        if known is not None:
            await _take_change(state, known, order)
            return
        if order.cancelled or order.refunded or not order.lines:
            await keep_cancelled(state, channel_id, order)
            return
        if await _take_new(state, channel_id, order):
            return
        # Another worker was first, perhaps with another word of it.


def merge_lines(lines: Sequence[ChannelOrderLine]) -> tuple[ChannelOrderLine, ...]:
    """Lines of the same id are one, and lines without units are none."""
    found: dict[str, ChannelOrderLine] = {}
    for line in lines:
        known = found.get(line.external_id)
        found[line.external_id] = line if known is None else _add_line(known, line)
    return tuple(line for line in found.values() if line.quantity > 0)


def _add_line(known: ChannelOrderLine, line: ChannelOrderLine) -> ChannelOrderLine:
    told = known.unshipped is not None and line.unshipped is not None
    left = (known.unshipped or 0) + (line.unshipped or 0) if told else None
    units, gone = known.quantity + line.quantity, known.shipped + line.shipped
    return replace(known, quantity=units, unshipped=left, shipped=gone)


async def _take_new(state: State, channel_id: int, order: ChannelOrder) -> bool:
    """Whether it was ours to record."""
    order_id = uuid7()
    try:
        answer = await place_order(state, channel_id, order, order_id=order_id)
    except asyncpg.UniqueViolationError:
        return False
    if str(answer["id"]) != str(order_id):
        return False
    await note_sales(state.database, channel_id, order)
    if answer["status"] != "ALLOCATED":
        await tell_problem(state, order_id)
    return True


async def _take_change(state: State, order_id: UUID, order: ChannelOrder) -> None:
    """What goes elsewhere now is routed anew, as far as no warehouse was told of it."""
    changed = await change_order(state, order_id, order)
    wanting, moved = (False, False) if changed is None else (changed.wanting, changed.moved)
    filled = False
    if wanting or moved:
        filled = not (await allocate_order(state, order_id, "CHANGED", anew=moved))["waiting"]
    await tell_problem(state, order_id, anew=wanting and not filled)


async def tell_problem(state: State, order_id: UUID, *, anew: bool = False) -> None:
    """Open the case of an order that cannot be filled, unless it had one. `anew`: also when it had."""
    found = await state.database.hot.fetchrow(_UNTOLD, order_id, anew)
    if found is None:
        return
    async with state.database.hot.acquire() as connection, connection.transaction():
        await open_cases(connection, describe_problem(*found))
    state.doorbell.ring("feed")


def describe_problem(
    order_id: UUID, channel_id: int, label: str, text: str, oversold: bool, unknown: bool
) -> list[Problem]:
    """`oversold`: sold units that nobody has, the worst. `unknown`: nobody knows what was sold."""
    subject, title = f"order:{order_id}", f"Order {label} cannot be filled"
    kinds = []
    if oversold:
        kinds.append((CaseKind.OVERSELL, CauseClass.UNKNOWN))
    if unknown:
        kinds.append((CaseKind.ORDER_PROBLEM, CauseClass.MAPPING))
    return [Problem(kind, Severity.CRITICAL, cause, subject, title, text, channel_id) for kind, cause in kinds]
