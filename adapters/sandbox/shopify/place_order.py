"""A buyer at the store. The store sells from its own number, not from Onhand's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from adapters.sandbox.read_body import OrderError
from adapters.sandbox.shopify.change_stock import change_level
from adapters.sandbox.shopify.render_order import render_order
from adapters.sandbox.shopify.route_order import Taken, route_order
from adapters.sandbox.shopify.state import (
    ORDERS_CREATE,
    ORDERS_MAX,
    Level,
    Line,
    Order,
    State,
    now,
    shown_quantity,
    trim,
)

LINES_MAX = 100
QUANTITY_MAX = 100_000
FIRST_NUMBER = 1000

ADDRESS_FIELDS = (
    "first_name", "last_name", "name", "company", "address1", "address2", "city", "province",
    "province_code", "zip", "country", "country_code", "phone",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cart:
    lines: dict[str, int]
    address: dict[str, Any] | None
    email: str | None
    # Sold although the store's own number is too low, as when two shops share one cached number.
    force: bool = False
    # Not paid yet: it must not be shipped.
    pending: bool = False
    # Seconds since the epoch.
    fulfill_by: float | None = None


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
    email, force, pending = raw.get("email"), raw.get("force", False), raw.get("pending", False)
    if not isinstance(force, bool) or not isinstance(pending, bool):
        raise OrderError(400, "BAD_CART", "force and pending are true or false")
    address = _read_address(raw.get("shipping_address"))
    email = email if isinstance(email, str) else None
    return Cart(lines, address, email, force, pending, _read_end(raw.get("fulfill_by")))


def _read_end(raw: Any) -> float | None:
    if raw is None:
        return None
    try:
        at = datetime.fromisoformat(raw)
    except (TypeError, ValueError):
        raise OrderError(400, "BAD_CART", "fulfill_by is a time in ISO 8601") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _read_line(line: Any) -> tuple[str, int]:
    sku = line.get("sku") if isinstance(line, dict) else None
    quantity = line.get("quantity") if isinstance(line, dict) else None
    if not isinstance(sku, str) or not isinstance(quantity, int) or isinstance(quantity, bool):
        raise OrderError(400, "BAD_CART", "a line needs a sku and a whole quantity")
    if not 1 <= quantity <= QUANTITY_MAX:
        raise OrderError(400, "BAD_CART", f"quantity of {sku} must be from 1 to {QUANTITY_MAX}")
    return sku, quantity


def _read_address(raw: Any) -> dict[str, Any] | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise OrderError(400, "BAD_CART", "shipping_address is an object")
    address: dict[str, Any] = {
        name: str(raw[name])[:255] if raw.get(name) is not None else None for name in ADDRESS_FIELDS
    }
    for name in ("latitude", "longitude"):
        value = raw.get(name)
        if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
            raise OrderError(400, "BAD_CART", f"{name} is a number or null")
        address[name] = value
    if address["name"] is None:
        address["name"] = f"{address['first_name'] or ''} {address['last_name'] or ''}".strip() or None
    return address


def place_order(state: State, cart: Cart) -> Order:
    """Checks every line, then sells them all. Raises OrderError 404 or 409 with nothing sold."""
    for sku, quantity in cart.lines.items():
        item = state.item_by_sku.get(sku)
        if item is None:
            raise OrderError(404, "UNKNOWN_SKU", f"the store does not sell {sku}")
        shown = shown_quantity(state, item)
        if shown < quantity and state.products[item].tracked and not (state.oversell or cart.force):
            raise OrderError(409, "SOLD_OUT", f"{sku}: {quantity} asked, {shown} in stock")
    order = _record_order(state, cart)
    taken = [part for line in order.lines for part in take_stock(state, line)]
    route_order(state, order, taken, cart.fulfill_by)
    state.emit(ORDERS_CREATE, lambda: render_order(state, order))
    return order


def _record_order(state: State, cart: Cart) -> Order:
    index = state.next_index("Order")
    lines = [write_line(state, sku, quantity) for sku, quantity in cart.lines.items()]
    total = sum((Decimal(line.price) * line.quantity for line in lines), Decimal(0))
    order = Order(index, FIRST_NUMBER + index, lines, cart.address, cart.email, f"{total:.2f}", now())
    order.financial_status = "PENDING" if cart.pending else "PAID"
    state.orders[index] = order
    trim(state.orders, ORDERS_MAX)
    state.touch()
    return order


def write_line(state: State, sku: str, quantity: int) -> Line:
    product = state.products[state.item_by_sku[sku]]
    return Line(state.next_index("LineItem"), product.index, sku, product.title, product.price, quantity)


def take_stock(state: State, line: Line) -> list[Taken]:
    """From the locations in their order; what none of them has is oversold at the first."""
    levels = _levels_of(state, line.item)
    if not levels or not state.products[line.item].tracked:  # sold without being counted
        return [Taken(next(iter(state.locations)), line, line.quantity)]
    units = {level.location: max(0, level.available) for level in levels}
    missing = line.quantity
    for level in levels:
        units[level.location] = min(units[level.location], missing)
        missing -= units[level.location]
    units[levels[0].location] += missing
    for level in levels:
        if units[level.location]:
            _commit(state, level, units[level.location])
    return [Taken(location, line, taken) for location, taken in units.items() if taken]


def _levels_of(state: State, item: int) -> list[Level]:
    return [state.levels[key] for location in state.locations if (key := (location, item)) in state.levels]


def _commit(state: State, level: Level, quantity: int) -> None:
    available, committed = level.available - quantity, level.committed + quantity
    change_level(state, level, available=available, committed=committed, cause="order")
