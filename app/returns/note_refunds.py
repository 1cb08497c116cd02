"""What an order's record at its channel shows of refunds: it confirms those that returns wait for, and makes none."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from adapters.channels.base import ChannelOrder
from adapters.channels.channel_refund import ChannelRefund
from adapters.channels.news import ReturnNotice
from app.exceptions.open_cases import open_cases
from app.orders.take_order import take_order
from app.returns.hold_return import keep_return, lock_return
from app.returns.link_exchange import link_exchange
from app.returns.notice_return import SYSTEM, notice_return
from app.state import State
from domain.exceptions import CaseKind, Severity
from domain.returns import MoneyTrack, RefundState

REFUNDS_MAX = 100
_WAITING = """
SELECT r.id, r.refund_external_id FROM returns r JOIN orders o ON o.id = r.order_id
WHERE o.channel_id = $1 AND o.external_id = $2 AND r.money IN ('DUE', 'TOLD') AND r.state <> 'CANCELLED'
"""
FAILED = "The channel took the refund, and it failed there: pay it there, and say so."


async def take_seen_order(state: State, channel_id: int, order: ChannelOrder) -> None:
    """The order first, then what it is sent instead of, and its refunds. Safe to call again at any time."""
    await take_order(state, channel_id, order)
    await link_exchange(state, channel_id, order)
    await note_refunds(state, channel_id, order)


async def note_refunds(state: State, channel_id: int, order: ChannelOrder) -> None:
    """One whose date the channel does not tell is only known by its id."""
    if not order.refunds:
        return
    waiting = await state.database.hot.fetch(_WAITING, channel_id, order.external_id)
    told = {row["refund_external_id"]: row["id"] for row in waiting if row["refund_external_id"]}
    for refund in order.refunds[:REFUNDS_MAX] if waiting else ():
        if refund.paid and (refund.at is not None or refund.id in told):
            await notice_return(state, channel_id, _write_notice(order, refund))
        elif refund.failed and refund.id in told:
            await _note_failure(state, told[refund.id])


def _write_notice(order: ChannelOrder, refund: ChannelRefund) -> ReturnNotice:
    return ReturnNotice(
        *(refund.id, order.external_id),
        refund=(refund.amount, refund.currency),
        refunded=True,
        announces=False,
        refund_id=refund.id,
        refund_at=refund.at,
    )


async def _note_failure(state: State, return_id: UUID) -> None:
    async with state.database.hot.acquire() as connection, connection.transaction():
        held = await lock_return(connection, SYSTEM, return_id)
        if held.money != MoneyTrack.TOLD or await _is_refused(connection, return_id):
            return
        now = datetime.datetime.now(datetime.UTC)
        columns: dict[str, Any] = {
            "refund_state": RefundState.REFUSED.value,
            "refund_next_at": None,
            "refund_error": FAILED,
        }
        await keep_return(connection, held, held.lines, {}, now, **columns)
        title = "is not paid back by the channel"
        await open_cases(connection, [held.problem(CaseKind.REFUND_REFUSED, Severity.HIGH, title, FAILED)])
    state.doorbell.ring("feed")


async def _is_refused(connection: Any, return_id: UUID) -> bool:
    found = await connection.fetchval("SELECT refund_state FROM returns WHERE id = $1", return_id)
    return bool(found == RefundState.REFUSED)
