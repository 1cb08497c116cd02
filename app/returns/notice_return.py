"""A return as a channel tells of it, however often: expected here, and never counted on its word.

A channel that "restocks" a return adds to its own count, and so does the warehouse when the unit is there: the word of
the channel is kept as a flag and moves nothing. Its listing is told the true quantity again instead.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog

from adapters.channels.news import ReturnNotice
from app.channels.resync_listings import resync_listings
from app.floor.perform import tell
from app.returns.count_sold import count_sold
from app.returns.hold_return import HeldReturn, keep_lines, keep_return, lock_return
from app.returns.link_exchange import link_lines, link_return
from app.returns.make_return import ReturnHead, make_return
from app.returns.queue_refund import LOOK_SECONDS
from app.returns.split_kits import find_sold_units
from app.returns.write_refund import note_lines
from app.state import State
from app.transact import rerun
from domain.identity import Principal
from domain.returns import MONEY_STEPS, Finding, MoneyTrack, ReturnLine, ReturnOrigin, ReturnState

SYSTEM = Principal("channel", "channel", frozenset())
SAID = frozenset({"refund_amount", "refund_currency"})
_ORDER = "SELECT id, name FROM orders WHERE channel_id = $1 AND external_id = $2"
_BY_NOTICE = "SELECT id FROM returns WHERE channel_id = $1 AND external_id = $2"
_BY_REFUND = "SELECT id FROM returns WHERE order_id = $1 AND refund_external_id = $2"
_BY_MONEY = """
SELECT id FROM returns WHERE order_id = $1 AND money IN ('DUE', 'TOLD') AND refund_external_id IS NULL
  AND state <> 'CANCELLED' AND (refund_amount IS NULL OR refund_amount <= $2)
  AND ($3::timestamptz IS NULL OR coalesce(refund_due_at, created_at) <= $3::timestamptz + interval '1 minute')
ORDER BY money = 'TOLD' DESC, id LIMIT 1
"""
"""Less than what is due is no answer to it, nor is what was paid before it was due."""
_AMOUNT = "SELECT refund_amount FROM returns WHERE id = $1"
_BY_ORDER = """
SELECT id FROM returns WHERE order_id = $1 AND external_id IS NULL AND state <> 'CANCELLED'
ORDER BY (state = 'OPEN') DESC, id LIMIT 1
"""
_HOUSE = """
SELECT coalesce(
  (SELECT warehouse_id FROM fulfillments WHERE order_id = $1 ORDER BY shipped_at DESC, id LIMIT 1),
  (SELECT warehouse_id FROM fulfillment_orders WHERE order_id = $1 ORDER BY id LIMIT 1),
  (SELECT min(c.warehouse_id) FROM channel_warehouses c JOIN warehouses w ON w.id = c.warehouse_id
   WHERE c.channel_id = $2 AND w.status = 'LIVE'))
