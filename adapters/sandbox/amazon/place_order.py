"""A buyer at the marketplace. It sells from its own number, not from Onhand's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.sandbox.amazon.change_stock import change_quantity
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.render_notification import render_order_change
from adapters.sandbox.amazon.state import ORDERS_MAX, Line, Order, now, shown_quantity, trim
from adapters.sandbox.read_body import OrderError

LINES_MAX = 100
QUANTITY_MAX = 100_000
TEXT_MAX = 255
PENDING_SECONDS_MAX = 86_400
EMAIL_DEFAULT = "buyer@marketplace.example"

# The buyer's words for an address, the same in every sandbox, and Amazon's.
ADDRESS_FIELDS = {
    "name": "name", "company": "companyName", "address1": "addressLine1", "address2": "addressLine2", "city": "city",
    "province": "stateOrRegion", "zip": "postalCode", "country_code": "countryCode", "phone": "phone",
}  # fmt: skip
ADDRESS_DEFAULT = {
    "name": "Sam Buyer",
    "addressLine1": "1 Sandbox Way",
    "city": "Seattle",
    "stateOrRegion": "WA",
    "postalCode": "98101",
    "countryCode": "US",
}


@dataclass(frozen=True, slots=True)
class Cart:
    """`force`: sold although the number is too low. `pending_seconds`: until it is paid; None: as configured.

    `replaces`: the order that it is sent instead of.
    """

    lines: dict[str, int]
    address: dict[str, Any]
    email: str
    force: bool = False
    pending_seconds: float | None = None
    replaces: str | None = None


def read_cart(raw: Any) -> Cart:
    """Reads the buyer's JSON. Raises OrderError 400; lines of one sku are added up."""
    if not isinstance(raw, dict) or not isinstance(raw.get("lines"), list):
        raise OrderError(400, "BAD_CART", 'send {"lines": [{"sku": "...", "quantity": 1}]}')
    if not 1 <= len(raw["lines"]) <= LINES_MAX:
        raise OrderError(400, "BAD_CART", f"an order has 1 to {LINES_MAX} lines")
    lines: dict[str, int] = {}
    for line in raw["lines"]:
        sku, quantity = _read_line(line)
        lines[sku] = lines.get(sku, 0) + quantity
    email, force, pending = raw.get("email"), raw.get("force", False), raw.get("pending_seconds")
    if not isinstance(force, bool):
        raise OrderError(400, "BAD_CART", "force is true or false")
    if pending is not None and not (isinstance(pending, int | float) and 0 <= pending <= PENDING_SECONDS_MAX):
        raise OrderError(400, "BAD_CART", f"pending_seconds is from 0 to {PENDING_SECONDS_MAX}")
    address = _read_address(raw.get("shipping_address"))
    replaces = None if raw.get("replaces") is None else str(raw["replaces"])
    return Cart(lines, address, email if isinstance(email, str) else EMAIL_DEFAULT, force, pending, replaces)


def _read_line(line: Any) -> tuple[str, int]:
    sku = line.get("sku") if isinstance(line, dict) else None
    quantity = line.get("quantity") if isinstance(line, dict) else None
    if not isinstance(sku, str) or not isinstance(quantity, int) or isinstance(quantity, bool):
        raise OrderError(400, "BAD_CART", "a line needs a sku and a whole quantity")
    if not 1 <= quantity <= QUANTITY_MAX:
        raise OrderError(400, "BAD_CART", f"quantity of {sku} must be from 1 to {QUANTITY_MAX}")
    return sku, quantity


def _read_address(raw: Any) -> dict[str, Any]:
    if raw is None:
        return dict(ADDRESS_DEFAULT)
    if not isinstance(raw, dict):
        raise OrderError(400, "BAD_CART", "shipping_address is an object")
    return {theirs: str(raw[ours])[:TEXT_MAX] for ours, theirs in ADDRESS_FIELDS.items() if raw.get(ours) is not None}


