"""The partner's people: they take orders on, pack what is there, and hear of cancellations when it suits them."""

from __future__ import annotations

from adapters.sandbox.threepl.config import Defect
from adapters.sandbox.threepl.inject_faults import FaultKind
from adapters.sandbox.threepl.state import ENDS, Item, Order, State, write_time

CARRIER = "dhl_express"
CANCELLED, REJECTED = "Cancelled", "Rejected"


def work_off(state: State) -> None:
    """Do what is due by now, the oldest order first."""
    now = state.now()
    for order in state.orders.values():
        if order.status is None and now >= order.created_at + state.config.accept_seconds:
            take_on(state, order)
        if order.status == "Processing" and now >= order.created_at + state.config.ship_seconds:
            finish(state, order)


def take_on(state: State, order: Order) -> None:
    unknown = [item.sku for item in order.items if item.sku not in state.on_hand]
    if unknown and not state.has(Defect.SHIPS_WHAT_IS_NOT_THERE):
        end(state, order, REJECTED, f"no such SKU: {', '.join(unknown)}")
    elif state.faults.strike(FaultKind.REJECT):
        end(state, order, REJECTED, "no capacity")
    elif order.cancel_asked:
        end(state, order, CANCELLED, "cancelled on request")
    else:
        change(state, order, "Processing")


def finish(state: State, order: Order) -> None:
    if order.cancel_asked and not state.has(Defect.CANCELS_AND_SHIPS):
        end(state, order, CANCELLED, "cancelled on request")
    elif not state.has(Defect.NEVER_SHIPS):
        ship(state, order)


def ship(state: State, order: Order) -> None:
    """What is there leaves; the rest is refused, and told so."""
    short = 1 if state.faults.strike(FaultKind.SHORT_SHIP) else 0
    state.before = dict(state.on_hand)
    packed = []
    for item in order.items:
        there = state.on_hand.get(item.sku, item.quantity if state.has(Defect.SHIPS_WHAT_IS_NOT_THERE) else 0)
        units = max(0, min(item.quantity, there) - short)
        if units and state.has(Defect.SHIPS_TOO_MUCH):
            units += 1
        if not state.has(Defect.SNAPSHOT_FORGETS) and item.sku in state.on_hand:
            state.on_hand[item.sku] -= min(units, there)
        item.shipped += units
        if units:
            packed.append((item, units))
    if not packed:
        end(state, order, REJECTED, "out of stock")
        return
    split = state.faults.strike(FaultKind.SPLIT_SHIP)
    for parcel in [[one] for one in packed] if split else [packed]:
        order.shipments.append(_render_parcel(state, order, parcel))
    _refuse_rest(state, order)
    if state.has(Defect.CANCELS_AND_SHIPS) and order.cancel_asked:
        lines = [_line(item, item.quantity) for item in order.items]
        order.refusals.append({"status": CANCELLED, "reason": "cancelled on request", "line_items": lines})
    change(state, order, "Shipped")


def end(state: State, order: Order, status: str, reason: str) -> None:
    lines = [_line(item, item.quantity - item.shipped) for item in order.items]
    for item in order.items:
        item.refused = item.quantity - item.shipped
    order.refusals.append({"status": status, "reason": reason, "line_items": lines})
    order.reason = reason
    change(state, order, status)


def cancel(state: State, order: Order) -> None:
    """Heard. Whether it stops anything shows later."""
    if state.faults.strike(FaultKind.CANCEL_RACE) and order.status not in ENDS:
        order.status = order.status or "Processing"
        ship(state, order)
    order.cancel_asked = True
    if state.has(Defect.UNSHIPS) and order.status == "Shipped":
        change(state, order, CANCELLED)


def change(state: State, order: Order, status: str) -> None:
    """The next state, with a time that nothing else of this order has."""
    late = state.faults.strike(FaultKind.LATE_EVENT)
    order.status = status
    order.changed_at = max(state.now(), order.changed_at + 0.001)
    order.shown_at = state.now() + (late.seconds if late else 0.0)


def _refuse_rest(state: State, order: Order) -> None:
    missing = [item for item in order.items if item.quantity > item.shipped]
    for item in missing:
        item.refused = item.quantity - item.shipped
    if missing and not state.has(Defect.HIDES_SHORTAGE):
        lines = [_line(item, item.refused) for item in missing]
        order.refusals.append({"status": CANCELLED, "reason": "out of stock", "line_items": lines})


def _render_parcel(state: State, order: Order, packed: list[tuple[Item, int]]) -> dict[str, object]:
    state.parcels += 1
    parcel: dict[str, object] = {
        "notification_id": f"N-{state.parcels:06d}",
        "order_id": order.external_id,
        "carrier_code": CARRIER,
        "tracking_number": f"SBX{state.parcels:010d}",
        "ship_date": write_time(state.now()),
        "items": [{"description": item.description, **_line(item, units)} for item, units in packed],
    }
    if state.has(Defect.SHIPS_WITHOUT_TRACKING):
        del parcel["tracking_number"], parcel["carrier_code"]
    return parcel


def _line(item: Item, units: int) -> dict[str, object]:
    known = {"line_item_id": item.line_id} if item.line_id else {}
    return {**known, "sku": item.sku, "quantity": units}
