"""A buyer on the marketplace. It sells from its own number, not from Onhand's."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from adapters.sandbox.ebay.change_stock import change_quantity
from adapters.sandbox.ebay.state import ORDERS_MAX, Line, Order, State, now, shown_quantity, trim
from adapters.sandbox.read_body import OrderError

LINES_MAX = 100
QUANTITY_MAX = 100_000
ORDER_CONFIRMATION = "ORDER_CONFIRMATION"

ADDRESS_FIELDS = (
    "name", "first_name", "last_name", "address1", "address2", "city", "province_code", "province", "zip",
    "country_code", "phone",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cart:
    """`force`: sold although the own number is too low. `paid`: False leaves the payment pending."""

    lines: dict[str, int]
    address: dict[str, Any]
    email: str | None
    force: bool = False
    paid: bool = True
    sku_hidden: bool = False


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
    switches = {name: raw.get(name, default) for name, default in (("force", False), ("paid", True))}
    switches["sku_hidden"] = raw.get("sku_hidden", False)
    if not all(isinstance(value, bool) for value in switches.values()):
        raise OrderError(400, "BAD_CART", "force, paid and sku_hidden are true or false")
    email = raw.get("email")
    address = _read_address(raw.get("shipping_address"))
    return Cart(lines, address, email if isinstance(email, str) else None, **switches)


def _read_line(line: Any) -> tuple[str, int]:
    sku = line.get("sku") if isinstance(line, dict) else None
    quantity = line.get("quantity") if isinstance(line, dict) else None
    if not isinstance(sku, str) or not isinstance(quantity, int) or isinstance(quantity, bool):
        raise OrderError(400, "BAD_CART", "a line needs a sku and a whole quantity")
    if not 1 <= quantity <= QUANTITY_MAX:
        raise OrderError(400, "BAD_CART", f"quantity of {sku} must be from 1 to {QUANTITY_MAX}")
    return sku, quantity


def _read_address(raw: Any) -> dict[str, Any]:
    """The vendor always has an address: one is made up for a buyer who gave none."""
    if raw is not None and not isinstance(raw, dict):
        raise OrderError(400, "BAD_CART", "shipping_address is an object")
    given = {name: str(value)[:255] for name, value in (raw or {}).items() if name in ADDRESS_FIELDS and value}
    name = given.get("name") or f"{given.get('first_name', '')} {given.get('last_name', '')}".strip()
    country = given.get("country_code", "US").upper()
    if len(country) != 2 or not country.isalpha():
        raise OrderError(400, "BAD_CART", "country_code has two letters")
    made_up = {"address1": "1 Sandbox Street", "city": "San Jose"}
    return {**made_up, **given, "name": name or "Sandbox Buyer", "country_code": country}


def place_order(state: State, cart: Cart) -> Order:
    """Checks every line, then sells them all. Raises OrderError 404 or 409 with nothing sold."""
    for sku, quantity in cart.lines.items():
        if sku not in state.items:
            raise OrderError(404, "UNKNOWN_SKU", f"{sku} is not listed")
        shown = shown_quantity(state, sku)
        if shown < quantity and not (state.oversell or cart.force):
            raise OrderError(409, "SOLD_OUT", f"{sku}: {quantity} asked, {shown} in stock")
    order = _record_order(state, cart)
    for sku, quantity in cart.lines.items():
        _take_stock(state, sku, quantity)
    if order.paid:
        confirm_order(state, order)
    return order


def _record_order(state: State, cart: Cart) -> Order:
    index = state.next_index("Order")
    lines = [_write_line(state, sku, quantity) for sku, quantity in cart.lines.items()]
    total = sum((Decimal(line.price) * line.quantity for line in lines), Decimal(0))
    at = now()
    order_id = f"14-{10_000 + index // 100_000:05d}-{index % 100_000:05d}"
    order = Order(
        index, order_id, lines, cart.address, cart.email, f"{total:.2f}", at, at, cart.paid, cart.sku_hidden
    )  # fmt: skip
    state.orders[order_id] = order
    trim(state.orders, ORDERS_MAX)
    state.touch()
    return order


def _write_line(state: State, sku: str, quantity: int) -> Line:
    item, offer = state.items[sku], state.offers_by_sku[sku][0]
    line_item_id = str(10_000_000_000_000 + state.next_index("LineItem"))
    return Line(line_item_id, sku, offer.listing_id, item.title, item.price, quantity)


def _take_stock(state: State, sku: str, quantity: int) -> None:
    """What was oversold is not kept: the vendor's number stops at zero."""
    offer = state.offers_by_sku[sku][0]
    offer.sold += quantity
    total = max(0, state.items[sku].quantity - quantity)
    change_quantity(
        state, sku, total=total, offers={offer.offer_id: max(0, offer.available - quantity)}, cause="order"
    )  # fmt: skip


def confirm_order(state: State, order: Order) -> None:
    """One event for each line, as the vendor sends them; a failed payment that succeeds later repeats them."""
    for line in order.lines:
        state.emit(ORDER_CONFIRMATION, {
            "user": {"userId": f"u-{state.config.seller}", "username": state.config.seller},
            "order": {
                "orderId": order.order_id,
                "orderLineItems": [{
                    "orderLineItemId": line.line_item_id, "listingId": line.listing_id, "quantity": line.quantity,
                }],
            },
        })  # fmt: skip
