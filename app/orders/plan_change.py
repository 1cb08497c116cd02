"""What a channel's word of a known order changes: decided without writing, so that most words cost a few reads.

A word of an older version than was heard changes nothing. One of the same version, or of none, is compared by content.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.channels.base import ChannelOrder
from app.orders.keep_contact import Contact, read_contact, write_destination
from app.orders.lock_order import OrderNow
from app.orders.note_elsewhere import count_begun, count_elsewhere
from app.orders.tell_address import ADDRESS, is_moved
from app.orders.write_order import CANCEL_ASKED
from app.orders.write_state import OrderEvent
from domain.order_change import LineChanges, compare_lines
from domain.orders import PAYMENTS, OrderStatus, Payment

_COORDINATES = ("latitude", "longitude")
_ENDED = (OrderStatus.SHIPPED, OrderStatus.CANCELLED)


@dataclass(slots=True)
class OrderPlan:
    """`columns`: of the order's row. `contact`: the new one, None when it stays. `moved`: labels would say another.

    `elsewhere`: units by line that somebody else shipped; `begun`: that a warehouse is at work on all the same.
    `revived`: units are wanted of an order that was cancelled, which stays so.
    """

    lines: LineChanges = field(default_factory=LineChanges)
    columns: dict[str, Any] = field(default_factory=dict)
    contact: Contact | None = None
    moved: bool = False
    events: list[OrderEvent] = field(default_factory=list)
    elsewhere: dict[int, int] = field(default_factory=dict)
    begun: dict[int, int] = field(default_factory=dict)
    revived: bool = False

    @property
    def empty(self) -> bool:
        changed = self.lines.late or self.columns or self.contact or self.elsewhere or self.begun or self.revived
        return self.lines.empty and not changed


def is_late(now: OrderNow, order: ChannelOrder) -> bool:
    """Whether a newer word of the order was heard."""
    known = now.row["channel_version"]
    return order.version is not None and known is not None and order.version < known


def plan_change(
    now: OrderNow, kept: Contact | None, erased: bool, order: ChannelOrder, at: datetime.datetime
) -> OrderPlan:
    """`kept`: the contact on record; `erased`: it is gone for good. `at`: now."""
    plan = OrderPlan()
    if is_late(now, order):
        return plan
    wanted, left = _count_claims(now, order)
    if order.version is not None and order.version != now.row["channel_version"]:
        plan.columns["channel_version"] = order.version
    if now.status is OrderStatus.CANCELLED:
        told = compare_lines(now.known_lines(), wanted)
        plan.lines.untold = told.untold
        plan.revived = bool(told.add or told.new) and bool(plan.columns)
        if order.refunded:
            _plan_payment(plan, now, order)
        return plan
    plan.lines = compare_lines(now.known_lines(), wanted, left)
    if not order.cancelled and not is_refunded(now, order):
        gone = count_gone(order)
        plan.elsewhere = count_elsewhere(now, gone)
        plan.begun = count_begun(now, gone, plan.elsewhere)
    _plan_payment(plan, now, order)
    _plan_request(plan, now, order, at)
    _plan_promise(plan, now, order)
    if now.status not in _ENDED and not erased and not order.cancelled and not is_refunded(now, order):
        _plan_address(plan, now, kept or {}, order)
    return plan


def is_refunded(now: OrderNow, order: ChannelOrder) -> bool:
    """Whether the buyer has all the money back: what is not shipped yet is wanted no more, now or later."""
    return order.refunded or now.payment is Payment.REFUNDED


def _count_claims(now: OrderNow, order: ChannelOrder) -> tuple[dict[str, int], dict[str, int]]:
    """Units wanted in all, and those still to be shipped, by line. Of a refunded order: what was shipped, no more."""
    if order.cancelled:
        return {}, {}
    if is_refunded(now, order):
        return {line.external_id: line.counts.shipped for line in now.lines.values()}, {}
    return count_wanted(order), count_unshipped(order)


def count_wanted(order: ChannelOrder) -> dict[str, int]:
    """Units by the channel's line id; a line named twice is one."""
    wanted: Counter[str] = Counter()
    for line in order.lines:
        wanted[line.external_id] += line.quantity
    return dict(wanted)


