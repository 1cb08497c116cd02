"""What a stored webhook means.

Events that only name an order by number are read with the API afterwards; `inventory_levels/update` does not say who
changed the level, so the echo of our own write looks like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from adapters.channels.base import (
    AccessRevoked,
    ChannelNews,
    Observation,
    OrderSeen,
    OrderToPull,
    QuantitySeen,
    ReturnSeen,
    ReturnToPull,
)
from adapters.channels.shopify.read_order import read_payload
from adapters.channels.shopify.read_return import read_approved_return, read_refunded_return
from domain.errors import CauseClass, Fault

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


def _read_approval(body: bytes) -> tuple[ChannelNews, ...]:
    """Payloads need not name the units, and never what is sent instead: then the return is read as well."""
    notice = read_approved_return(_load(body))
    whole = notice.lines and not notice.exchange
    return (ReturnSeen(notice),) if whole else (ReturnSeen(notice), ReturnToPull(notice.external_id))


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
    """No quantity: the item is not tracked."""
    raw = _load(body)
    quantity = raw["available"]
    return QuantitySeen(_observation(raw, quantity, tracked=quantity is not None))


def _read_disconnect(body: bytes) -> ChannelNews:
    return QuantitySeen(_observation(_load(body), None, tracked=True))


def _read_uninstall(body: bytes) -> ChannelNews:
    return AccessRevoked(f"The app was uninstalled from {_load(body).get('myshopify_domain') or 'the store'}.")


READERS: Mapping[str, Callable[[bytes], ChannelNews | tuple[ChannelNews, ...]]] = {
    "orders/create": _read_order,
    "orders/updated": _read_order,
    "orders/paid": _read_order,
    "orders/cancelled": _read_order,
    "orders/fulfilled": _read_order,
    "orders/partially_fulfilled": _read_order,
    "orders/edited": _read_edit,
    "refunds/create": _read_refund,
    "returns/approve": _read_approval,
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


def _observation(raw: dict[str, Any], quantity: int | None, *, tracked: bool) -> Observation:
    """By the global id where there is one: numbers lost precision on their way through some vendors' tools."""
    found = _LEVEL.fullmatch(raw.get("admin_graphql_api_id") or "")
    location, item = found.groups() if found else (int(raw["location_id"]), int(raw["inventory_item_id"]))
    return Observation(
        f"gid://shopify/InventoryItem/{item}", quantity, f"gid://shopify/Location/{location}", tracked=tracked
    )
