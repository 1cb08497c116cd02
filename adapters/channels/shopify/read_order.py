"""An order as Onhand knows it, from a webhook's payload or from the API.

Numeric ids lost precision in the vendor's examples: the global ids are used. A unit that was refunded or removed is
no longer in the current quantity of its line, also one that was shipped and came back: what is still to be shipped
tells them apart.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from adapters.channels.base import Address, ChannelOrder, ChannelOrderLine

ORDER_GID = "gid://shopify/Order/"
UNPAID = frozenset({"PENDING", "EXPIRED", "VOIDED"})
"""Payments that did not come, or not yet. AUTHORIZED is captured when it ships."""
SHIPPED = frozenset({"fulfilled", "partial"})
"""Of a line in a webhook."""
ENDED = frozenset({"CLOSED", "CANCELLED"})
"""Fulfilment orders that nothing is left to do of."""


def read_payload(raw: dict[str, Any]) -> ChannelOrder:
    """From a webhook's payload. Raises KeyError, TypeError, ValueError or AttributeError when it is not an order, as a
    parcel's is not, which has lines and times as well.

    A subscription can leave fields out: without its times an order was placed now, and has no version.
    """
    if not str(raw["admin_graphql_api_id"]).startswith(ORDER_GID):
        raise ValueError("it is not an order's")
    created_at, updated_at = raw.get("created_at"), raw.get("updated_at")
    address = raw.get("shipping_address")
    return ChannelOrder(
        external_id=str(raw["admin_graphql_api_id"]),
        name=raw.get("name"),
        placed_at=datetime.datetime.now(datetime.UTC) if created_at is None else read_time(created_at),
        lines=_drop_empty([_read_payload_line(line) for line in raw["line_items"]]),
        address=None if address is None else _read_address(address, "province_code", "country_code"),
        email=raw.get("email") or raw.get("contact_email") or None,
        pending=str(raw.get("financial_status")).upper() in UNPAID,
        cancelled=raw.get("cancelled_at") is not None,
        cancel_requested=None,
        version=None if updated_at is None else _read_version(updated_at),
        phone=raw.get("phone") or (address or {}).get("phone") or None,
        total=_read_amount(raw.get("total_price")),
        currency=raw.get("currency") or None,
        **_read_place(address or {}, "country_code"),
    )


def read_node(node: dict[str, Any], lines: list[dict[str, Any]]) -> ChannelOrder:
    """From the API's `OrderFields`; `lines`: all of them."""
    address = node["shippingAddress"]
    parts = node["fulfillmentOrders"]["nodes"]
    ends = [read_time(part["fulfillBy"]) for part in parts if part["fulfillBy"] and part["status"] not in ENDED]
    return ChannelOrder(
        external_id=node["id"],
        name=node["name"],
        placed_at=read_time(node["createdAt"]),
        lines=_drop_empty([_read_node_line(line) for line in lines]),
        address=None if address is None else _read_address(address, "provinceCode", "countryCodeV2"),
        email=node["email"] or None,
        pending=node["displayFinancialStatus"] in UNPAID,
        cancelled=node["cancelledAt"] is not None,
        cancel_requested=any(part["requestStatus"] == "CANCELLATION_REQUESTED" for part in parts),
        ship_by=min(ends, default=None),
        version=_read_version(node["updatedAt"]),
        phone=node["phone"] or (address or {}).get("phone") or None,
        total=_read_amount(node["totalPriceSet"]["shopMoney"]["amount"]),
        currency=node["currencyCode"],
        **_read_place(address or {}, "countryCodeV2"),
    )


def read_time(text: str) -> datetime.datetime:
    """A time without zone is UTC."""
    found = datetime.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _read_version(updated_at: str) -> int:
    """Seconds since the epoch: as fine as the vendor tells them."""
    return int(read_time(updated_at).timestamp())


def _drop_empty(lines: list[ChannelOrderLine]) -> tuple[ChannelOrderLine, ...]:
    return tuple(line for line in lines if line.quantity > 0)


def _read_payload_line(raw: dict[str, Any]) -> ChannelOrderLine:
    quantity, told = int(raw.get("current_quantity", raw["quantity"])), raw.get("fulfillable_quantity")
    left = None if told is None else int(told)
    gone = 0 if left is None or raw.get("fulfillment_status") not in SHIPPED else max(0, quantity - left)
    return ChannelOrderLine(
        str(raw["admin_graphql_api_id"]),
        raw.get("sku") or None,
        raw.get("title"),
        quantity,
        _read_amount(raw.get("price")),
        unshipped=left,
        shipped=gone,
    )


def _read_node_line(node: dict[str, Any]) -> ChannelOrderLine:
    sku, quantity, left = node["sku"] or None, node["currentQuantity"], node["unfulfilledQuantity"]
    gone = max(0, quantity - left)
    return ChannelOrderLine(node["id"], sku, node["title"], quantity, unshipped=left, shipped=gone)


def _read_address(raw: dict[str, Any], region: str, country: str) -> Address:
    lines = tuple(line for name in ("company", "address1", "address2") if (line := raw.get(name)))
    return Address(
        name=raw.get("name") or None,
        lines=lines,
        city=raw.get("city") or None,
        region=raw.get(region) or raw.get("province") or None,
        postal_code=raw.get("zip") or None,
        country_code=raw.get(country) or None,
    )


def _read_place(address: dict[str, Any], country: str) -> dict[str, Any]:
    return {
        "country_code": address.get(country) or None,
        "latitude": _degrees(address.get("latitude")),
        "longitude": _degrees(address.get("longitude")),
    }


def _read_amount(value: Any) -> Decimal | None:
    """Of the store's currency. Prices of lines are in webhooks alone: in the API they cost two points each."""
    return None if value is None else Decimal(str(value))


def _degrees(value: Any) -> float | None:
    return None if value is None else float(value)
