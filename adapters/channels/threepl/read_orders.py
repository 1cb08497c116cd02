"""What a provider says of orders, from the words of ShipEngine Connect into ours. A broken answer is a `Fault`."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from adapters.channels.threepl.base import PartnerOrder, PartnerRefusal, PartnerShipment, PartnerStatus, Units
from adapters.channels.threepl.call_provider import broken
from domain.errors import Fault

ORDERS_MAX, PARTS_MAX, LINES_MAX = 10_000, 1_000, 1_000
UNITS_MAX = 2**31 - 1
STATUSES = {
    "Processing": PartnerStatus.PROCESSING,
    "Shipped": PartnerStatus.SHIPPED,
    "Rejected": PartnerStatus.REJECTED,
    "Cancelled": PartnerStatus.CANCELLED,
}
REFUSALS = frozenset({PartnerStatus.REJECTED, PartnerStatus.CANCELLED})


def read_orders(answer: dict[str, Any]) -> tuple[tuple[PartnerOrder, ...], tuple[str, ...]]:
    """The orders of `get_recent_changes`, and what is wrong with those that cannot be read."""
    orders, wrong = [], []
    for raw in read_list(answer, "changes", ORDERS_MAX):
        try:
            orders.append(read_order(raw))
        except Fault as fault:
            wrong.append(f"Order {_plain(raw.get('fulfillment_provider_order_id'))}: {fault}")
    return tuple(orders), tuple(wrong)


def read_order(raw: dict[str, Any]) -> PartnerOrder:
    """One order of `get_recent_changes`, or the answer of `get_fulfillments`."""
    refusals = []
    for part in read_list(raw, "fulfillments", PARTS_MAX):
        status = read_status(part.get("status"))
        if status in REFUSALS:
            said = [part[name] for name in ("reason", "explanation") if isinstance(part.get(name), str) and part[name]]
            refusals.append(PartnerRefusal(status, ": ".join(said), _read_lines(part, "line_items")))
    return PartnerOrder(
        read_text(raw, "fulfillment_provider_order_id"),
        None if raw.get("status") is None else read_status(raw["status"]),
        tuple(_read_shipment(part) for part in read_list(raw, "shipments", PARTS_MAX)),
        tuple(refusals),
    )


def _read_shipment(raw: dict[str, Any]) -> PartnerShipment:
    at = raw.get("ship_date")
    return PartnerShipment(
        read_text(raw, "notification_id"),
        _read_lines(raw, "items"),
        raw.get("carrier_code") or None,
        raw.get("tracking_number") or None,
        None if not at else read_time(at),
    )


def _read_lines(raw: dict[str, Any], name: str) -> tuple[Units, ...]:
    lines = []
    for item in read_list(raw, name, LINES_MAX):
        line_id, sku = item.get("line_item_id"), item.get("sku")
        if not line_id and not sku:
            raise broken("The partner tells of units of neither a line nor a SKU.")
        lines.append(Units(_plain(line_id), _plain(sku), read_whole(item.get("quantity"), "quantity")))
    return tuple(lines)


def _plain(value: Any) -> str | None:
    return str(value) if value else None


def read_status(value: Any) -> PartnerStatus:
    if value not in STATUSES:
        raise broken(f"The partner gives an order the status {value!r}.")
    return STATUSES[value]


def read_list(raw: dict[str, Any], name: str, most: int) -> Sequence[dict[str, Any]]:
    """A list of objects; nothing when it is left out."""
    found = raw.get(name)
    if found is None:
        return ()
    if not isinstance(found, list) or len(found) > most or not all(isinstance(one, dict) for one in found):
        raise broken(f"The partner's {name} is not a list of at most {most} objects.")
    return found


def read_text(raw: dict[str, Any], name: str) -> str:
    found = raw.get(name)
    if not isinstance(found, str) or not found.strip():
        raise broken(f"The partner's answer lacks {name}.")
    return found


def read_time(value: Any) -> datetime.datetime:
    try:
        at = datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise broken(f"The partner's time {value!r} is not ISO 8601.") from None
    return at.replace(tzinfo=datetime.UTC) if at.tzinfo is None else at


def read_whole(value: Any, name: str) -> int:
    """Whole units, as a number or, as snapshots have them, a string."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise broken(f"The partner's {name} {value!r} is not a number.") from None
    if isinstance(value, bool) or not number.is_integer() or not 0 <= number <= UNITS_MAX:
        raise broken(f"The partner's {name} {value!r} is not a whole number of units.")
    return int(number)
