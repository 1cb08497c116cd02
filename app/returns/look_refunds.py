"""Look again at refunds that their channels have taken and not paid yet, until each is paid or has failed.

A payment provider may take days, and no vendor's event says what came of it. The first look comes soon, each later one
after half of the time that has passed. A look pays nothing; a person does when the channel could not.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

from adapters.channels.base import Channel, WriteOutcome, WriteResult
from adapters.channels.returns import RefundLookingChannel
from app.channels.open_channel import COLUMNS
from app.channels.tell_channel import tell_channel
from app.draw_wait import draw_wait
from app.exceptions.open_cases import open_cases
from app.returns.hold_return import keep_return, lock_return
from app.returns.note_refunds import FAILED, take_seen_order
from app.returns.queue_refund import LOOK_SECONDS
from app.returns.write_refund import write_refund
from app.state import State
from domain.exceptions import CaseKind, Severity
from domain.identity import Principal
from domain.returns import MoneyTrack, RefundState

LOOKS_MAX = 16
LANE = "REFUND"
SYSTEM = Principal("refunds", "refunds", frozenset())
LOOK_SECONDS_MAX = 6 * 3_600.0
UNSHOWN_SECONDS = 3_600.0
"""A channel that took a refund and shows nothing of it so long is a person's to ask."""
UNSHOWN = "The channel took the refund, and shows nothing of it: look there, and say what came of it."
_CLAIM = """
WITH due AS (
  SELECT r.id FROM returns r JOIN orders o ON o.id = r.order_id JOIN channels c ON c.id = o.channel_id
  WHERE r.refund_next_at <= now() AND r.money = 'TOLD' AND r.refund_state <> 'PENDING' AND c.status = 'LIVE'
  ORDER BY r.refund_next_at LIMIT $1 FOR UPDATE OF r SKIP LOCKED
)
UPDATE returns r SET refund_next_at = clock_timestamp() + make_interval(secs => $2),
  refund_attempts = r.refund_attempts + 1
FROM due, orders o WHERE r.id = due.id AND o.id = r.order_id
RETURNING r.id, r.number, r.order_id, r.external_id, r.refund_amount, r.refund_currency, r.refund_external_id,
  coalesce(r.refund_first_at, r.refund_told_at, r.created_at) AS refund_first_at, r.refund_told_at, r.refund_attempts,
  o.channel_id, o.external_id AS order_external_id, coalesce(o.name, o.external_id) AS order_name, o.currency
"""
_CHANNELS = f"SELECT {COLUMNS} FROM channels WHERE id = ANY($1::int[])"  # noqa: S608
_MINE = "SELECT FROM returns WHERE id = $1 AND refund_attempts = $2 AND money = 'TOLD' AND refund_next_at IS NOT NULL"
"""Whoever comes after its lease, or after the channel's own word, finds nothing to write."""
_LATER = "UPDATE returns SET refund_next_at = $2 WHERE id = $1"


async def look_refunds(state: State) -> int:
    """Look at one bounded batch; returns how many."""
    due = await state.database.hot.fetch(_CLAIM, LOOKS_MAX, state.settings.push_lease_seconds)
    if not due:
        return 0
    records = await state.database.hot.fetch(_CHANNELS, sorted({row["channel_id"] for row in due}))
    channels = {record["id"]: record for record in records}
    await asyncio.gather(*(_look(state, channels[row["channel_id"]], row) for row in due))
    return len(due)


async def _look(state: State, record: Any, row: Any) -> None:
    """By the refund itself where the channel shows it, else by its word of the order, which may have it."""

    async def look(channel: Channel) -> WriteResult:
        looking: Any = channel
        if isinstance(looking, RefundLookingChannel):
            found = await looking.look_refund(await write_refund(state, row, pays=False))
            return found or WriteResult(WriteOutcome.ACCEPTED, UNSHOWN)
        order = await channel.read_order(row["order_external_id"])
        if order is not None:
            await take_seen_order(state, row["channel_id"], order)
        return WriteResult(WriteOutcome.ACCEPTED)

    await _settle(state, row, await tell_channel(state, record, LANE, str(row["id"]), look))


async def _settle(state: State, row: Any, result: WriteResult) -> None:
    """Keep what came of it, with its case, in one transaction."""
    async with state.database.hot.acquire() as connection, connection.transaction():
        held = await lock_return(connection, SYSTEM, row["id"])
        if await connection.fetchrow(_MINE, held.id, row["refund_attempts"]) is None:
            return
        now = datetime.datetime.now(datetime.UTC)
        columns, stamps = _judge(row, result, now)
        if columns.keys() == {"refund_next_at"}:
            await connection.execute(_LATER, held.id, columns["refund_next_at"])
            return
        await keep_return(connection, held, held.lines, stamps, now, **columns)
        if columns.get("refund_state") == RefundState.REFUSED:
            title = f"is not paid back by the channel (order {row['order_name']})"
            problem = held.problem(CaseKind.REFUND_REFUSED, Severity.HIGH, title, columns["refund_error"])
            await open_cases(connection, [problem])
    state.doorbell.ring("feed")


def _judge(
    row: Any, result: WriteResult, now: datetime.datetime
) -> tuple[dict[str, Any], dict[str, datetime.datetime]]:
    """What is written of the refund, and its times."""
    age = (now - (row["refund_told_at"] or row["refund_first_at"])).total_seconds()
    receipt = result.receipt or row["refund_external_id"]
    if result.outcome is WriteOutcome.OK:
        paid = {"money": MoneyTrack.CONFIRMED.value, "refund_next_at": None, "refund_external_id": receipt}
        return paid, {"refund_confirmed_at": now}
    unshown = result.message == UNSHOWN and age > UNSHOWN_SECONDS
    if result.outcome is WriteOutcome.REFUSED or unshown:
        error = (result.message or FAILED)[:500]
        return {"refund_state": RefundState.REFUSED.value, "refund_next_at": None, "refund_error": error}, {}
    wait = min(LOOK_SECONDS_MAX, max(LOOK_SECONDS, age / 2))
    if result.outcome is not WriteOutcome.ACCEPTED:
        wait = draw_wait(row["refund_attempts"], result.wait_seconds)
    later = {"refund_next_at": now + datetime.timedelta(seconds=wait)}
    return later if receipt == row["refund_external_id"] else {**later, "refund_external_id": receipt}, {}
