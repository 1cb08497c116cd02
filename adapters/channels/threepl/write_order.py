"""Our work in the words of ShipEngine Connect."""

from __future__ import annotations

import datetime
from typing import Any

from adapters.channels.base import Address
from adapters.channels.threepl.base import Delegation


def write_order(work: Delegation) -> dict[str, Any]:
    """The body of `delegate_fulfillment`, without what every call has."""
    items = [
        {
            "line_item_id": line.line_id,
            "description": line.title,
            "quantity": line.quantity,
            "product": {
                "product_id": line.sku,
                "name": line.title,
                "identifiers": {"sku": line.sku, "fulfillment_sku": line.sku},
            },
        }
        for line in work.lines
    ]
    wanted: dict[str, Any] = {
        "requested_fulfillment_id": work.key,
        "items": items,
        "ship_to": write_address(work.address),
    }
    preferences = {
        "ship_by_date": None if work.ship_by is None else write_time(work.ship_by),
        "requested_warehouse": work.warehouse,
    }
    if any(preferences.values()):
        wanted["shipping_preferences"] = {name: value for name, value in preferences.items() if value}
    return {
        "order_id": work.key,
        "order_number": work.reference,
        "status": "AwaitingShipment",
        "created_date_time": None if work.placed_at is None else write_time(work.placed_at),
        "buyer": None if work.email is None else {"email": work.email},
        "requested_fulfillments": [wanted],
    }


def write_address(address: Address) -> dict[str, str]:
    lines = dict(zip(("address_line_1", "address_line_2", "address_line_3"), address.lines, strict=False))
    given = {
        "name": address.name,
        **lines,
        "city": address.city,
        "state_province": address.region,
        "postal_code": address.postal_code,
        "country_code": address.country_code,
    }
    return {name: value for name, value in given.items() if value}


def write_time(at: datetime.datetime) -> str:
    return at.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
