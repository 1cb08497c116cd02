"""What a stored webhook means.

The store signs the body alone: topic, id and time stand in headers that whoever has seen a webhook can write anew. So
nothing is believed for its topic: an order is one by its id and as new as its own `updated_at`, a level likewise, and
what the body does not prove (a level that is gone, a return, an app that was taken away) is asked for with the API.

Events that only name an order by number are read with the API afterwards; `inventory_levels/update` does not say who
changed the level, so the echo of our own write looks like any other.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from adapters.channels.base import Observation
from adapters.channels.news import (
    AccessRevoked,
    ChannelNews,
    OrderSeen,
    OrderToPull,
    QuantitySeen,
    QuantityToLook,
    ReturnSeen,
    ReturnToPull,
)
from adapters.channels.shopify.read_order import read_payload, read_time
from adapters.channels.shopify.read_return import read_refunded_return
from domain.errors import CauseClass, Fault

TICK = datetime.timedelta(seconds=1)
"""How fine the vendor tells when a level changed."""
_PART = re.compile(rb'"(gid://shopify/FulfillmentOrder/\d+)"')
_RETURN = re.compile(rb'"(gid://shopify/Return/\d+)"')
_LEVEL = re.compile(r"gid://shopify/InventoryLevel/(\d+)\?inventory_item_id=(\d+)")


def _read_order(body: bytes) -> ChannelNews:
    return OrderSeen(read_payload(_load(body)))


def _read_edit(body: bytes) -> ChannelNews:
    return OrderToPull(_order_gid(_load(body)["order_edit"]["order_id"]))


def _read_refund(body: bytes) -> tuple[ChannelNews, ...]:
    """The order first: what was refunded unshipped is its own to tell. Then what of it is a return."""
    raw = _load(body)
    order = OrderToPull(_order_gid(raw["order_id"]))
    notice = read_refunded_return(raw)
    return (order,) if notice is None else (order, ReturnSeen(notice))


def _read_return(body: bytes) -> ChannelNews:
    found = _RETURN.search(body)
    if found is None:
        raise ValueError("it names no return")
    return ReturnToPull(found[1].decode())


def _read_part(body: bytes) -> ChannelNews:
    """Every kind has its own names around it: what matters is which fulfilment order it is about."""
    found = _PART.search(body)
    if found is None:
        raise ValueError("it names no fulfilment order")
    return OrderToPull(found[1].decode())


def _read_level(body: bytes) -> ChannelNews:
    """No quantity: the item is not tracked. One that does not say when it was so is looked at."""
    raw = _load(body)
    quantity, (item, location) = raw["available"], _name_level(raw)
    if raw.get("updated_at") is None:
        return QuantityToLook(item, location)
    seen = Observation(item, quantity, location, tracked=quantity is not None)
    return QuantitySeen(seen, read_time(raw["updated_at"]) + TICK)


def _read_disconnect(body: bytes) -> ChannelNews:
    return QuantityToLook(*_name_level(_load(body)))


def _read_uninstall(body: bytes) -> ChannelNews:
    """The body is a store, of whatever time: that it still lets us in is asked afterwards."""
    return AccessRevoked(f"The app was uninstalled from {_load(body)['myshopify_domain']}.")


READERS: Mapping[str, Callable[[bytes], ChannelNews | tuple[ChannelNews, ...]]] = {
    "orders/create": _read_order,
    "orders/updated": _read_order,
    "orders/paid": _read_order,
    "orders/cancelled": _read_order,
    "orders/fulfilled": _read_order,
    "orders/partially_fulfilled": _read_order,
    "orders/edited": _read_edit,
    "refunds/create": _read_refund,
    "returns/approve": _read_return,
    "returns/cancel": _read_return,
    "returns/process": _read_return,
    "inventory_levels/connect": _read_level,
    "inventory_levels/update": _read_level,
    "inventory_levels/disconnect": _read_disconnect,
    "app/uninstalled": _read_uninstall,
}
PART_TOPICS = "fulfillment_orders/"
"""Of any topic that begins so."""
IGNORED = frozenset({"fulfillments/create", "fulfillments/update", "orders/delete", "returns/request"})
"""Known, and without a meaning here: parcels are confirmed by us, and a return that is only asked for is none yet."""


def read_event(topic: str, body: bytes) -> Sequence[ChannelNews]:
    """Empty for topics we do not follow. Raises a permanent `Fault` when the payload cannot be read."""
    read = _read_part if topic.startswith(PART_TOPICS) else READERS.get(topic)
    if read is None:
        return ()
    try:
        news = read(body)
        return list(news) if isinstance(news, tuple) else [news]
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"The {topic} payload cannot be read: {error!r}."
        raise Fault(message, transient=False, cause=CauseClass.VALIDATION) from error


def _load(body: bytes) -> dict[str, Any]:
    raw = orjson.loads(body)
    if not isinstance(raw, dict):
        raise TypeError("it is not an object")
    return raw


def _order_gid(number: Any) -> str:
    return f"gid://shopify/Order/{int(number)}"


def _name_level(raw: dict[str, Any]) -> tuple[str, str]:
    """Item and location, by the global id where there is one: numbers lost precision in some vendors' tools."""
    found = _LEVEL.fullmatch(raw.get("admin_graphql_api_id") or "")
    location, item = found.groups() if found else (int(raw["location_id"]), int(raw["inventory_item_id"]))
    return f"gid://shopify/InventoryItem/{item}", f"gid://shopify/Location/{location}"
