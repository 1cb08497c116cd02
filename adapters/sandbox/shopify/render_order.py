"""The payload of the order webhooks, in the vendor's shape of version 2026-07.

Numeric ids are exact here; clients should still read `admin_graphql_api_id`, as the vendor advises.
"""

from __future__ import annotations

from typing import Any

from adapters.sandbox.shopify.ids import number_of, write_gid
from adapters.sandbox.shopify.state import Line, Order, State, write_time

STATUSES = {"ON_HOLD": None, "UNFULFILLED": None, "PARTIALLY_FULFILLED": "partial", "FULFILLED": "fulfilled"}


def write_payload_time(at: float | None) -> str | None:
    """As payloads write it: with an offset."""
    return None if at is None else write_time(at).replace("Z", "+00:00")


def render_order(state: State, order: Order) -> dict[str, Any]:
    currency = state.config.currency
    at = write_payload_time(order.created_at)
    return {
        "id": number_of("Order", order.index),
        "admin_graphql_api_id": write_gid("Order", order.index),
        "name": order.name,
        "number": order.number - 1000,
        "order_number": order.number,
        "confirmed": True,
        "test": True,
        "token": f"sandbox-{order.number}",
        "source_name": "web",
        "email": order.email,
        "contact_email": order.email,
        "phone": None,
        "note": None,
        "tags": "",
        "currency": currency,
        "presentment_currency": currency,
        "created_at": at,
        "processed_at": at,
        "updated_at": write_payload_time(order.updated_at),
        "cancelled_at": write_payload_time(order.cancelled_at),
        "cancel_reason": order.cancel_reason and order.cancel_reason.lower(),
        "closed_at": None,
        "financial_status": order.financial_status.lower(),
        "fulfillment_status": STATUSES[order.fulfillment_status],
        "location_id": None,
        "total_weight": 0,
        "taxes_included": False,
        **_render_totals(order.total, currency),
        "shipping_address": render_address(order.address),
        "billing_address": render_address(order.address),
        "line_items": [render_line(line, currency) for line in order.lines],
        "shipping_lines": [],
        "discount_codes": [],
        "discount_applications": [],
        "fulfillments": [],
        "refunds": [],
        "returns": [],
        "tax_lines": [],
        "line_item_groups": [],
    }


def _render_totals(total: str, currency: str) -> dict[str, Any]:
    zero = "0.00"
    amounts = {
        "subtotal_price": total,
        "current_subtotal_price": total,
        "total_line_items_price": total,
        "total_price": total,
        "current_total_price": total,
        "total_discounts": zero,
        "current_total_discounts": zero,
        "total_tax": zero,
        "current_total_tax": zero,
    }
    money = {f"{name}_set": render_money(amount, currency) for name, amount in amounts.items()}
    money["total_shipping_price_set"] = render_money(zero, currency)
    return {**amounts, **money, "total_outstanding": zero, "total_tip_received": zero}


def render_money(amount: str, currency: str) -> dict[str, Any]:
    money = {"amount": amount, "currency_code": currency}
    return {"shop_money": money, "presentment_money": money}


def render_line(line: Line, currency: str) -> dict[str, Any]:
    return {
        "id": number_of("LineItem", line.index),
        "admin_graphql_api_id": write_gid("LineItem", line.index),
        "product_id": number_of("Product", line.item),
        "variant_id": number_of("ProductVariant", line.item),
        "product_exists": True,
        "sku": line.sku,
        "title": line.title,
        "name": line.title,
        "variant_title": None,
        "vendor": None,
        "quantity": line.quantity,
        "current_quantity": line.current,
        "fulfillable_quantity": line.unshipped,
        "fulfillment_service": "manual",
        "fulfillment_status": _status_of(line),
        "variant_inventory_management": "shopify",
        "price": line.price,
        "price_set": render_money(line.price, currency),
        "total_discount": "0.00",
        "total_discount_set": render_money("0.00", currency),
        "gift_card": False,
        "grams": 0,
        "requires_shipping": True,
        "taxable": True,
        "properties": [],
        "attributed_staffs": [],
        "tax_lines": [],
        "duties": [],
        "discount_allocations": [],
        "sales_line_item_group_id": None,
    }


def _status_of(line: Line) -> str | None:
    if not line.shipped:
        return None
    return "partial" if line.unshipped else "fulfilled"


def render_address(address: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if address is None else dict(address)
