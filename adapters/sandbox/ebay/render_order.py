"""Orders and shipping fulfillments as the Fulfillment API 1.20 shows them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.ebay.change_order import shipped_units
from adapters.sandbox.ebay.state import Fulfillment, Line, Order, State, write_time

HANDLING_SECONDS = 2 * 86_400
DELIVERY_SECONDS = (4 * 86_400, 8 * 86_400)


def render_order(state: State, order: Order, *, with_requests: bool) -> dict[str, Any]:
    """`with_requests`: only getOrder shows the cancellation requests; getOrders has the array, always empty."""
    money = _money(state, order.total)
    contact = render_contact(order)
    return {
        "orderId": order.order_id,
        "creationDate": write_time(order.created_at),
        "lastModifiedDate": write_time(order.modified_at),
        "orderFulfillmentStatus": _fulfillment_status([_line_status(order, line) for line in order.lines]),
        "orderPaymentStatus": "PAID" if order.paid else "PENDING",
        "sellerId": state.config.seller,
        "salesRecordReference": str(order.index),
        "buyer": {
            "username": f"buyer_{order.index}",
            "buyerRegistrationAddress": contact,
            "taxAddress": {
                name: contact["contactAddress"][name]
                for name in ("city", "countryCode", "postalCode", "stateOrProvince")
                if name in contact["contactAddress"]
            },
        },
        "cancelStatus": _render_cancel(order, with_requests=with_requests),
        "pricingSummary": {"priceSubtotal": money, "deliveryCost": _money(state, "0.00"), "total": money},
        "paymentSummary": _render_payment(state, order),
        "totalFeeBasisAmount": money,
        "fulfillmentHrefs": [],
        "fulfillmentStartInstructions": [
            {
                "fulfillmentInstructionsType": "SHIP_TO",
                "ebaySupportedFulfillment": False,
                "shippingStep": {
                    "shippingCarrierCode": "USPS",
                    "shippingServiceCode": "USPSPriority",
                    "shipTo": contact,
                },
            }
        ],
        "lineItems": [_render_line(state, order, line) for line in order.lines],
    }


def render_contact(order: Order) -> dict[str, Any]:
    given = order.address
    address = {
        "addressLine1": given.get("address1"),
        "addressLine2": given.get("address2"),
        "city": given.get("city"),
        "stateOrProvince": given.get("province_code") or given.get("province"),
        "postalCode": given.get("zip"),
        "countryCode": given.get("country_code"),
    }
    contact: dict[str, Any] = {
        "fullName": given["name"],
        "contactAddress": {name: value for name, value in address.items() if value},
    }
    if given.get("phone"):
        contact["primaryPhone"] = {"phoneNumber": given["phone"]}
    return {**contact, "email": order.email} if order.email else contact


def _render_cancel(order: Order, *, with_requests: bool) -> dict[str, Any]:
    status: dict[str, Any] = {
        "cancelState": order.cancel,
        "cancelRequests": list(order.cancel_requests) if with_requests else [],
    }
    return {**status, "cancelledDate": write_time(order.cancelled_at)} if order.cancelled_at else status


def _render_payment(state: State, order: Order) -> dict[str, Any]:
    payment = {
        "amount": _money(state, order.total),
        "paymentMethod": "EBAY",
        "paymentStatus": "PAID" if order.paid else "PENDING",
    }
    if order.paid:
        payment["paymentDate"] = write_time(order.created_at)
    return {"payments": [payment], "refunds": [], "totalDueSeller": _money(state, order.total)}


def _render_line(state: State, order: Order, line: Line) -> dict[str, Any]:
    cost = _money(state, f"{Decimal(line.price) * line.quantity:.2f}")
    earliest, latest = (write_time(order.created_at + seconds) for seconds in DELIVERY_SECONDS)
    shown: dict[str, Any] = {
        "lineItemId": line.line_item_id,
        "legacyItemId": line.listing_id,
        "title": line.title,
        "quantity": line.quantity,
        "lineItemCost": cost,
        "total": cost,
        "deliveryCost": {"shippingCost": _money(state, "0.00")},
        "appliedPromotions": [],
        "taxes": [],
        "refunds": [],
        "properties": {"buyerProtection": True},
        "soldFormat": "FIXED_PRICE",
        "listingMarketplaceId": state.config.marketplace,
        "purchaseMarketplaceId": state.config.marketplace,
        "lineItemFulfillmentStatus": _line_status(order, line),
        "lineItemFulfillmentInstructions": {
            "guaranteedDelivery": False,
            "minEstimatedDeliveryDate": earliest,
            "maxEstimatedDeliveryDate": latest,
            "shipByDate": write_time(order.created_at + HANDLING_SECONDS),
        },
    }
    return shown if order.sku_hidden else {**shown, "sku": line.sku}


def _line_status(order: Order, line: Line) -> str:
    shipped = shipped_units(order, line.line_item_id)
    return "NOT_STARTED" if shipped == 0 else "FULFILLED" if shipped >= line.quantity else "IN_PROGRESS"


def _fulfillment_status(lines: list[str]) -> str:
    return lines[0] if len(set(lines)) == 1 else "IN_PROGRESS"


def _money(state: State, value: str) -> dict[str, str]:
    return {"value": value, "currency": state.config.currency}


def render_fulfillment(fulfillment: Fulfillment) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "fulfillmentId": fulfillment.fulfillment_id,
        "shippedDate": write_time(fulfillment.shipped_at),
        "lineItems": [{"lineItemId": line_id, "quantity": quantity} for line_id, quantity in fulfillment.lines],
    }
    if fulfillment.tracking:
        shown["shipmentTrackingNumber"] = fulfillment.tracking
        shown["shippingCarrierCode"] = fulfillment.carrier
    return shown
