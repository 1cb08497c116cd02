"""Have the channels pay what is due for returns. The rows of `returns` are the queue, and a claim is a time.

As with parcels, no transaction is open while a channel is spoken to, and a worker that dies has its refunds told again
after the lease: every adapter looks first whether the refund is there.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

from adapters.channels.base import WriteOutcome, WriteResult
from adapters.channels.refuse_call import NotOffered
from adapters.channels.returns import RefundingChannel
from app.channels.open_channel import COLUMNS
from app.channels.tell_channel import tell_channel
from app.draw_wait import draw_wait
from app.exceptions.open_cases import open_cases
from app.returns.hold_return import keep_return, lock_return
from app.returns.queue_refund import LOOK_SECONDS
from app.returns.write_refund import write_refund
from app.state import State
from domain.exceptions import CaseKind, Severity
from domain.identity import Principal
from domain.returns import MoneyTrack

REFUNDS_MAX = 16
LANE = "REFUND"
SYSTEM = Principal("refunds", "refunds", frozenset())
BY_HAND = (
    "Onhand has no call for refunds of this channel: pay it there, then say so with returnRefund(step: CONFIRMED)."
)
_CLAIM = """
WITH due AS (
  SELECT r.id FROM returns r JOIN orders o ON o.id = r.order_id JOIN channels c ON c.id = o.channel_id
  WHERE r.refund_state = 'PENDING' AND r.refund_next_at <= now() AND r.money = 'DUE' AND c.status = 'LIVE'
  ORDER BY r.refund_next_at LIMIT $1 FOR UPDATE OF r SKIP LOCKED
)
UPDATE returns r SET refund_next_at = clock_timestamp() + make_interval(secs => $2),
  refund_attempts = r.refund_attempts + 1, refund_first_at = coalesce(r.refund_first_at, clock_timestamp())
FROM due, orders o WHERE r.id = due.id AND o.id = r.order_id
RETURNING r.id, r.number, r.order_id, r.external_id, r.refund_amount, r.refund_currency, r.refund_external_id,
  r.refund_first_at, r.refund_attempts, o.channel_id, o.external_id AS order_external_id,
  coalesce(o.name, o.external_id) AS order_name, o.currency
"""
_CHANNELS = f"SELECT {COLUMNS} FROM channels WHERE id = ANY($1::int[])"  # noqa: S608
_MINE = "SELECT FROM returns WHERE id = $1 AND refund_attempts = $2 AND refund_state = 'PENDING'"
"""Whoever comes after its lease finds another attempt there, and nothing to write."""


async def tell_refunds(state: State) -> int:
    """Tell one bounded batch; returns how many refunds were tried."""
    due = await state.database.hot.fetch(_CLAIM, REFUNDS_MAX, state.settings.push_lease_seconds)
    if not due:
        return 0
    records = await state.database.hot.fetch(_CHANNELS, sorted({row["channel_id"] for row in due}))
    channels = {record["id"]: record for record in records}
    await asyncio.gather(*(_tell(state, channels[row["channel_id"]], row) for row in due))
    return len(due)


async def _tell(state: State, record: Any, row: Any) -> None:
    async def pay(channel: object) -> WriteResult:
        if not isinstance(channel, RefundingChannel):
            raise NotOffered(BY_HAND)
        return await channel.issue_refund(await write_refund(state, row, pays=True))

    await _settle(state, row, await tell_channel(state, record, LANE, str(row["id"]), pay))


async def _settle(state: State, row: Any, result: WriteResult) -> None:
    """Keep what came of it, with its case, in one transaction."""
    async with state.database.hot.acquire() as connection, connection.transaction():
        held = await lock_return(connection, SYSTEM, row["id"])
        if await connection.fetchrow(_MINE, held.id, row["refund_attempts"]) is None:
            return
        now = datetime.datetime.now(datetime.UTC)
        columns, stamps = _judge(row, result, now)
        await keep_return(connection, held, held.lines, stamps, now, **columns)
        if columns["refund_state"] == "REFUSED":
            title = f"is not paid back by the channel (order {row['order_name']})"
            problem = held.problem(CaseKind.REFUND_REFUSED, Severity.HIGH, title, result.message)
            await open_cases(connection, [problem])
    state.doorbell.ring("feed")


def _judge(
    row: Any, result: WriteResult, now: datetime.datetime
) -> tuple[dict[str, Any], dict[str, datetime.datetime]]:
    """What is written of the refund, and its times."""
    error = (result.message or result.outcome.value)[:500]
    if result.outcome is WriteOutcome.REFUSED:
        return {"refund_state": "REFUSED", "refund_next_at": None, "refund_error": error}, {}
    if result.outcome not in (WriteOutcome.OK, WriteOutcome.ACCEPTED):
        again = now + datetime.timedelta(seconds=draw_wait(row["refund_attempts"], result.wait_seconds))
        return {"refund_state": "PENDING", "refund_next_at": again, "refund_error": error}, {}
    sent = {"refund_state": "SENT", "refund_next_at": None, "refund_error": None, "refund_external_id": result.receipt}
    if result.outcome is WriteOutcome.ACCEPTED:
        look = now + datetime.timedelta(seconds=LOOK_SECONDS)
        return {**sent, "money": MoneyTrack.TOLD.value, "refund_next_at": look}, {"refund_told_at": now}
    return {**sent, "money": MoneyTrack.CONFIRMED.value}, {"refund_told_at": now, "refund_confirmed_at": now}
