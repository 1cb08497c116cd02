"""Payloads of what becomes of an order, in the vendor's shapes of version 2026-07."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.shopify.ids import number_of, write_gid
from adapters.sandbox.shopify.list_payments import Payment, list_of_refund
from adapters.sandbox.shopify.refunds import PLACES, Refund, RefundLine, Return, ReturnedLine
from adapters.sandbox.shopify.render_order import render_address, render_line, render_money, write_payload_time
from adapters.sandbox.shopify.state import Line, Order, Parcel, Part, State, now

GATEWAY = "bogus"
"""The vendor's own for tests."""

# Of the payloads: what a line carries inside a refund or a fulfilment, less than in its order.
BARE = ("attributed_staffs", "current_quantity", "sales_line_item_group_id")


def render_refund(state: State, order: Order, refund: Refund) -> dict[str, Any]:
    at = write_payload_time(refund.created_at)
    place = order.refunds.index(refund)
    return {
        "id": number_of("Refund", refund.index),
        "admin_graphql_api_id": write_gid("Refund", refund.index),
        "order_id": number_of("Order", order.index),
        "created_at": at,
        "processed_at": at,
        "note": refund.note,
        "user_id": None,
        "restock": any(line.restock_type != "no_restock" for line in refund.lines),
        "return": _render_named(refund.of_return),
        "duties": [],
        "total_duties_set": render_money("0.00", state.config.currency),
        "order_adjustments": [],
        "refund_shipping_lines": [],
        "refund_line_items": [_render_refunded(state, order.find_line(line.line), line) for line in refund.lines],
        "transactions": [_render_payment(state, list_of_refund(order, place))],
    }


def _render_named(index: int | None) -> dict[str, Any] | None:
    if index is None:
        return None
    return {"id": number_of("Return", index), "admin_graphql_api_id": write_gid("Return", index)}


def _render_payment(state: State, payment: Payment) -> dict[str, Any]:
    return {
        "id": number_of("OrderTransaction", payment.index),
        "admin_graphql_api_id": write_gid("OrderTransaction", payment.index),
        "order_id": number_of("Order", payment.order.index),
        "kind": payment.kind.lower(),
        "gateway": GATEWAY,
        "status": payment.status.lower(),
        "amount": payment.amount,
        "currency": state.config.currency,
        "created_at": write_payload_time(payment.created_at),
        "test": True,
        "parent_id": None if payment.parent is None else number_of("OrderTransaction", payment.parent),
        "source_name": "web",
    }


def _render_refunded(state: State, line: Line, refunded: RefundLine) -> dict[str, Any]:
    currency = state.config.currency
    subtotal = Decimal(line.price) * refunded.quantity
    return {
        "id": number_of("LineItem", line.index),
        "line_item_id": number_of("LineItem", line.index),
        "quantity": refunded.quantity,
        "location_id": None,
        "restock_type": refunded.restock_type,
        "subtotal": float(subtotal),
        "subtotal_set": render_money(f"{subtotal:.2f}", currency),
        "total_tax": 0,
        "total_tax_set": render_money("0.00", currency),
        "line_item": _render_bare(line, currency),
    }


def render_return(state: State, order: Order, known: Return) -> dict[str, Any]:
    """Its lines are named; what is sent instead is named once it is a line of the order."""
    return {
        "id": number_of("Return", known.index),
        "admin_graphql_api_id": write_gid("Return", known.index),
        "status": known.status.lower(),
        "order": {"id": number_of("Order", order.index), "admin_graphql_api_id": write_gid("Order", order.index)},
        "total_return_line_items": sum(entry.quantity for entry in known.lines),
        "name": f"{order.name}-R{known.index % PLACES + 1}",
        "return_line_items": [_render_returned(state, order.find_line(entry.line), entry) for entry in known.lines],
        "return_shipping_fees": [],
        "exchange_line_items": [
            {
                "id": number_of("ExchangeLineItem", entry.index),
                "admin_graphql_api_id": write_gid("ExchangeLineItem", entry.index),
                "line_item": _render_bare(order.find_line(entry.lines[0]), state.config.currency)
                if entry.lines
                else None,
            }
            for entry in known.exchanges
        ],
        "total_exchange_line_items": len(known.exchanges),
    }


def _render_returned(state: State, line: Line, entry: ReturnedLine) -> dict[str, Any]:
    return {
        "id": number_of("ReturnLineItem", entry.index),
        "admin_graphql_api_id": write_gid("ReturnLineItem", entry.index),
        "quantity": entry.quantity,
        "fulfillment_line_item": {"line_item": _render_bare(line, state.config.currency)},
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


def render_edit(
    state: State, order: Order, removed: list[tuple[Line, int]], added: list[tuple[Line, int]] | None = None
) -> dict[str, Any]:
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
                "additions": [_render_delta(line, units) for line, units in added or ()],
                "removals": [_render_delta(line, units) for line, units in removed],
            },
        }
    }


def _render_delta(line: Line, units: int) -> dict[str, Any]:
    return {"id": number_of("LineItem", line.index), "delta": units}


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