def place_order(market: Market, cart: Cart) -> Order:
    """Checks every line, then sells them all. Raises OrderError 404 or 409 with nothing sold."""
    state = market.state
    if cart.replaces is not None and cart.replaces not in state.orders:
        raise OrderError(404, "UNKNOWN_ORDER", "replaces is of no order here")
    for sku, quantity in cart.lines.items():
        listing = state.listings.get(sku)
        if listing is None or market.config.fulfillment_channel not in listing.effective:
            raise OrderError(404, "UNKNOWN_SKU", f"the merchant does not sell {sku} here")
        shown = shown_quantity(state, listing)
        if shown < quantity and not (state.oversell or cart.force):
            raise OrderError(409, "SOLD_OUT", f"{sku}: {quantity} asked, {shown} in stock")
    order = _record_order(market, cart)
    for line in order.lines:
        listing = state.listings[line.sku]
        left = max(0, shown_quantity(state, listing) - line.quantity)
        change_quantity(market, listing, market.config.fulfillment_channel, left, "order")
    if market.config.announces_new_orders:
        announce_order(market, order, "OrderStatusChange", "New order")
    return order


def _record_order(market: Market, cart: Cart) -> Order:
    state, at = market.state, now()
    number = state.next_index("Order")
    pending = market.config.pending_seconds if cart.pending_seconds is None else cart.pending_seconds
    order = Order(
        order_id=f"902-{number // 10**7:07d}-{number % 10**7:07d}",
        status="PENDING" if pending else "UNSHIPPED",
        lines=[_write_line(market, sku, quantity) for sku, quantity in cart.lines.items()],
        address=cart.address,
        email=cart.email,
        created_at=at,
        updated_at=at,
        ship_by=at + market.config.ship_within_seconds,
        replaces=cart.replaces,
    )
    state.orders[order.order_id] = order
    trim(state.orders, ORDERS_MAX)
    state.touch()
    if pending:
        market.schedule(pending, "release", {"order_id": order.order_id})
    return order


def _write_line(market: Market, sku: str, quantity: int) -> Line:
    listing = market.state.listings[sku]
    item_id = f"{70_000_000_000_000 + market.state.next_index('Line')}"
    return Line(item_id, sku, listing.title, listing.asin, listing.price, quantity)


def touch_order(market: Market, order: Order) -> None:
    """It changed: it moves to the end of every search by lastUpdated."""
    order.updated_at = max(now(), order.updated_at + 0.001)
    market.state.touch()


def announce_order(market: Market, order: Order, change: str, reason: str) -> None:
    market.publish(render_order_change(market.config, order, change, reason))


def release_order(market: Market, order_id: str) -> None:
    """It is paid: from now on it may be shipped, and shows its address."""
    order = market.state.orders.get(order_id)
    if order is None or order.status != "PENDING":
        return
    order.status = "UNSHIPPED"
    touch_order(market, order)
    announce_order(market, order, "OrderStatusChange", "Payment verified")


def request_cancel(market: Market, order: Order, reason: str) -> None:
    """The buyer asks; the seller has not answered."""
    order.cancel_reason = reason
    touch_order(market, order)
    announce_order(market, order, "BuyerRequestedChange", "Buyer Requested Cancel")


def cancel_order(market: Market, order: Order, by: str, reason: str) -> None:
    """It is cancelled, and what was not shipped is for sale again."""
    order.status, order.cancelled_by, order.cancel_reason = "CANCELLED", by, reason
    for line in order.lines:
        listing = market.state.listings.get(line.sku)
        if listing is not None and line.quantity > line.shipped:
            units = line.quantity - line.shipped
            back = shown_quantity(market.state, listing) + units
            code = market.config.fulfillment_channel
            change_quantity(market, listing, code, back, "cancel", order=order.order_id, removed=units)
    touch_order(market, order)
    announce_order(market, order, "OrderStatusChange", "Cancelled")
