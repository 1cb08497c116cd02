"""Fields of fulfilment orders and fulfilments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.sandbox.shopify.change_order import OPEN
from adapters.sandbox.shopify.context import Info, resolve_by_id, state_of
from adapters.sandbox.shopify.create_fulfillment import create_fulfillment, find_parcel
from adapters.sandbox.shopify.ids import number_of, read_gid, write_gid
from adapters.sandbox.shopify.paginate import build_connection
from adapters.sandbox.shopify.route_order import find_part
from adapters.sandbox.shopify.state import (
    Line,
    Location,
    Order,
    Parcel,
    ParcelLine,
    Part,
    Share,
    State,
    now,
    write_time,
)


@dataclass(frozen=True, slots=True)
class PartLine:
    line: Line
    share: Share


@dataclass(frozen=True, slots=True)
class ShippedLine:
    line: Line
    entry: ParcelLine


def find_shown_part(state: State, gid: str) -> Part | None:
    return find_part(state, read_gid("FulfillmentOrder", gid) or 0, now())


def _order_of(source: Part | Parcel, info: Info) -> Order:
    return state_of(info).orders[source.order]


def _list_part_lines(part: Part, info: Info, **args: Any) -> dict[str, Any]:
    order = _order_of(part, info)
    lines = [PartLine(order.find_line(share.line), share) for share in part.shares]
    return build_connection(lines, lambda entry: [entry.share.index], args)


def _list_parcel_lines(parcel: Parcel, info: Info, **args: Any) -> dict[str, Any]:
    order = _order_of(parcel, info)
    lines = [ShippedLine(order.find_line(entry.line), entry) for entry in parcel.lines]
    return build_connection(lines, lambda entry: [entry.entry.index], args)


def _list_actions(part: Part, info: Info) -> list[dict[str, Any]]:
    actions = {"ON_HOLD": ["RELEASE_HOLD"], "CANCELLED": [], "CLOSED": []}
    open_actions = ["CREATE_FULFILLMENT", "HOLD", "REPORT_PROGRESS"] if part.status in OPEN else []
    return [{"action": action, "externalUrl": None} for action in actions.get(part.status, open_actions)]


def _show_location(part: Part | Parcel, info: Info) -> Location | None:
    return state_of(info).locations.get(part.location)


def _list_numbers(parcel: Parcel, info: Info, *, first: int | None = None) -> list[dict[str, Any]]:
    if parcel.number is None and parcel.company is None:
        return []
    return [{"company": parcel.company, "number": parcel.number, "url": None}][:first]


PART_RESOLVERS: dict[str, Any] = {
    "id": lambda part, info: write_gid("FulfillmentOrder", part.index),
    "assignedLocation": _show_location,
    "createdAt": lambda part, info: write_time(part.created_at),
    "fulfillAt": lambda part, info: write_time(part.created_at),
    "fulfillBy": lambda part, info: write_time(part.fulfill_by) if part.fulfill_by else None,
    "lineItems": _list_part_lines,
    "order": _order_of,
    "orderId": lambda part, info: write_gid("Order", part.order),
    "orderName": lambda part, info: _order_of(part, info).name,
    "requestStatus": lambda part, info: part.request_status,
    "supportedActions": _list_actions,
    "updatedAt": lambda part, info: write_time(part.updated_at),
}

ASSIGNED_RESOLVERS: dict[str, Any] = {
    "city": lambda location, info: location.config.city,
    "countryCode": lambda location, info: location.config.country_code,
    "location": lambda location, info: location,
    "name": lambda location, info: location.config.name,
    "zip": lambda location, info: location.config.zip,
}

PART_LINE_RESOLVERS: dict[str, Any] = {
    "id": lambda entry, info: write_gid("FulfillmentOrderLineItem", entry.share.index),
    "inventoryItemId": lambda entry, info: write_gid("InventoryItem", entry.line.item),
    "lineItem": lambda entry, info: entry.line,
    "productTitle": lambda entry, info: entry.line.title,
    "remainingQuantity": lambda entry, info: entry.share.remaining,
    "requiresShipping": lambda entry, info: True,
    "sku": lambda entry, info: entry.line.sku,
    "totalQuantity": lambda entry, info: entry.share.total,
}

PARCEL_RESOLVERS: dict[str, Any] = {
    "id": lambda parcel, info: write_gid("Fulfillment", parcel.index),
    "legacyResourceId": lambda parcel, info: str(number_of("Fulfillment", parcel.index)),
    "createdAt": lambda parcel, info: write_time(parcel.created_at),
    "fulfillmentLineItems": _list_parcel_lines,
    "location": _show_location,
    "name": lambda parcel, info: f"{_order_of(parcel, info).name}.{parcel.place}",
    "order": _order_of,
    "requiresShipping": lambda parcel, info: True,
    "status": lambda parcel, info: "SUCCESS",
    "totalQuantity": lambda parcel, info: sum(entry.quantity for entry in parcel.lines),
    "trackingInfo": _list_numbers,
    "updatedAt": lambda parcel, info: write_time(parcel.created_at),
}

PARCEL_LINE_RESOLVERS: dict[str, Any] = {
    "id": lambda entry, info: write_gid("FulfillmentLineItem", entry.entry.index),
    "lineItem": lambda entry, info: entry.line,
    "quantity": lambda entry, info: entry.entry.quantity,
}

RESOLVERS: dict[str, dict[str, Any]] = {
    "QueryRoot": {
        "fulfillment": resolve_by_id(find_parcel),
        "fulfillmentOrder": resolve_by_id(find_shown_part),
    },
    "Mutation": {"fulfillmentCreate": create_fulfillment},
    "FulfillmentOrder": PART_RESOLVERS,
    "FulfillmentOrderAssignedLocation": ASSIGNED_RESOLVERS,
    "FulfillmentOrderLineItem": PART_LINE_RESOLVERS,
    "Fulfillment": PARCEL_RESOLVERS,
    "FulfillmentLineItem": PARCEL_LINE_RESOLVERS,
}
