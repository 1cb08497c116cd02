"""Carry out what a channel says of an order on record, in one transaction with its stock. Safe to call at any time.

The order's row is locked first, then its work, then stock: whoever is first wins, and the other one sees what it did.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from app.channels.note_put_back import note_put_back
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.logs import current_request
from app.orders.ask_cancellation import ask_cancellation, cancel_units, recall_cancellation
from app.orders.hold_order import hold_works, let_works_go
from app.orders.keep_contact import Contact, open_contact, seal_contact
from app.orders.lock_order import OrderNow, lock_order, see_order
from app.orders.move_promise import move_works
from app.orders.note_cancellation import ask_to_tell, end_notice
from app.orders.note_elsewhere import BEGUN, find_begun, is_watched_only, note_elsewhere
from app.orders.plan_change import OrderPlan, is_refunded, plan_change
from app.orders.release_units import release_units
from app.orders.tell_address import tell_address
from app.orders.write_state import OrderEvent, write_state
from app.returns.count_sold import count_sold
from app.state import State
from app.transact import rerun
from domain.cancellations import CancelReason, NoticeState
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from domain.order_change import LineChanges
from domain.orders import OrderStatus, Payment
from domain.provenance import Provenance

_CONTACT = "SELECT sealed, erased_at FROM order_contacts WHERE order_id = $1"
_KEEP_CONTACT = """
INSERT INTO order_contacts (order_id, sealed) VALUES ($1, $2)
ON CONFLICT (order_id) DO UPDATE SET sealed = coalesce(excluded.sealed, order_contacts.sealed)
WHERE order_contacts.erased_at IS NULL
"""
_ADD = """
UPDATE order_lines l SET quantity = l.quantity + g.units FROM unnest($2::int[], $3::int[]) AS g (line, units)
WHERE l.order_id = $1 AND l.line = g.line
"""
_NEW = """
INSERT INTO order_lines (order_id, line, external_id, sku_id, sku_code, title, quantity, unit_price)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::text[], $6::text[], $7::int[], $8::numeric[])
"""
_UNTOLD = """
UPDATE order_lines l SET untold = g.units FROM unnest($2::int[], $3::int[]) AS g (line, units)
WHERE l.order_id = $1 AND l.line = g.line
"""
_TOLD_LATE = """
SELECT data::text FROM order_events WHERE order_id = $1 AND action IN ('CANCEL_TOO_LATE', 'WANTED_AFTER_ALL')
ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Changed:
    """`wanting`: units are to be promised from somewhere. `moved`: it goes elsewhere than it did."""

    status: OrderStatus
    wanting: bool
    moved: bool


async def change_order(state: State, order_id: UUID, order: ChannelOrder) -> Changed | None:
    """None when the word changes nothing: it came before, or late, or says what is on record."""
    pool = state.database.hot
    seen = await see_order(pool, order_id)
    if seen is None or (await _plan(state, pool, seen, order)).empty:
        return None
    skus = await state.lookup.find_skus(line.sku for line in order.lines if line.sku)
    who = Provenance(f"channel:{seen.channel_id}", None, current_request(), order.external_id)

    async def once() -> Changed | None:
        async with pool.acquire() as connection, connection.transaction():
            now = await lock_order(connection, order_id)
            if now is None:
                return None
            plan = await _plan(state, connection, now, order)
            if plan.empty:
                return None
            return await _carry_out(state, connection, now, plan, order, skus, who)

    changed = await rerun(once)
    if changed is not None:
        state.doorbell.ring("feed")
    return changed


async def _plan(state: State, connection: Any, now: OrderNow, order: ChannelOrder) -> OrderPlan:
    kept, erased = await read_kept_contact(state, connection, now.id)
    plan = plan_change(now, kept, erased, order, datetime.datetime.now(datetime.UTC))
    if (plan.elsewhere or plan.begun) and await is_watched_only(connection, now.channel_id):
        plan.elsewhere, plan.begun = {}, {}
    return plan


async def read_kept_contact(state: State, connection: Any, order_id: UUID) -> tuple[Contact | None, bool]:
    """The contact on record, and whether it was erased."""
    row = await connection.fetchrow(_CONTACT, order_id)
    return (None, False) if row is None else (open_contact(state.settings, row[0]), row[1] is not None)


