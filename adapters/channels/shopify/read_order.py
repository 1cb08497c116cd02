"""An `orders/create` payload as a plain order. Numeric ids lost precision in examples: the global ids are used."""

from __future__ import annotations

import datetime
from typing import Any

import orjson

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from domain.errors import Fault


def read_order(body: bytes) -> ChannelOrder:
    """Raises a permanent `Fault` when the payload is not an order."""
    try:
        return _order(orjson.loads(body))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Fault(f"The orders/create payload cannot be read: {error!r}.", transient=False) from error


def _order(raw: dict[str, Any]) -> ChannelOrder:
    address = raw.get("shipping_address") or {}
    return ChannelOrder(
        external_id=str(raw["admin_graphql_api_id"]),
        name=raw.get("name"),
        placed_at=_time(raw.get("created_at")),
        lines=tuple(_line(line) for line in raw.get("line_items") or [] if line["quantity"] > 0),
        country_code=address.get("country_code"),
        cancelled=raw.get("cancelled_at") is not None,
        latitude=_degrees(address.get("latitude")),
        longitude=_degrees(address.get("longitude")),
    )


def _line(raw: dict[str, Any]) -> ChannelOrderLine:
    return ChannelOrderLine(
        str(raw["admin_graphql_api_id"]), raw.get("sku") or None, raw.get("title"), int(raw["quantity"])
    )


def _degrees(value: Any) -> float | None:
    return None if value is None else float(value)


def _time(value: str | None) -> datetime.datetime:
    if value is None:
        return datetime.datetime.now(datetime.UTC)
    found = datetime.datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