def count_unshipped(order: ChannelOrder) -> dict[str, int]:
    """Units that are still to be shipped, of the lines of which the channel says so."""
    return {line.external_id: line.unshipped for line in order.lines if line.unshipped is not None}


def count_gone(order: ChannelOrder) -> dict[str, int]:
    """Units that have left, by the channel's line id."""
    gone: Counter[str] = Counter()
    for line in order.lines:
        gone[line.external_id] += line.shipped
    return dict(gone)


def read_payment(order: ChannelOrder) -> Payment:
    if order.refunded:
        return Payment.REFUNDED
    return Payment.PENDING if order.pending else Payment.PAID


def _plan_payment(plan: OrderPlan, now: OrderNow, order: ChannelOrder) -> None:
    """A late word of an unpaid order does not undo its payment, nor any word a refund of it."""
    told = read_payment(order)
    if told is not now.payment and told in PAYMENTS[now.payment]:
        plan.columns["payment"] = told.value
        plan.events.append(OrderEvent(told.value))


def _plan_request(plan: OrderPlan, now: OrderNow, order: ChannelOrder, at: datetime.datetime) -> None:
    """A buyer who asks to cancel holds the order until the channel says what came of it."""
    asked, held = now.row["cancel_requested_at"] is not None, now.row["hold_reason"] == CANCEL_ASKED
    if order.cancel_requested and not asked and not order.cancelled:
        plan.columns["cancel_requested_at"] = at
        if now.row["hold_reason"] is None:
            plan.columns["hold_reason"] = CANCEL_ASKED
        plan.events.append(OrderEvent("CANCEL_REQUESTED"))
    elif asked and (order.cancel_requested is False or order.cancelled):
        plan.columns |= {"cancel_requested_at": None} | ({"hold_reason": None} if held else {})
        plan.events.append(OrderEvent("CANCEL_REQUEST_ENDED"))


def _plan_promise(plan: OrderPlan, now: OrderNow, order: ChannelOrder) -> None:
    """A date that was agreed on here stays until the channel says another one than it said before."""
    told: dict[str, Any] = {"name": order.name, "total": order.total, "currency": order.currency}
    changed = {name: value for name, value in told.items() if value is not None and value != now.row[name]}
    for name, date in (("ship_by", order.ship_by), ("deliver_by", order.deliver_by)):
        known = now.row[f"told_{name}"]
        if date is not None and date != (now.row[name] if known is None else known):
            changed |= {name: date, f"told_{name}": None}
    plan.columns |= changed
    if "ship_by" in changed:
        plan.events.append(OrderEvent("SHIP_BY_CHANGED", data={"shipBy": changed["ship_by"].isoformat()}))


def _plan_address(plan: OrderPlan, now: OrderNow, kept: Contact, order: ChannelOrder) -> None:
    """Somebody who is told of by e-mail alone keeps the address that is known."""
    told = read_contact(order)
    left = kept if order.address is None else {name: kept[name] for name in kept if name not in ADDRESS}
    merged = {**left, **told}
    if told and merged != kept:
        plan.contact, plan.moved = merged, is_moved(kept, merged)
        plan.events.append(OrderEvent("ADDRESS_CHANGED"))
    destination = _merge_destination(orjson.loads(now.row["destination"] or "{}"), write_destination(order))
    if destination is not None:
        plan.columns["destination"] = orjson.dumps(destination).decode()


def _merge_destination(known: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any] | None:
    """None when it stays. Coordinates are kept while the place is the same: not every word of a channel has them."""
    if not told or (set(told) == {"country"} and told["country"] == known.get("country")):
        return None
    place = {name: value for name, value in told.items() if name not in _COORDINATES}
    same = place == {name: value for name, value in known.items() if name not in _COORDINATES}
    coordinates = {name: told.get(name, known.get(name) if same else None) for name in _COORDINATES}
    merged = {**place, **{name: value for name, value in coordinates.items() if value is not None}}
    return None if merged == dict(known) else merged
