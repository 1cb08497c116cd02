"""Orders and shipping fulfillments as the Fulfillment API 1.20 shows them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.ebay.change_order import shipped_units
from adapters.sandbox.ebay.state import Fulfillment, Line, Order, Refund, State, write_time

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
        "orderPaymentStatus": _payment_status(order),
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
    shown = [_render_refund(state, refund) for refund in order.refunds]
    return {"payments": [payment], "refunds": shown, "totalDueSeller": _money(state, order.total)}


def _render_refund(state: State, refund: Refund) -> dict[str, Any]:
    """One of lines has its id with them."""
    shown: dict[str, Any] = {"amount": _money(state, refund.amount), "refundStatus": refund.status}
    if not refund.lines:
        shown["refundId"] = refund.refund_id
    if refund.refunded_at is not None:
        shown["refundDate"] = write_time(refund.refunded_at)
    return shown


def _list_line_refunds(state: State, order: Order, line: Line) -> list[dict[str, Any]]:
    shown = []
    for refund in order.refunds:
        for line_id, amount in refund.lines if refund.status != "FAILED" else ():
            if line_id == line.line_item_id:
                dated = {} if refund.refunded_at is None else {"refundDate": write_time(refund.refunded_at)}
                shown.append({"refundId": refund.refund_id, "amount": _money(state, amount), **dated})
    return shown


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
        "refunds": _list_line_refunds(state, order, line),
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


def _payment_status(order: Order) -> str:
    if not order.paid:
        return "PENDING"
    back = sum((Decimal(refund.amount) for refund in order.refunds if refund.status == "REFUNDED"), Decimal(0))
    return "PAID" if back == 0 else "FULLY_REFUNDED" if back >= Decimal(order.total) else "PARTIALLY_REFUNDED"


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
