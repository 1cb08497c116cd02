"""fulfillmentCreate: what was shipped of one order from one location, all of it or nothing.

Refusals, in this order: no parts, an unknown part, several orders or locations, a part that is not open, lines it does
not have or not so many of. There is no idempotency: told twice, it ships twice, as long as units are left.
"""

from __future__ import annotations

from typing import Any

from adapters.sandbox.shopify.change_order import OPEN, announce, cancel_order
from adapters.sandbox.shopify.change_stock import change_level
from adapters.sandbox.shopify.context import Info
from adapters.sandbox.shopify.ids import read_gid
from adapters.sandbox.shopify.inject_faults import FaultKind
from adapters.sandbox.shopify.render_event import render_parcel
from adapters.sandbox.shopify.route_order import PARTS_MAX, find_part
from adapters.sandbox.shopify.state import (
    FULFILLMENTS_CREATE,
    ORDERS_FULFILLED,
    ORDERS_PARTIALLY_FULFILLED,
    Order,
    Parcel,
    ParcelLine,
    Part,
    Share,
    State,
    now,
)

LINES_MAX = 512
PARCELS_MAX = PARTS_MAX - 1

Picked = list[tuple[Part, Share, int]]


class ParcelError(Exception):
    """Why the parcel is not taken; `field` is where in the input."""

    def __init__(self, message: str, *field: str) -> None:
        super().__init__(message)
        self.field = ["fulfillment", *field]


def create_fulfillment(
    source: Any, info: Info, *, fulfillment: dict[str, Any], message: str | None = None
) -> dict[str, Any]:
    """Resolver of Mutation.fulfillmentCreate."""
    context = info.context
    try:
        parts = _read_parts(context.state, fulfillment["lineItemsByFulfillmentOrder"])
        order = context.state.orders[parts[0][0].order]
        if context.faults.strike(FaultKind.CANCEL_RACE) and not order.parcels and order.cancelled_at is None:
            cancel_order(context.state, order)
        if len(order.parcels) >= PARCELS_MAX:
            raise ParcelError(f"The sandbox store keeps {PARCELS_MAX} fulfillments of an order.")
        picked = _pick(parts)
    except ParcelError as error:
        return {"fulfillment": None, "userErrors": [{"field": error.field, "message": str(error)}]}
    parcel = _ship(context.state, order, picked, fulfillment.get("trackingInfo") or {})
    if context.faults.strike(FaultKind.ERROR_AFTER_WRITE):
        return {"fulfillment": None, "userErrors": [{"field": None, "message": "Something went wrong."}]}
    return {"fulfillment": parcel, "userErrors": []}


def _read_parts(state: State, wanted: list[dict[str, Any]]) -> list[tuple[Part, list[dict[str, Any]] | None]]:
    """Each part with the lines asked of it; None for all of them."""
    found = []
    for place, entry in enumerate(wanted):
        part = find_part(state, read_gid("FulfillmentOrder", entry["fulfillmentOrderId"]) or 0, now())
        if part is None:
            field = ("lineItemsByFulfillmentOrder", str(place), "fulfillmentOrderId")
            raise ParcelError("Fulfillment order does not exist.", *field)
        found.append((part, entry.get("fulfillmentOrderLineItems")))
    if not found:
        raise ParcelError("There must be at least one fulfillment order.", "lineItemsByFulfillmentOrder")
    if len({(part.order, part.location) for part, _ in found}) > 1:
        raise ParcelError("All fulfillment orders must be of the same order and location.")
    return found


def _pick(parts: list[tuple[Part, list[dict[str, Any]] | None]]) -> Picked:
    picked: Picked = []
    for place, (part, lines) in enumerate(parts):
        field = ("lineItemsByFulfillmentOrder", str(place))
        if part.status not in OPEN:
            raise ParcelError(f"Fulfillment order is {part.status.lower()} and can't be fulfilled.", *field)
        if lines is not None and len(lines) > LINES_MAX:
            raise ParcelError(f"At most {LINES_MAX} line items can be fulfilled at once.", *field)
        known = {share.index: share for share in part.shares}
        if lines is None:
            picked += [(part, share, share.remaining) for share in part.shares if share.remaining]
            continue
        for entry in lines:
            share = known.pop(read_gid("FulfillmentOrderLineItem", entry["id"]) or 0, None)
            if share is None or not 0 < entry["quantity"] <= share.remaining:
                raise ParcelError("Invalid fulfillment order line item quantity requested.", *field)
            picked.append((part, share, entry["quantity"]))
    if not picked:
        raise ParcelError("There is nothing to fulfill.", "lineItemsByFulfillmentOrder")
    return picked


def _ship(state: State, order: Order, picked: Picked, tracking: dict[str, Any]) -> Parcel:
    part = picked[0][0]
    lines = []
    for owner, share, units in picked:
        share.remaining -= units
        line = order.find_line(share.line)
        line.shipped += units
        lines.append(ParcelLine(state.next_index("FulfillmentLineItem"), line.index, units))
        level = state.levels.get((owner.location, line.item))
        if level is not None and state.products[line.item].tracked:
            committed = level.committed - units
            change_level(state, level, available=level.available, committed=committed, cause="shipped")
        owner.status = "IN_PROGRESS" if any(one.remaining for one in owner.shares) else "CLOSED"
        owner.updated_at = now()
    number = tracking.get("number") or next(iter(tracking.get("numbers") or []), None)
    place = len(order.parcels) + 1
    index = order.index * PARTS_MAX + place
    parcel = Parcel(index, order.index, place, part.location, tracking.get("company"), number, lines, now())
    order.parcels.append(parcel)
    state.emit(FULFILLMENTS_CREATE, lambda: render_parcel(state, order, parcel))
    whole = order.fulfillment_status == "FULFILLED"
    announce(state, order, ORDERS_FULFILLED if whole else ORDERS_PARTIALLY_FULFILLED)
    return parcel


def find_parcel(state: State, gid: str) -> Parcel | None:
    index = read_gid("Fulfillment", gid) or 0
    order = state.orders.get(index // PARTS_MAX)
    return next((parcel for parcel in order.parcels if parcel.index == index), None) if order else None
