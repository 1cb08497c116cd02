"""An order as the Orders API 2026-01-01 shows it: only what was asked for, and no address before it is paid."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.amazon.config import MarketConfig
from adapters.sandbox.amazon.state import Line, Order, Package, write_time

DATA_SETS = frozenset(
    {"BUYER", "RECIPIENT", "PROCEEDS", "EXPENSE", "PROMOTION", "CANCELLATION", "FULFILLMENT", "PACKAGES", "TAX"}
    | {"PAYMENT", "FULFILLMENT_ORDERS"}
)
STATUSES = frozenset(
    {"PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE"}
)


def render_order(config: MarketConfig, order: Order, included: set[str]) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "orderId": order.order_id,
        "createdTime": write_time(order.created_at),
        "lastUpdatedTime": write_time(order.updated_at),
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": config.marketplace_id, "marketplaceName": "Sandbox"},
        "orderItems": [_render_item(config, order, line, included) for line in order.lines],
    }
    if order.replaces is not None:
        raw["associatedOrders"] = [{"orderId": order.replaces, "associationType": "REPLACEMENT_ORIGINAL_ID"}]
    paid = order.status != "PENDING"
    if "BUYER" in included and paid and order.email:
        raw["buyer"] = {"buyerEmail": order.email}
    if "RECIPIENT" in included and paid and order.address:
        raw["recipient"] = {"deliveryAddress": order.address}
    if "FULFILLMENT" in included:
        raw["fulfillment"] = {
            "fulfillmentStatus": order.status,
            "fulfilledBy": "MERCHANT",
            "fulfillmentServiceLevel": "STANDARD",
            "shipByWindow": {
                "earliestDateTime": write_time(order.created_at),
                "latestDateTime": write_time(order.ship_by),
            },
        }
    if "PROCEEDS" in included and paid:
        total = sum(Decimal(line.price) * line.quantity for line in order.lines)
        raw["proceeds"] = {"grandTotal": {"amount": str(total), "currencyCode": config.currency}}
    if "PACKAGES" in included and order.packages:
        raw["packages"] = [_render_package(package) for package in order.packages]
    return raw


def _render_item(config: MarketConfig, order: Order, line: Line, included: set[str]) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "orderItemId": line.item_id,
        "quantityOrdered": line.quantity,
        "product": {
            "asin": line.asin,
            "title": line.title,
            "sellerSku": line.sku,
            "price": {"unitPrice": {"amount": line.price, "currencyCode": config.currency}},
        },
    }
    if "CANCELLATION" in included and order.cancel_reason is not None:
        raw["cancellation"] = _render_cancellation(order)
    if "FULFILLMENT" in included:
        raw["fulfillment"] = {
            "quantityFulfilled": line.shipped,
            "quantityUnfulfilled": 0 if order.status == "CANCELLED" else line.quantity - line.shipped,
        }
    return raw


def _render_cancellation(order: Order) -> dict[str, Any]:
    if order.cancelled_by is None:
        return {"cancellationRequest": {"requester": "BUYER", "cancelReason": order.cancel_reason}}
    return {"cancellationExecution": {"cancelledBy": order.cancelled_by, "cancelReason": order.cancel_reason}}


def _render_package(package: Package) -> dict[str, Any]:
    return {
        "packageReferenceId": package.reference,
        "createdTime": write_time(package.created_at),
        "packageStatus": {"status": "SHIPPED"},
        "carrier": package.carrier,
        "shipTime": package.shipped_at,
        "trackingNumber": package.tracking_number,
        "packageItems": [{"orderItemId": item, "quantity": quantity} for item, quantity in package.items.items()],
    }