async def _carry_out(
    state: State,
    connection: Any,
    now: OrderNow,
    plan: OrderPlan,
    order: ChannelOrder,
    skus: Mapping[str, int],
    who: Provenance,
) -> Changed:
    reason = "ORDER_CANCELLED" if order.cancelled or is_refunded(now, order) else "ORDER_EDITED"
    events = [*plan.events, *await change_lines(connection, now, plan.lines, order.lines, skus, reason, who)]
    if plan.contact is not None:
        await keep_contact(connection, now.id, seal_contact(state.settings, plan.contact))
    if plan.columns.get("hold_reason") is not None:
        await hold_works(connection, now.id)
    elif "hold_reason" in plan.columns:
        await let_works_go(connection, now.id, state.settings.accept_seconds)
    problems = await _find_problems(connection, now, plan, events)
    problems += await tell_address(connection, now) if plan.moved else []
    gone, shipped = await note_elsewhere(connection, now, plan.elsewhere, who)
    begun, risks = await find_begun(connection, now, plan.begun)
    told = (("SHIPPED_ELSEWHERE", gone), (BEGUN, begun))
    events += [OrderEvent(action, data=data) for action, data in told if data]
    problems += [*shipped, *risks]
    status = await write_state(connection, now, plan.columns, events, who.actor)
    if "ship_by" in plan.columns:
        await move_works(connection, now)
    await open_cases(connection, problems)
    wanting = bool(now.backordered) and bool(plan.lines.add or plan.lines.new)
    return Changed(status, wanting, "destination" in plan.columns)


async def keep_contact(connection: Any, order_id: UUID, sealed: bytes | None) -> None:
    """What was erased stays so. None: nothing could be sealed, and where it goes is still to be erased."""
    await connection.execute(_KEEP_CONTACT, order_id, sealed)


async def change_lines(
    connection: Any,
    now: OrderNow,
    changes: LineChanges,
    told: tuple[ChannelOrderLine, ...],
    skus: Mapping[str, int],
    reason: str,
    who: Provenance,
) -> list[OrderEvent]:
    """Bring the lines, their work and their stock to what is wanted; what it came to, for the timeline."""
    if changes.empty:
        return []
    named_no_more = Counter(changes.drop)
    for line, units in changes.untold.items():
        named_no_more[line] += now.lines[line].untold - units
    await _write_untold(connection, now, changes.untold)
    heard = bool(changes.untold) and not any(line.untold for line in now.lines.values())
    if heard and await end_notice(connection, now.id, NoticeState.ACKNOWLEDGED):
        events = [OrderEvent("CANCELLATION_ACKNOWLEDGED")]
    else:
        events = []
    await recall_cancellation(connection, now, changes.recall)
    asked = await drop_units(connection, now, changes.drop, reason, who)
    await note_put_back(connection, now.id, named_no_more)
    await _add_units(connection, now, changes.add)
    await _add_lines(connection, now, changes.new, told, skus)
    data = {
        "cancelled": by_name(now, {line: units - asked.get(line, 0) for line, units in changes.drop.items()}),
        "askedOfWarehouse": by_name(now, asked),
        "added": by_name(now, changes.add)
        | {line.external_id: line.quantity for line in told if line.external_id in changes.new},
        "recalled": by_name(now, changes.recall),
    }
    told_of = {name: units for name, units in data.items() if units}
    return [*events, OrderEvent(_name(reason), data=told_of)] if told_of else events


async def drop_units(
    connection: Any, now: OrderNow, units: Mapping[int, int], reason: str, who: Provenance
) -> dict[int, int]:
    """Units nobody wants any more: backordered ones first, then promised ones; the rest a warehouse is asked for.

    Returns what was asked for, by line.
    """
    waiting = {number: min(count, now.lines[number].counts.backordered) for number, count in units.items()}
    await cancel_units(connection, now, waiting)
    promised = {number: count - waiting[number] for number, count in units.items()}
    released = await release_units(connection, now, promised, reason, who)
    await cancel_units(connection, now, released.units - released.cancelled)
    begun = {number: count - released.units[number] for number, count in promised.items()}
    return dict(await ask_cancellation(connection, now, {n: count for n, count in begun.items() if count}))


async def remember_cancelled(
    connection: Any, now: OrderNow, units: Mapping[int, int], reason: CancelReason = CancelReason.SELLER
) -> None:
    """Units were cancelled here: the channel will go on naming them until it hears of it, and it is to hear of it."""
    await ask_to_tell(connection, now.id, reason)
    await _write_untold(connection, now, {number: now.lines[number].untold + count for number, count in units.items()})


