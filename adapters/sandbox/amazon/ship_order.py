"""confirmShipment: the seller says what left in one package. The buyer may have cancelled in between."""

from __future__ import annotations

import datetime
from typing import Any

from adapters.sandbox.amazon.answer_calls import ApiError, Call, refuse_input
from adapters.sandbox.amazon.inject_faults import FaultKind
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.place_order import announce_order, cancel_order, touch_order
from adapters.sandbox.amazon.state import Order, Package, now

SHIPPABLE = frozenset({"UNSHIPPED", "PARTIALLY_SHIPPED"})
TEXTS = ("packageReferenceId", "carrierCode", "trackingNumber", "shipDate")


def confirm_shipment(market: Market, call: Call) -> None:
    raw = call.read_object()
    package = _read_package(market, raw)
    order = market.state.orders.get(call.path["order_id"])
    if order is None:
        raise ApiError(404, "NotFound", "The order does not exist.")
    if order.status in SHIPPABLE and market.faults.strike(FaultKind.CANCEL_RACE):
        cancel_order(market, order, "BUYER", "Changed my mind")
    if market.config.repeats_shipments and _is_repeated(order, package):
        return
    _check(order, package)
    order.packages.append(package)
    for line in order.lines:
        line.shipped += package.items.get(line.item_id, 0)
    whole = all(line.shipped == line.quantity for line in order.lines)
    order.status = "SHIPPED" if whole else "PARTIALLY_SHIPPED"
    touch_order(market, order)
    announce_order(market, order, "OrderStatusChange", "Shipment confirmed")


def _is_repeated(order: Order, package: Package) -> bool:
    return any(known.reference == package.reference and known.items == package.items for known in order.packages)


def _check(order: Order, package: Package) -> None:
    """Raises ApiError 400."""
    if order.status not in SHIPPABLE:
        raise refuse_input(f"An order that is {order.status} cannot be shipped.")
    if any(known.reference == package.reference for known in order.packages):
        raise refuse_input("The packageReferenceId is taken.")
    open_quantities = {line.item_id: line.quantity - line.shipped for line in order.lines}
    for item, quantity in package.items.items():
        if quantity > open_quantities.get(item, 0):
            raise refuse_input(f"Item {item} has not that much left to ship.")


def _read_package(market: Market, raw: dict[str, Any]) -> Package:
    """Raises ApiError 400."""
    detail = raw.get("packageDetail")
    if raw.get("marketplaceId") != market.config.marketplace_id or not isinstance(detail, dict):
        raise refuse_input("marketplaceId and packageDetail are required.")
    if any(not isinstance(detail.get(name), str) or not detail[name] for name in TEXTS):
        raise refuse_input(f"A package needs {', '.join(TEXTS)}.")
    reference = detail["packageReferenceId"]
    if not (reference.isascii() and reference.isdigit() and int(reference) > 0):
        raise refuse_input("packageReferenceId is a positive number.")
    if detail["carrierCode"] == "Other" and not detail.get("carrierName"):
        raise refuse_input("carrierName is required when carrierCode is Other.")
    try:
        datetime.datetime.fromisoformat(detail["shipDate"])
    except ValueError:
        raise refuse_input("shipDate is not an ISO 8601 time.") from None
    carrier = detail.get("carrierName") or detail["carrierCode"]
    items = _read_items(detail.get("orderItems"))
    return Package(reference, carrier, detail["trackingNumber"], detail["shipDate"], items, now())


def _read_items(raw: Any) -> dict[str, int]:
    if not isinstance(raw, list) or not raw:
        raise refuse_input("orderItems are required.")
    items: dict[str, int] = {}
    for entry in raw:
        item, quantity = (entry.get("orderItemId"), entry.get("quantity")) if isinstance(entry, dict) else (None, None)
        if not isinstance(item, str) or not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
            raise refuse_input("An order item needs an orderItemId and a whole quantity.")
        items[item] = items.get(item, 0) + quantity
    return items
