"""What becomes of an order after it was placed: paid, edited, refunded, held, asked back, cancelled."""

from __future__ import annotations

from functools import partial

from adapters.sandbox.shopify.change_stock import change_level
from adapters.sandbox.shopify.place_order import OrderError
from adapters.sandbox.shopify.render_event import render_cancellation_request, render_edit, render_refund
from adapters.sandbox.shopify.render_order import render_order
from adapters.sandbox.shopify.state import (
    CANCELLATION_REQUESTED,
    ORDERS_CANCELLED,
    ORDERS_EDITED,
    ORDERS_PAID,
    ORDERS_UPDATED,
    REFUNDS_CREATE,
    Line,
    Order,
    State,
    now,
)

REASONS = ("CUSTOMER", "DECLINED", "FRAUD", "INVENTORY", "OTHER", "STAFF")
OPEN = ("OPEN", "IN_PROGRESS")


def announce(state: State, order: Order, *topics: str) -> None:
    """Each topic carries the order as it is now; `orders/updated` comes with all of them."""
    order.updated_at = now()
    state.touch()
    for topic in (*topics, ORDERS_UPDATED):
        state.emit(topic, lambda: render_order(state, order))


def pay_order(state: State, order: Order) -> None:
    """Raises OrderError 409 unless a payment is awaited."""
    if order.financial_status != "PENDING" or order.cancelled_at:
        raise OrderError(409, "NOT_PENDING", f"{order.name} awaits no payment")
    order.financial_status = "PAID"
    announce(state, order, ORDERS_PAID)


def cancel_order(state: State, order: Order, reason: str = "CUSTOMER") -> None:
    """Gives every unit back. Raises OrderError 409 when it was cancelled or anything of it was shipped."""
    if order.cancelled_at is not None:
        raise OrderError(409, "CANCELLED", f"{order.name} is cancelled already")
    if order.parcels:
        raise OrderError(409, "SHIPPED", f"{order.name} is on its way")
    refunded = [(line, line.current) for line in order.lines if line.current]
    for line, units in refunded:
        remove_units(state, order, line, units, restock=True)
    for part in order.parts:
        part.status = "CANCELLED"
    order.cancelled_at, order.cancel_reason = now(), reason
    paid = order.financial_status == "PAID"
    order.financial_status = "REFUNDED" if paid else "VOIDED"
    if paid:
        state.emit(REFUNDS_CREATE, lambda: render_refund(state, order, refunded, restock=True))
    announce(state, order, ORDERS_CANCELLED)


def edit_order(state: State, order: Order, quantities: dict[str, int]) -> None:
    """Lowers lines to these quantities. Raises OrderError with nothing changed."""
    _require_open(order)
    removals = [(_find_line(order, sku), quantity) for sku, quantity in quantities.items()]
    for line, quantity in removals:
        if not line.shipped <= quantity <= line.current:
            raise OrderError(409, "BAD_QUANTITY", f"{line.sku} can be lowered to {line.shipped}..{line.current}")
    edits = [(line, line.current - quantity) for line, quantity in removals if quantity < line.current]
    for line, units in edits:
        remove_units(state, order, line, units, restock=True)
    state.emit(ORDERS_EDITED, lambda: render_edit(state, order, edits))
    announce(state, order)


def refund_order(state: State, order: Order, quantities: dict[str, int], *, restock: bool) -> None:
    """Takes units back, shipped or not; `restock` puts them on sale again. Raises OrderError with nothing changed."""
    _require_open(order)
    refunded = [(_find_line(order, sku), quantity) for sku, quantity in quantities.items()]
    for line, units in refunded:
        if not 0 < units <= line.current:
            raise OrderError(409, "BAD_QUANTITY", f"{line.sku}: at most {line.current} can be refunded")
    for line, units in refunded:
        remove_units(state, order, line, units, restock=restock)
    whole = not any(line.current for line in order.lines)
    order.financial_status = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
    state.emit(REFUNDS_CREATE, lambda: render_refund(state, order, refunded, restock=restock))
    announce(state, order)


def hold_order(state: State, order: Order, *, held: bool) -> None:
    """Holds every open fulfilment order, or lets the held ones go. Raises OrderError 409."""
    _require_open(order)
    before, after = (OPEN, "ON_HOLD") if held else (("ON_HOLD",), "OPEN")
    for part in order.parts:
        if part.status in before:
            part.status, part.updated_at = after, now()
    announce(state, order)


def request_cancellation(state: State, order: Order) -> None:
    """The buyer wants it back; whoever ships it decides. Raises OrderError 409 when nothing is left to ship."""
    _require_open(order)
    parts = [part for part in order.parts if part.status in OPEN]
    if not parts:
        raise OrderError(409, "SHIPPED", f"nothing of {order.name} is left to cancel")
    for part in parts:
        part.request_status, part.updated_at = "CANCELLATION_REQUESTED", now()
        state.emit(CANCELLATION_REQUESTED, partial(render_cancellation_request, part))
    announce(state, order)


def remove_units(state: State, order: Order, line: Line, units: int, *, restock: bool) -> None:
    """Out of what is still to be shipped first; shipped units come back to the first location."""
    line.removed += units
    for part in order.parts:
        for share in part.shares:
            taken = min(units, share.remaining) if share.line == line.index else 0
            if taken:
                share.remaining -= taken
                share.total -= taken
                units -= taken
                _give_back(state, part.location, line, taken, committed=taken, restock=restock)
        if part.status in (*OPEN, "ON_HOLD") and not any(share.remaining for share in part.shares):
            part.status = "CLOSED"
    if units and restock:
        _give_back(state, next(iter(state.locations)), line, units, committed=0, restock=True)


def _give_back(state: State, location: int, line: Line, units: int, *, committed: int, restock: bool) -> None:
    level = state.levels.get((location, line.item))
    if level is not None and state.products[line.item].tracked:
        available = level.available + (units if restock else 0)
        change_level(state, level, available=available, committed=level.committed - committed, cause="restock")


def _require_open(order: Order) -> None:
    if order.cancelled_at is not None:
        raise OrderError(409, "CANCELLED", f"{order.name} is cancelled")


def _find_line(order: Order, sku: str) -> Line:
    for line in order.lines:
        if line.sku == sku:
            return line
    raise OrderError(404, "UNKNOWN_SKU", f"{order.name} has no {sku}")
