"""What an event means. None carries the order itself: it names one, and that must be read.

ORDER_CONFIRMATION comes once for each line and again after a payment that failed at first; a cancellation asks for
the same order. Both are news that an order changed, however often they come.
"""

from __future__ import annotations

from typing import Any

import orjson

from adapters.channels.news import ChannelNews, OrderToPull
from domain.errors import CauseClass, Fault

ORDER_TOPICS = frozenset({
    "ORDER_CONFIRMATION", "ORDER_CANCELLATION_ACTIVITY", "ORDER_RETURN_ACTIVITY", "ITEM_MARKED_SHIPPED",
})  # fmt: skip


def read_event(topic: str, body: bytes) -> tuple[ChannelNews, ...]:
    """Empty for a topic that is none of ours, and for one of an item without its order. Raises a permanent `Fault`."""
    if topic not in ORDER_TOPICS:
        return ()
    try:
        order_id = _find_order_id(orjson.loads(body)["notification"]["data"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Fault(f"eBay's {topic} cannot be read.", transient=False, cause=CauseClass.UNKNOWN) from None
    return (OrderToPull(order_id),) if order_id else ()


def _find_order_id(data: dict[str, Any]) -> str | None:
    """In `order`, beside it, or in whatever the topic calls its subject."""
    places = [data.get("order"), data, *data.values()]
    found = (place["orderId"] for place in places if isinstance(place, dict) and place.get("orderId"))
    order_id = next(found, None)
    return None if order_id is None else str(order_id)
