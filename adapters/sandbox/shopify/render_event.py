"""Payloads of what becomes of an order, in the vendor's shapes of version 2026-07."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.shopify.ids import number_of, write_gid
from adapters.sandbox.shopify.render_order import render_address, render_line, render_money, write_payload_time
from adapters.sandbox.shopify.state import Line, Order, Parcel, Part, State, now

# Of the payloads: what a line carries inside a refund or a fulfilment, less than in its order.
BARE = ("attributed_staffs", "current_quantity", "sales_line_item_group_id")


def render_refund(state: State, order: Order, refunded: list[tuple[Line, int]], *, restock: bool) -> dict[str, Any]:
    index, at = state.next_index("Refund"), write_payload_time(now())
    return {
        "id": number_of("Refund", index),
        "admin_graphql_api_id": write_gid("Refund", index),
        "order_id": number_of("Order", order.index),
        "created_at": at,
        "processed_at": at,
        "note": None,
        "user_id": None,
        "restock": restock,
        "return": None,
        "duties": [],
        "total_duties_set": render_money("0.00", state.config.currency),
        "order_adjustments": [],
        "refund_shipping_lines": [],
        "refund_line_items": [_render_refunded(state, line, units, restock=restock) for line, units in refunded],
        "transactions": [],
    }


def _render_refunded(state: State, line: Line, units: int, *, restock: bool) -> dict[str, Any]:
    currency = state.config.currency
    subtotal = Decimal(line.price) * units
    return {
        "id": number_of("LineItem", line.index),
        "line_item_id": number_of("LineItem", line.index),
        "quantity": units,
        "location_id": None,
        "restock_type": "cancel" if restock else "no_restock",
        "subtotal": float(subtotal),
        "subtotal_set": render_money(f"{subtotal:.2f}", currency),
        "total_tax": 0,
        "total_tax_set": render_money("0.00", currency),
        "line_item": _render_bare(line, currency),
    }


def _render_bare(line: Line, currency: str) -> dict[str, Any]:
    return {name: value for name, value in render_line(line, currency).items() if name not in BARE}


def render_parcel(state: State, order: Order, parcel: Parcel) -> dict[str, Any]:
    at = write_payload_time(parcel.created_at)
    numbers = [parcel.number] if parcel.number else []
    lines = [(_render_bare(order.find_line(entry.line), state.config.currency), entry) for entry in parcel.lines]
    return {
        "id": number_of("Fulfillment", parcel.index),
        "admin_graphql_api_id": write_gid("Fulfillment", parcel.index),
        "order_id": number_of("Order", order.index),
        "name": f"{order.name}.{parcel.place}",
        "status": "success",
        "created_at": at,
        "updated_at": at,
        "service": "manual",
        "shipment_status": None,
        "location_id": number_of("Location", parcel.location),
        "origin_address": None,
        "email": order.email,
        "destination": render_address(order.address),
        "line_items": [{**line, "quantity": entry.quantity} for line, entry in lines],
        "tracking_company": parcel.company,
        "tracking_number": parcel.number,
        "tracking_numbers": numbers,
        "tracking_url": None,
        "tracking_urls": [],
        "receipt": {},
    }


def render_edit(state: State, order: Order, edits: list[tuple[Line, int]]) -> dict[str, Any]:
    """Only removals: nothing is added to an order here."""
    return {
        "order_edit": {
            "id": number_of("OrderEdit", state.next_index("OrderEdit")),
            "app_id": None,
            "created_at": write_payload_time(now()),
            "notify_customer": False,
            "order_id": number_of("Order", order.index),
            "staff_note": "",
            "user_id": None,
            "line_items": {
                "additions": [],
                "removals": [{"id": number_of("LineItem", line.index), "delta": units} for line, units in edits],
            },
        }
    }


def render_cancellation_request(part: Part) -> dict[str, Any]:
    return {
        "fulfillment_order": {
            "id": write_gid("FulfillmentOrder", part.index),
            "status": part.status.lower(),
            "request_status": "cancellation_requested",
        },
        "fulfillment_order_merchant_request": {
            "id": f"gid://shopify/FulfillmentOrderMerchantRequest/{part.index}",
            "message": "Customer cancelled their order",
        },
    }


def render_uninstall(state: State) -> dict[str, Any]:
    """The shop, as the vendor sends it with app/uninstalled; the app is gone by then."""
    config = state.config
    return {
        "id": number_of("Shop", 1),
        "name": config.name,
        "email": f"owner@{config.domain}",
        "domain": config.domain,
        "myshopify_domain": config.domain,
        "currency": config.currency,
    }
