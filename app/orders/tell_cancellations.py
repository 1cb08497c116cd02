"""Tell the channels what was cancelled here. The rows of `cancel_notices` are the queue, and a claim is a time.

What there is to tell is read from the order's lines at every try, and a channel that may have heard is looked at first:
a lost reply, a killed worker or a channel that cancelled by itself costs a look and tells nothing twice. A notice ends
when the channel's own word names no more than what is left; having taken it is not enough.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

from adapters.channels.base import Channel, WriteOutcome, WriteResult
from app.channels.open_channel import COLUMNS
from app.channels.tell_channel import DONE, tell_channel
from app.draw_wait import draw_wait
from app.exceptions.open_cases import open_cases
from app.kits.tell_kits import read_kit_parts
from app.orders.lock_order import see_order
from app.orders.note_cancellation import end_notice
from app.orders.take_order import take_order
from app.orders.write_state import OrderEvent, note_events
from app.state import State
from domain.cancellations import Cancellation, CancelledLine, CancelReason, NoticeState, list_cancelled
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity

NOTICES_MAX = 16
LANE = "CANCEL"
WAIT_SECONDS = 5.0
"""Until a warehouse that was asked is looked at again."""
LOOK_SECONDS = 15.0
"""A channel sends its own word within moments; after that it is asked for, each time later."""
LOOK_SECONDS_MAX = 300.0
UNAPPLIED_SECONDS = 900.0
"""A channel that took a notice and shows nothing of it so long is a person's to ask."""
_CLAIM = """
WITH due AS (
  SELECT n.order_id FROM cancel_notices n JOIN orders o ON o.id = n.order_id JOIN channels c ON c.id = o.channel_id
  WHERE n.state IN ('PENDING', 'TOLD') AND n.next_attempt_at <= now() AND c.status = 'LIVE'
  ORDER BY n.next_attempt_at LIMIT $1 FOR UPDATE OF n SKIP LOCKED
)
UPDATE cancel_notices n SET next_attempt_at = clock_timestamp() + make_interval(secs => $2), attempts = n.attempts + 1
FROM due, orders o WHERE n.order_id = due.order_id AND o.id = n.order_id
RETURNING n.order_id, n.state, n.reason, n.attempts, n.told_at, o.channel_id, o.external_id, o.name
"""
_CHANNELS = f"SELECT {COLUMNS} FROM channels WHERE id = ANY($1::int[])"  # noqa: S608
_DONE = """
UPDATE cancel_notices SET state = $3, error = $4,
  told_at = CASE WHEN $3 = 'TOLD' THEN coalesce(told_at, clock_timestamp()) ELSE told_at END,
  next_attempt_at = CASE WHEN $3 <> 'REFUSED' THEN clock_timestamp() + make_interval(secs => $5) END
WHERE order_id = $1 AND attempts = $2 AND state IN ('PENDING', 'TOLD') RETURNING order_id
"""
"""Whoever comes after its lease finds another attempt there, and nothing to write."""
_WAIT = """
UPDATE cancel_notices SET next_attempt_at = clock_timestamp() + make_interval(secs => $3), attempts = attempts - 1
WHERE order_id = $1 AND attempts = $2
"""
_TELL = "UPDATE orders SET updated_at = clock_timestamp() WHERE id = $1"
"""Who watches the order sees what became of its notice. It is locked before the notice, as everywhere."""


async def tell_cancellations(state: State) -> int:
    """Tell one bounded batch; returns how many notices were tried."""
    notices = await state.database.hot.fetch(_CLAIM, NOTICES_MAX, state.settings.push_lease_seconds)
    if notices:
        records = await state.database.hot.fetch(_CHANNELS, sorted({notice["channel_id"] for notice in notices}))
        channels = {record["id"]: record for record in records}
        await asyncio.gather(*(_tell(state, channels[notice["channel_id"]], notice) for notice in notices))
    return len(notices)


