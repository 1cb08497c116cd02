"""What becomes of an order after it was placed: paid, edited, refunded, held, asked back, cancelled."""

from __future__ import annotations

from functools import partial

from adapters.sandbox.read_body import OrderError
from adapters.sandbox.shopify.record_refund import REFUNDS_MAX, add_up, put_back, record_refund
from adapters.sandbox.shopify.refunds import RefundLine
from adapters.sandbox.shopify.render_event import render_cancellation_request, render_edit
from adapters.sandbox.shopify.render_order import render_order
from adapters.sandbox.shopify.state import (
    CANCELLATION_REQUESTED,
    ORDERS_CANCELLED,
    ORDERS_EDITED,
    ORDERS_PAID,
    ORDERS_UPDATED,
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


def cancel_order(
    state: State, order: Order, reason: str = "CUSTOMER", *, refund: bool = True, restock: bool = True
) -> None:
    """`restock`: every unit is on sale again. Raises OrderError 409 when it was cancelled, or shipped in part."""
    if order.cancelled_at is not None:
        raise OrderError(409, "CANCELLED", f"{order.name} is cancelled already")
    if order.parcels:
        raise OrderError(409, "SHIPPED", f"{order.name} is on its way")
    refunded = [(line, line.current) for line in order.lines if line.current]
    lines = [RefundLine(line.index, units, "cancel" if restock else "no_restock") for line, units in refunded]
    for line, units in refunded:
        remove_units(state, order, line, units, restock=restock)
    for part in order.parts:
        part.status = "CANCELLED"
    order.cancelled_at, order.cancel_reason = now(), reason
    paid = order.financial_status == "PAID"
    if not paid:
        order.financial_status = "VOIDED"
    elif refund:
        record_refund(state, order, lines, add_up(order, lines))
    announce(state, order, ORDERS_CANCELLED)


def edit_order(state: State, order: Order, quantities: dict[str, int]) -> None:
    """Lowers lines, by SKU, to these quantities. Raises OrderError with nothing changed."""
    lower_lines(state, order, [(_find_line(order, sku), quantity) for sku, quantity in quantities.items()])


def lower_lines(state: State, order: Order, removals: list[tuple[Line, int]], *, restock: bool = True) -> None:
    """To these quantities; `restock`: what goes is on sale again. Raises OrderError with nothing changed."""
    require_open(order)
    for line, quantity in removals:
        if not line.kept <= quantity <= line.current:
            raise OrderError(409, "BAD_QUANTITY", f"{line.sku} can be lowered to {line.kept}..{line.current}")
    edits = [(line, line.current - quantity) for line, quantity in removals if quantity < line.current]
    for line, units in edits:
        remove_units(state, order, line, units, restock=restock)
    state.emit(ORDERS_EDITED, lambda: render_edit(state, order, edits))
    announce(state, order)


def refund_order(state: State, order: Order, quantities: dict[str, int], *, restock: bool) -> None:
    """Takes units back, shipped or not; `restock` puts them on sale again. Raises OrderError with nothing changed."""
    require_open(order)
    refunded = [(_find_line(order, sku), quantity) for sku, quantity in quantities.items()]
    for line, units in refunded:
        if not 0 < units <= line.current:
            raise OrderError(409, "BAD_QUANTITY", f"{line.sku}: at most {line.current} can be refunded")
    if len(order.refunds) >= REFUNDS_MAX:
        raise OrderError(409, "TOO_MANY", f"the sandbox store keeps {REFUNDS_MAX} refunds of an order")
    lines = [part for line, units in refunded for part in _split(line, units, restock=restock)]
    for line, units in refunded:
        remove_units(state, order, line, units, restock=restock)
    record_refund(state, order, lines, add_up(order, lines))
    announce(state, order)


def _split(line: Line, units: int, *, restock: bool) -> list[RefundLine]:
    """Units that were never shipped are cancelled, shipped ones returned; what is not restocked is either."""
    cancelled = min(units, line.unshipped)
    kinds = [("cancel", cancelled), ("return", units - cancelled)] if restock else [("no_restock", units)]
    return [RefundLine(line.index, count, kind) for kind, count in kinds if count]


def hold_order(state: State, order: Order, *, held: bool) -> None:
    """Holds every open fulfilment order, or lets the held ones go. Raises OrderError 409."""
    require_open(order)
    before, after = (OPEN, "ON_HOLD") if held else (("ON_HOLD",), "OPEN")
    for part in order.parts:
        if part.status in before:
            part.status, part.updated_at = after, now()
    announce(state, order)


def request_cancellation(state: State, order: Order) -> None:
    """The buyer wants it back; whoever ships it decides. Raises OrderError 409 when nothing is left to ship."""
    require_open(order)
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
                put_back(state, order, part.location, line, taken, committed=taken, restock=restock)
        if part.status in (*OPEN, "ON_HOLD") and not any(share.remaining for share in part.shares):
            part.status = "CLOSED"
    line.returned += min(units, line.shipped - line.returned)
    if units and restock:
        put_back(state, order, next(iter(state.locations)), line, units, committed=0, restock=True)


def require_open(order: Order) -> None:
    if order.cancelled_at is not None:
        raise OrderError(409, "CANCELLED", f"{order.name} is cancelled")


def _find_line(order: Order, sku: str) -> Line:
    for line in order.lines:
        if line.sku == sku:
            return line
    raise OrderError(404, "UNKNOWN_SKU", f"{order.name} has no {sku}")
