"""What a stored webhook means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from adapters.channels.base import ChannelNews, Observation, OrderSeen, QuantitySeen
from adapters.channels.shopify.read_order import read_order
from domain.errors import CauseClass, Fault

ORDER_TOPICS = frozenset({"orders/create", "orders/updated", "orders/paid", "orders/edited", "orders/cancelled"})
LEVEL_TOPIC = "inventory_levels/update"


def read_event(topic: str, body: bytes) -> Sequence[ChannelNews]:
    """Empty for topics we do not follow. Raises a permanent `Fault` when the payload cannot be read."""
    if topic in ORDER_TOPICS:
        return [OrderSeen(read_order(body))]
    if topic == LEVEL_TOPIC:
        return [QuantitySeen(_read_level(body))]
    return ()


def _read_level(body: bytes) -> Observation:
    try:
        raw: dict[str, Any] = orjson.loads(body)
        item, location = raw["inventory_item_id"], raw["location_id"]
        quantity = raw["available"]
    except (KeyError, TypeError, ValueError) as error:
        message = f"The {LEVEL_TOPIC} payload cannot be read: {error!r}."
        raise Fault(message, transient=False, cause=CauseClass.VALIDATION) from error
    return Observation(f"gid://shopify/InventoryItem/{item}", quantity, f"gid://shopify/Location/{location}")