async def _tell(state: State, record: Any, notice: Any) -> None:
    if notice["attempts"] > 1:  # it may have heard
        looked = await _look(state, record, notice)
        if looked.outcome is not WriteOutcome.OK:
            await _settle(state, record, notice, looked)
            return
    order = await see_order(state.database.hot, notice["order_id"])
    assert order is not None
    lines = list_cancelled(order.known_lines(), await read_kit_parts(state.database.hot, order.id))
    if lines:
        await _settle(state, record, notice, await _send(state, record, notice, lines))
    elif any(order.requested(number) for number in order.lines):
        await state.database.hot.execute(_WAIT, order.id, notice["attempts"], WAIT_SECONDS)
    elif any(min(line.untold, line.counts.cancelled) > 0 for line in order.lines.values()):
        message = "Only parts of a kit are cancelled, which its channel knows as one: settle it there."
        await _settle(state, record, notice, WriteResult(WriteOutcome.REFUSED, message, CauseClass.MAPPING))
    else:
        await _lapse(state, notice)


async def _look(state: State, record: Any, notice: Any) -> WriteResult:
    """Take the channel's word of the order as it is now: that ends the notice when it knows all."""

    async def look(channel: Channel) -> WriteResult:
        order = await channel.read_order(notice["external_id"])
        if order is not None:
            await take_order(state, notice["channel_id"], order)
        return WriteResult(WriteOutcome.OK)

    return await tell_channel(state, record, LANE, str(notice["order_id"]), look)


async def _send(state: State, record: Any, notice: Any, lines: tuple[CancelledLine, ...]) -> WriteResult:
    asked = Cancellation(notice["external_id"], lines, CancelReason(notice["reason"]))
    told = notice["told_at"]
    if told is not None and (datetime.datetime.now(datetime.UTC) - told).total_seconds() > UNAPPLIED_SECONDS:
        message = "The channel took the cancellation and goes on naming the units."
        return WriteResult(WriteOutcome.REFUSED, message, CauseClass.UNKNOWN)
    return await tell_channel(state, record, LANE, str(notice["order_id"]), lambda channel: channel.cancel_order(asked))


async def _settle(state: State, record: Any, notice: Any, result: WriteResult) -> None:
    """Keep what came of it, with its case, in one transaction."""
    done = result.outcome in DONE
    refused = result.outcome is WriteOutcome.REFUSED
    kept = NoticeState.TOLD if done else NoticeState.REFUSED if refused else NoticeState.PENDING
    error = None if done else (result.message or result.outcome.value)[:500]
    attempts = notice["attempts"]
    wait = min(LOOK_SECONDS_MAX, LOOK_SECONDS * attempts) if done else draw_wait(attempts, result.wait_seconds)
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute(_TELL, notice["order_id"])
        keep = (notice["order_id"], attempts, kept.value, error, wait)
        if await connection.fetchval(_DONE, *keep) is None:
            return
        if refused:
            await open_cases(connection, [_problem(record, notice, result)])
        if done or refused:
            event = OrderEvent(f"CANCELLATION_{kept.value}", error)
            await note_events(connection, notice["order_id"], [event], "system")
    state.doorbell.ring("feed")


async def _lapse(state: State, notice: Any) -> None:
    async with state.database.hot.acquire() as connection, connection.transaction():
        await connection.execute(_TELL, notice["order_id"])
        if await end_notice(connection, notice["order_id"], NoticeState.LAPSED, notice["attempts"]):
            await note_events(connection, notice["order_id"], [OrderEvent("CANCELLATION_LAPSED")], "system")
    state.doorbell.ring("feed")


def _problem(record: Any, notice: Any, result: WriteResult) -> Problem:
    label = notice["name"] or notice["external_id"]
    return Problem(
        CaseKind.CANCELLATION_REFUSED,
        Severity.HIGH,
        result.cause or CauseClass.UNKNOWN,
        f"order:{notice['order_id']}",
        f"Order {label} is to be cancelled at {record['code']} by hand",
        result.message,
        record["id"],
    )
