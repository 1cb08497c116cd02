"""Sell Fulfillment API v1: one order with its cancellation requests, and its shipping fulfillments.

A tracking number may be confirmed twice, as with the vendor: whoever sends again without looking has two parcels.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.sandbox.ebay.change_order import cancel_order, ship_order
from adapters.sandbox.ebay.inject_faults import FaultKind, Faults
from adapters.sandbox.ebay.refuse import ApiError
from adapters.sandbox.ebay.render_order import render_fulfillment, render_order
from adapters.sandbox.ebay.serve_api import Answer, Call
from adapters.sandbox.ebay.state import FULFILLMENTS_MAX, Fulfillment, Order, State, now

UNTRACKED_ID = "999"
BASE = "/sell/fulfillment/v1"


@dataclass(frozen=True, slots=True)
class Fulfillments:
    state: State
    faults: Faults

    def get_order(self, call: Call) -> Answer:
        order = self._find(call, 404)
        return Answer(render_order(self.state, order, with_requests=True))

    def get_fulfillments(self, call: Call) -> Answer:
        shown = [render_fulfillment(entry) for entry in self._find(call, 400).fulfillments]
        return Answer({"fulfillments": shown, "total": len(shown)})

    def create_fulfillment(self, call: Call) -> Answer:
        order = self._find(call, 400)
        wanted = call.body if isinstance(call.body, dict) else {}
        fulfillment = _read_fulfillment(order, wanted)
        if order.cancel != "CANCELED" and self.faults.strike(FaultKind.CANCEL_RACE):
            cancel_order(self.state, order, "complete")
        if order.cancel == "CANCELED":
            raise ApiError(409, 32600, "Invalid input data. The order is cancelled.")
        if len(order.fulfillments) >= FULFILLMENTS_MAX:
            raise ApiError(400, 34100, "Maximum tracking number for order is exceeded")
        ship_order(self.state, order, fulfillment)
        path = f"{BASE}/order/{order.order_id}/shipping_fulfillment/{fulfillment.fulfillment_id}"
        return Answer(status=201, headers={"Location": path})

    def _find(self, call: Call, status: int) -> Order:
        order = self.state.orders.get(call.path["order_id"])
        if order is None:
            raise ApiError(status, 32100, f"Invalid order ID: {call.path['order_id']}")
        return order


def _read_fulfillment(order: Order, wanted: dict[str, Any]) -> Fulfillment:
    lines = _read_lines(order, wanted.get("lineItems"))
    tracking, carrier = wanted.get("trackingNumber"), wanted.get("shippingCarrierCode")
    if (tracking is None) != (carrier is None) or (tracking is not None and not _is_tracking(tracking)):
        raise ApiError(400, 32300, "Invalid shipment tracking number or carrier")
    shipped_at = _read_date(wanted["shippedDate"]) if "shippedDate" in wanted else now()
    return Fulfillment(tracking or UNTRACKED_ID, lines, carrier, tracking, shipped_at)


def _read_lines(order: Order, raw: Any) -> list[list[Any]]:
    ordered = {line.line_item_id: line.quantity for line in order.lines}
    if not isinstance(raw, list) or not raw:
        raise ApiError(400, 32600, "Invalid input data")
    lines = []
    for entry in raw:
        line_id = entry.get("lineItemId") if isinstance(entry, dict) else None
        if line_id not in ordered:
            raise ApiError(400, 32200, f"Invalid line item id: {line_id}")
        quantity = entry.get("quantity")
        if not isinstance(quantity, int) or not 1 <= quantity <= ordered[line_id]:
            raise ApiError(400, 32600, "Invalid input data. quantity")
        lines.append([line_id, quantity])
    if len({line_id for line_id, _ in lines}) != len(lines):
        raise ApiError(400, 32210, "Duplicate line item in the request")
    return lines


def _is_tracking(raw: Any) -> bool:
    return isinstance(raw, str) and raw.isascii() and raw.isalnum()


def _read_date(raw: Any) -> float:
    try:
        return datetime.fromisoformat(raw).timestamp()
    except (TypeError, ValueError):
        raise ApiError(400, 32500, "Invalid shipped date") from None