async def _write_untold(connection: Any, now: OrderNow, units: Mapping[int, int]) -> None:
    if units:
        await connection.execute(_UNTOLD, now.id, list(units), list(units.values()))
        for number, count in units.items():
            now.lines[number].untold = count


async def _add_units(connection: Any, now: OrderNow, units: Mapping[int, int]) -> None:
    if not units:
        return
    await connection.execute(_ADD, now.id, list(units), list(units.values()))
    for number, count in units.items():
        line = now.lines[number]
        line.counts = line.counts._replace(quantity=line.counts.quantity + count)


async def _add_lines(
    connection: Any, now: OrderNow, names: list[str], told: tuple[ChannelOrderLine, ...], skus: Mapping[str, int]
) -> None:
    fresh = [line for line in told if line.external_id in names]
    if not fresh:
        return
    first = max(now.lines, default=-1) + 1
    numbers = list(range(first, first + len(fresh)))
    ids = [skus.get(line.sku) if line.sku else None for line in fresh]
    await connection.execute(
        _NEW,
        now.id,
        numbers,
        [line.external_id for line in fresh],
        ids,
        [line.sku for line in fresh],
        [line.title for line in fresh],
        [line.quantity for line in fresh],
        [line.unit_price for line in fresh],
    )
    for number, line, sku_id in zip(numbers, fresh, ids, strict=True):
        now.add_line(number, line.external_id, sku_id, line.sku, line.title, line.quantity)


async def _find_problems(connection: Any, now: OrderNow, plan: OrderPlan, events: list[OrderEvent]) -> list[Problem]:
    """What people must know of: told once, however often the channel says it."""
    found = []
    known = orjson.loads(await connection.fetchval(_TOLD_LATE, now.id) or "null")
    late = by_name(now, await _leave_returned(connection, now, plan.lines.late))
    if late and late != known:
        events.append(OrderEvent("CANCEL_TOO_LATE", data=late))
        found.append(too_late(now.id, now.channel_id, now.label, late))
    elif known and not plan.lines.late and _is_wanted(now, plan):
        events.append(OrderEvent("WANTED_AFTER_ALL"))
        proof = {"wantedAfterAll": known, "seenAt": datetime.datetime.now(datetime.UTC)}
        await resolve_cases(connection, [CaseKind.CHANGE_REFUSED.value], {f"order:{now.id}": proof})
    if plan.revived:
        detail = "The channel wants units of it again: what was cancelled stays so. Let it be ordered anew."
        found.append(refused_change(now.id, now.channel_id, f"Order {now.label} was cancelled and is changed", detail))
    return found


def _is_wanted(now: OrderNow, plan: OrderPlan) -> bool:
    """Not cancelled and not refunded, by this word or before: then what was shipped is to stay where it went."""
    refunded = Payment.REFUNDED.value in (now.payment.value, plan.columns.get("payment"))
    return now.status is not OrderStatus.CANCELLED and not refunded


async def _leave_returned(connection: Any, now: OrderNow, late: Mapping[int, int]) -> dict[int, int]:
    """Units by line without those that are in returns of the order: of these everybody knows."""
    back = Counter((await count_sold(connection, now.id)).taken) if late else Counter()
    left = {}
    for number, units in late.items():
        sku_id = now.lines[number].sku_id
        known = 0 if sku_id is None else min(units, back[sku_id])
        left[number] = units - known
        if sku_id is not None:
            back[sku_id] -= known
    return left


def too_late(order_id: UUID, channel_id: int, label: str, units: Mapping[str, int]) -> Problem:
    """Cancelled or refunded when the goods were gone: expect them back, or ask for them."""
    listed = ", ".join(f"{name}: {count}" for name, count in units.items())
    detail = f"Units of its lines that were shipped before ({listed}): expect a return, or settle it with the buyer."
    return refused_change(order_id, channel_id, f"Order {label} was cancelled after it was shipped", detail)


def refused_change(order_id: UUID, channel_id: int, title: str, detail: str) -> Problem:
    subject = f"order:{order_id}"
    return Problem(CaseKind.CHANGE_REFUSED, Severity.MEDIUM, CauseClass.POLICY, subject, title, detail, channel_id)


def by_name(now: OrderNow, units: Mapping[int, int]) -> dict[str, int]:
    """Units by the channel's line ids."""
    return {now.lines[number].external_id: count for number, count in units.items() if count}


def _name(reason: str) -> str:
    return reason.removeprefix("ORDER_")
