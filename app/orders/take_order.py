"""An order as a channel reported it, new or changed, however often and in whatever order it is reported."""

from __future__ import annotations

from typing import Any

import asyncpg

from adapters.channels.base import ChannelOrder
from app.channels.note_sales import note_sales
from app.exceptions.open_cases import open_cases
from app.orders.cancel_order import cancel_order, keep_cancelled
from app.orders.place_order import place_order
from app.state import State
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity

_KNOWN = "SELECT id, status FROM orders WHERE channel_id = $1 AND external_id = $2"


async def take_order(state: State, channel_id: int, order: ChannelOrder) -> None:
    """Place it when it is new; give its stock back when the channel cancelled it. Safe to call again at any time.

    One that was cancelled before we heard of it is kept as cancelled, so that a late word of it changes nothing.
    """
    known = await state.database.hot.fetchrow(_KNOWN, channel_id, order.external_id)
    if order.cancelled and known is None:
        await keep_cancelled(state, channel_id, order)
        known = await state.database.hot.fetchrow(_KNOWN, channel_id, order.external_id)
    if order.cancelled:
        if known["status"] != "CANCELLED":
            await cancel_order(state, known["id"])
        return
    if known is not None or not order.lines:
        return
    try:
        answer = await place_order(state, channel_id, order)
    except asyncpg.UniqueViolationError:
        return  # another worker was first
    await note_sales(state.database, channel_id, order)
    if answer["status"] != "ALLOCATED":
        await _open_case(state, channel_id, order, answer)


async def _open_case(state: State, channel_id: int, order: ChannelOrder, answer: dict[str, Any]) -> None:
    oversold = answer["status"] == "BACKORDERED" or "missing" in (answer["problem"] or "")
    problem = Problem(
        CaseKind.OVERSELL if oversold else CaseKind.ORDER_PROBLEM,
        Severity.CRITICAL,
        CauseClass.MAPPING if "no such SKU" in (answer["problem"] or "") else CauseClass.UNKNOWN,
        f"order:{answer['id']}",
        f"Order {order.name or order.external_id} cannot be filled",
        answer["problem"],
        channel_id,
    )
    async with state.database.hot.acquire() as connection, connection.transaction():
        await open_cases(connection, [problem])
    state.doorbell.ring("feed")