"""
_LISTINGS = "SELECT id FROM listings WHERE channel_id = $1 AND sku_id = ANY($2::int[])"
log = structlog.get_logger()


async def notice_return(state: State, channel_id: int, notice: ReturnNotice) -> UUID | None:
    """The return that it is about; None when the order is unknown, or has nothing that could still come back.

    Safe to call again at any time: what is announced twice is expected once.
    """

    async def once() -> UUID | None:
        async with state.database.hot.acquire() as connection, connection.transaction():
            return await _note(state, connection, channel_id, notice)

    found = await rerun(once)
    for bell in ("feed", "push"):
        state.doorbell.ring(bell)
    return found


async def _note(state: State, connection: Any, channel_id: int, notice: ReturnNotice) -> UUID | None:
    order = await connection.fetchrow(_ORDER, channel_id, notice.order_external_id)
    if order is None:
        log.warning("a return of an unknown order", channel_id=channel_id, order=notice.order_external_id)
        return None
    now = datetime.datetime.now(datetime.UTC)
    wanted = await find_sold_units(connection, order["id"], notice.lines, notice.items)
    if notice.restocked:
        listings = await connection.fetch(_LISTINGS, channel_id, list(wanted))
        await resync_listings(connection, [row[0] for row in listings])
    sold = await count_sold(connection, order["id"])
    return_id = await _find_paid(connection, order["id"], notice)
    if return_id is not None or not notice.announces:
        if return_id is not None:
            await _note_money(connection, return_id, notice, now)
        return return_id
    return_id = await connection.fetchval(_BY_NOTICE, channel_id, notice.external_id)
    if return_id is None and not notice.cancelled:
        return_id = await connection.fetchval(_BY_ORDER, order["id"])
    if return_id is None:
        lines = {sku_id: min(units, sold.left(sku_id)) for sku_id, units in wanted.items()}
        lines = {sku_id: units for sku_id, units in lines.items() if units > 0}
        if (notice.lines or notice.items) and not lines:
            return None
        return_id = await _make(state, connection, channel_id, order, notice, lines, now)
    if notice.cancelled:  # also one that is new: its announcement may come after it, and opens nothing then
        await _call_off(connection, return_id, now)
        return return_id
    await _adopt(connection, channel_id, return_id, order["id"], notice, wanted, now)
    return return_id


async def _find_paid(connection: Any, order_id: UUID, notice: ReturnNotice) -> UUID | None:
    """The return that this refund was told for; of news about money alone, the one that waits for it."""
    found = None
    if notice.refund_id is not None:
        found = await connection.fetchval(_BY_REFUND, order_id, notice.refund_id)
    if found is None and not notice.announces and notice.refund is not None:
        found = await connection.fetchval(_BY_MONEY, order_id, notice.refund[0], notice.refund_at)
    return found


async def _note_money(connection: Any, return_id: UUID, notice: ReturnNotice, now: datetime.datetime) -> None:
    """The goods are told by others. What was said to be paid stays as it was said."""
    held = await lock_return(connection, SYSTEM, return_id)
    columns: dict[str, Any] = {}
    if notice.restocked:
        columns["channel_restocked"] = True
    stamps = _pay(held, notice, columns, now)
    if columns:
        if await connection.fetchval(_AMOUNT, held.id) is not None:
            columns = {name: value for name, value in columns.items() if name not in SAID}
        columns["refund_external_id"] = notice.refund_id
        await keep_return(connection, held, held.lines, stamps, now, **columns)


async def _call_off(connection: Any, return_id: UUID, now: datetime.datetime) -> None:
    """Whatever has come of it is inspected and closed by people."""
    held = await lock_return(connection, SYSTEM, return_id)
    if held.state == ReturnState.OPEN and not any(line.received for line in held.lines):
        state = ReturnState.CANCELLED.value
        await keep_return(connection, held, held.lines, {"ended_at": now}, now, state=state)


async def _make(
    state: State,
    connection: Any,
    channel_id: int,
    order: Any,
    notice: ReturnNotice,
    lines: dict[int, int],
    now: datetime.datetime,
) -> UUID:
    house = await connection.fetchval(_HOUSE, order["id"], channel_id)
    head = ReturnHead(
        *(ReturnOrigin.CHANNEL, house, f"channel:{channel_id}"),
        now + datetime.timedelta(days=state.settings.return_expected_days),
        reason=notice.reason or "CHANNEL",
        channel_id=channel_id,
        external_id=notice.external_id,
        order_id=order["id"],
        order_reference=order["name"],
    )
    made = [ReturnLine(number, sku_id, units) for number, (sku_id, units) in enumerate(sorted(lines.items()))]
    return_id = await make_return(connection, head, made, now)
    await tell(connection, "return", return_id, [house], channel_id)
    return return_id


async def _adopt(
    connection: Any,
    channel_id: int,
    return_id: UUID,
    order_id: UUID,
    notice: ReturnNotice,
    wanted: dict[int, int],
    now: datetime.datetime,
) -> None:
    """The channel's word on a return that is there: its name for it, what it adds to an open one, and the money."""
    held = await lock_return(connection, SYSTEM, return_id)
    lines = list(held.lines)
    if held.state == ReturnState.OPEN:
        lines = _merge(lines, wanted, (await count_sold(connection, order_id, return_id)).left)
        await keep_lines(connection, held.id, lines)
    await note_lines(connection, held.id, notice.lines)
    columns: dict[str, Any] = {"channel_id": channel_id, "external_id": notice.external_id}
    if notice.exchange is not None:
        columns["exchange_reference"] = notice.exchange[:200]
    if notice.exchange_lines and await link_lines(connection, held.id, order_id, notice.exchange_lines):
        columns["exchange_order_id"] = order_id
    if notice.restocked:
        columns["channel_restocked"] = True
    stamps = _pay(held, notice, columns, now)
    await keep_return(connection, held, lines, stamps, now, **columns)
    if notice.exchange is not None:
        await link_return(connection, order_id)


def _merge(lines: Sequence[ReturnLine], wanted: dict[int, int], left: Callable[[int], int]) -> list[ReturnLine]:
    """A line says the most that was ever announced of it, within what the order can still give back."""
    merged = list(lines)
    places = {line.sku_id: place for place, line in enumerate(lines)}
    for sku_id, units in sorted(wanted.items()):
        most = min(units, left(sku_id))
        place = places.get(sku_id)
        if place is None and most > 0:
            merged.append(ReturnLine(len(merged), sku_id, most))
        elif place is not None and merged[place].finding is Finding.EXPECTED:
            merged[place] = replace(merged[place], authorized=max(merged[place].authorized, most))
    return merged


def _pay(
    held: HeldReturn, notice: ReturnNotice, columns: dict[str, Any], now: datetime.datetime
) -> dict[str, datetime.datetime]:
    """CONFIRMED when the channel has paid, TOLD when it is about to."""
    if notice.refund is None:
        return {}
    step = MoneyTrack.CONFIRMED if notice.refunded else MoneyTrack.TOLD
    if step not in MONEY_STEPS[MoneyTrack(held.money)]:
        return {}
    columns |= {"money": step.value, "refund_amount": notice.refund[0], "refund_currency": notice.refund[1]}
    if step is MoneyTrack.TOLD and notice.refund_id is not None:
        look = now + datetime.timedelta(seconds=LOOK_SECONDS)
        columns |= {"refund_external_id": notice.refund_id, "refund_next_at": look}
    return {"refund_confirmed_at" if notice.refunded else "refund_told_at": now}
